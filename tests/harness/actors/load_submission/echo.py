"""An echo server with one wanted fault: echo.py ADDRESS [FAULT]. Without one it does all that is asked of it."""

import os
import selectors
import socket
import sys
import threading
import time

MOST = 65_536  # bytes of output that wait for one client


class Server:
    def __init__(self, address: str, fault: str) -> None:
        self.fault = fault
        if address.startswith("unix:"):
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(address[5:])
        else:
            host, _, port = address.rpartition(":")
            self.listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind((host.strip("[]"), int(port)))
            address = f"{host}:{self.listener.getsockname()[1]}"
        self.listener.listen(128)
        self.listener.setblocking(False)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.output: dict[socket.socket, bytearray] = {}
        self.ended: set[socket.socket] = set()
        self.kept: list[object] = []
        print(f"listening on {address}", flush=True)

    def serve(self) -> None:
        timeout = {"busy": 0, "polling": 0.001}.get(self.fault)
        while True:
            for key, events in self.selector.select(timeout):
                if key.fileobj is self.listener:
                    self.accept()
                else:
                    self.talk(key.fileobj, events)

    def accept(self) -> None:
        try:
            sock, _ = self.listener.accept()
        except OSError:
            return
        if self.fault == "closes" and len(self.output) == 20:
            sock.recv(MOST)  # what is unread would make a reset of its end
            sock.close()
            return
        sock.setblocking(False)
        if self.fault in ("cuts", "small"):  # so that output waits in the program, not in the kernel
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        self.output[sock] = bytearray()
        self.selector.register(sock, selectors.EVENT_READ)
        if self.fault == "threads":
            threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
        if self.fault == "forks" and len(self.output) == 1 and os.fork() == 0:
            time.sleep(3600)

    def talk(self, sock: socket.socket, events: int) -> None:
        output = self.output[sock]
        try:
            again = True
            while again and sock in self.output:
                if events & selectors.EVENT_READ:
                    again = self.read(sock, output) and self.fault == "drains"
                else:
                    again = False
                self.write(sock, output)
        except BlockingIOError:
            pass
        except OSError:
            self.drop(sock)

    def read(self, sock: socket.socket, output: bytearray) -> bool:
        data = sock.recv(MOST)
        if not data:
            self.end(sock, output)
            return False
        if self.fault == "swaps":
            data = data[::-1]
        if len(data) > 4096:  # a greedy client: work that takes time, in small portions or at one go
            time.sleep({"works": 0.002, "drains": 0.002, "stalls": 0.5}.get(self.fault, 0))
        if self.fault == "blocks" and len(self.output) > 1:
            sock.setblocking(True)
            sock.sendall(data)
            sock.setblocking(False)
            return True
        if self.fault != "silent" or len(self.output) < 30:
            output += data
        if self.fault == "leaks":
            self.kept.append(data)
        return True

    def end(self, sock: socket.socket, output: bytearray) -> None:
        """The client has ended its side: send what is left first."""
        if output and self.fault != "cuts":
            self.ended.add(sock)
        else:
            self.drop(sock)

    def write(self, sock: socket.socket, output: bytearray) -> None:
        if sock not in self.output:
            return
        try:
            while output:
                del output[: sock.send(output)]
                if self.fault != "drains":
                    break
        except BlockingIOError:
            pass
        if sock in self.ended and not output:
            self.drop(sock)
            return
        reads = sock not in self.ended and (len(output) < MOST or self.fault == "unbounded")
        events = (selectors.EVENT_READ if reads else 0) | (selectors.EVENT_WRITE if output else 0)
        self.selector.modify(sock, events)

    def drop(self, sock: socket.socket) -> None:
        self.output.pop(sock, None)
        self.ended.discard(sock)
        self.selector.unregister(sock)
        if self.fault == "forgets":
            self.kept.append(sock)
        else:
            sock.close()


if __name__ == "__main__":
    Server(sys.argv[1], (sys.argv[2:] or [""])[0]).serve()
