"""A thread for each client, by the standard library's ThreadingTCPServer."""

from __future__ import annotations

import socketserver
import threading

from common import listen

threading.stack_size(256 * 1024)  # 1,000 of them by default would reserve 8 GB


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        try:
            while data := self.request.recv(65536):
                self.request.sendall(data)
        except ConnectionError:
            pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


server = Server(("127.0.0.1", 0), Echo, bind_and_activate=False)
server.socket.close()
server.socket = listen()
server.serve_forever()
