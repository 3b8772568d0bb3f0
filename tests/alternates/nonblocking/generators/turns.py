"""Conversations as generators: each says what it waits for and is resumed, once, when that has come (EPOLLONESHOT)."""

import heapq
import os
import select
import signal
import socket
import time
from itertools import count

READ, WRITE = select.EPOLLIN, select.EPOLLOUT


class Turns:
    """Resumes generators that yield (socket, events, moment): with the events, or with 0 if the moment came first."""

    def __init__(self):
        self.epoll = select.epoll()
        self.waiting = {}  # descriptor -> (generator, ticket)
        self.tickets = count()
        self.moments = []  # (moment, ticket, descriptor)
        self.known = set()
        self.over = False

    def start(self, talk):
        self.resume(talk, None)

    def resume(self, talk, value):
        try:
            sock, events, moment = talk.send(value)
        except StopIteration:
            return
        number, ticket = sock.fileno(), next(self.tickets)
        self.waiting[number] = (talk, ticket)
        if moment is not None:
            heapq.heappush(self.moments, (moment, ticket, number))
        mask = events | select.EPOLLONESHOT
        if number in self.known:
            self.epoll.modify(number, mask)
        else:
            self.known.add(number)
            self.epoll.register(number, mask)

    def forget(self, sock):
        if sock.fileno() in self.known:
            self.known.discard(sock.fileno())
            self.epoll.unregister(sock.fileno())
        sock.close()

    def run(self):
        while not self.over:
            while self.moments and self.stale(self.moments[0]):
                heapq.heappop(self.moments)
            until = min(3600.0, max(0.0, self.moments[0][0] - time.monotonic())) if self.moments else -1
            for number, events in self.epoll.poll(until):
                if number in self.waiting:
                    self.resume(self.waiting.pop(number)[0], events)
            while self.moments and self.moments[0][0] <= time.monotonic():
                moment = heapq.heappop(self.moments)
                if not self.stale(moment):
                    self.resume(self.waiting.pop(moment[2])[0], 0)

    def stale(self, moment):
        return self.waiting.get(moment[2], (None, None))[1] != moment[1]

    def on_sigterm(self, action):
        mouth, ear = socket.socketpair()
        mouth.setblocking(False)
        ear.setblocking(False)
        signal.set_wakeup_fd(mouth.fileno())
        signal.signal(signal.SIGTERM, lambda *_: None)

        def hear():
            yield ear, READ, None
            action()

        self.ends = (mouth, ear)
        self.start(hear())


def place(text):
    """(family, where) of an address. Raises ValueError."""
    if text.startswith("unix:") and text[5:]:
        return socket.AF_UNIX, text[5:]
    host, _, port = text.rpartition(":")
    family = socket.AF_INET6 if host[:1] == "[" and host[-1:] == "]" else socket.AF_INET
    socket.inet_pton(family, host.strip("[]") if family == socket.AF_INET6 else host)
    if not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{port!r} is not a port")
    return family, (host.strip("[]"), int(port))


def seconds(text):
    """A decimal number above 0. Raises ValueError."""
    if not 0 < (value := float(text)) < 1e9:
        raise ValueError(f"{text} seconds?")
    return value


def end(status, why):
    os.write(2, f"{why}\n".encode())
    os._exit(status)
