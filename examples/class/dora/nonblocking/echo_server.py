import socketserver
import sys

from addresses import parse_address
import program


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer.daemon_threads = True
address = parse_address(sys.argv[1])
server = socketserver.ThreadingTCPServer(address.target, Echo)
program.announce(address.bound_as(server.socket))
server.serve_forever()
