"""mailbox_server without threads: one loop over select.poll(). Nobody can stall anybody, and no lock is needed."""

import re
import select
import socket
import sys
import time

from wire import bind, quit_with

LIMIT = 1 << 16
NAME = rb"[A-Za-z0-9._-]{1,64}"
messages = {}


def frame(body):
    return len(body).to_bytes(4, "big") + body


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.input = bytearray()
        self.output = bytearray()
        self.ended = False  # nothing more will be asked
        self.leaving = None  # when to close, once we have said goodbye
        self.moved = time.monotonic()

    def wants(self):
        events = select.POLLOUT if self.output else 0
        if self.leaving is not None or (not self.ended and len(self.output) < LIMIT):
            events |= select.POLLIN
        return events

    def receive(self):
        data = self.sock.recv(LIMIT)
        if self.leaving is not None:
            return bool(data)
        self.moved = time.monotonic()
        self.input += data
        self.ended = not data
        return True

    def work(self):
        while len(self.input) >= 4 and len(self.output) < LIMIT and self.leaving is None:
            size = int.from_bytes(self.input[:4], "big")
            if size > LIMIT:
                self.output += frame(b"error too long\n")
                self.input.clear()
                self.ended = True
                return
            if len(self.input) < 4 + size:
                return
            self.output += frame(self.answer(bytes(self.input[4 : 4 + size])))
            del self.input[: 4 + size]

    def answer(self, body):
        if match := re.fullmatch(rb"put (" + NAME + rb")\n(.*)", body, re.DOTALL):
            messages[match[1]] = match[2]
            return b"ok\n"
        if match := re.fullmatch(rb"get (" + NAME + rb")\n", body):
            return b"ok\n" + messages[match[1]] if match[1] in messages else b"error no such message\n"
        if body == b"list\n":
            names = b"ok\n" + b"".join(name + b"\n" for name in sorted(messages))
            return names if len(names) <= LIMIT else b"error too long\n"
        if body == b"whoami\n":
            if self.sock.family == socket.AF_UNIX:
                return b"ok\nunix\n"
            return "ok\ntcp {} {} {} {}\n".format(*self.sock.getpeername()[:2], *self.sock.getsockname()[:2]).encode()
        return b"error I do not understand\n"

    def send(self):
        if self.output:
            del self.output[: self.sock.send(self.output)]
            self.moved = time.monotonic()


def step(client, events, idle):
    """Whether the client stays."""
    now = time.monotonic()
    try:
        if events & (select.POLLIN | select.POLLHUP | select.POLLERR) and not client.receive():
            return False
        client.work()
        if events & select.POLLOUT:
            client.send()
        client.work()
        if client.leaving is not None:
            return now < client.leaving
        silent = now - client.moved > idle
        waiting_for_more = len(client.input) >= 4 and len(client.input) >= 4 + int.from_bytes(client.input[:4], "big")
        if silent or (client.ended and not client.output and not waiting_for_more):
            client.leaving = now + 1
            client.sock.shutdown(socket.SHUT_WR)
        return True
    except BlockingIOError:
        return True
    except OSError:
        return False


def serve(listener, most, idle):
    listener.setblocking(False)
    clients = {}
    while True:
        poll = select.poll()
        if len(clients) < most:
            poll.register(listener, select.POLLIN)
        for number, client in clients.items():
            poll.register(number, client.wants())
        for number, events in poll.poll(100 if clients else None):
            if number == listener.fileno():
                try:
                    sock, _ = listener.accept()
                except OSError:
                    continue
                sock.setblocking(False)
                clients[sock.fileno()] = Client(sock)
            elif not step(clients[number], events, idle):
                clients.pop(number).sock.close()
        for number in [n for n, client in clients.items() if not step(client, 0, idle)]:
            clients.pop(number).sock.close()


words = sys.argv[1:]
options = {"--max-clients": 100, "--idle": 60.0}
try:
    address = words.pop(0)
    while words:
        name = words.pop(0)
        options[name] = type(options[name])(words.pop(0))
        assert options[name] > 0
except (IndexError, KeyError, ValueError, AssertionError):
    quit_with(2, "usage: mailbox_server ADDRESS [--max-clients N] [--idle S]")
serve(bind(address), options["--max-clients"], options["--idle"])
