"""daytime_server ADDRESS"""

import os
import socketserver
import sys
import time

import program
from addresses import parse_address


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ\r\n", time.gmtime()).encode()
        if isinstance(self.request, tuple):
            self.request[1].sendto(now, self.client_address)
        else:
            self.request.sendall(now)


def main(arguments):
    program.end_on_sigterm()
    address = parse_address(arguments[0])
    kinds = {"udp": socketserver.UDPServer, "tcp": socketserver.TCPServer, "unix": socketserver.UnixStreamServer}
    server_class = kinds[address.kind]
    server_class.address_family = address.family
    server_class.allow_reuse_address = True
    server_class.request_queue_size = 100
    with server_class(address.target, Handler) as server:
        try:
            program.announce(address.bound_as(server.socket))
            server.serve_forever()
        finally:
            if address.kind == "unix":
                os.unlink(address.path)


if __name__ == "__main__":
    main(sys.argv[1:])
