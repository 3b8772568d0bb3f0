"""A reactor that remembers readiness: who can do something gets one step in each round, until it says EAGAIN."""

import errno
import heapq
import ipaddress
import itertools
import os
import signal
import socket
import stat
import sys
import time

from backend import Backend


class Reactor:
    def __init__(self):
        self._backend = Backend()
        self._things = {}
        self._busy = {}
        self._timers = []
        self._count = itertools.count()
        self._running = True

    time = staticmethod(time.monotonic)

    def call_later(self, seconds, action):
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._count), action))

    def call_soon(self, action):
        self.call_later(0, action)

    def stop(self):
        self._running = False

    def add(self, thing):
        self._things[thing.fileno()] = thing
        self._backend.add(thing.fileno())

    def remove(self, thing):
        del self._things[thing.fileno()]
        self._busy.pop(thing, None)
        self._backend.remove(thing.fileno())

    def look_at(self, thing):
        """Something about it has changed: what it waits for, or what it could do."""
        if thing.can_step():
            self._busy[thing] = None
        else:
            self._busy.pop(thing, None)
        self._backend.need(thing.fileno(), *thing.needs())

    def run(self):
        while self._running:
            left = 0 if self._busy else None
            if left is None and self._timers:
                left = max(0.0, self._timers[0][0] - time.monotonic())
            for descriptor, read, write in list(self._backend.wait(left)):
                thing = self._things.get(descriptor)
                if thing is not None:
                    thing.may_read |= read
                    thing.may_write |= write
                    self.look_at(thing)
            for thing in list(self._busy):
                if thing in self._busy:
                    thing.step()
                    if self._things.get(thing.fileno()) is thing:
                        self.look_at(thing)
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now:
                heapq.heappop(self._timers)[2]()

    def on_sigterm(self, action):
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write)
        signal.signal(signal.SIGTERM, lambda *_: None)
        self.add(Wake(read, action))


class Thing:
    may_read = may_write = False

    def needs(self):
        return not self.may_read, False

    def can_step(self):
        return self.may_read


class Wake(Thing):
    def __init__(self, descriptor, action):
        self._descriptor, self._action = descriptor, action

    def fileno(self):
        return self._descriptor

    def step(self):
        try:
            os.read(self._descriptor, 100)
        except BlockingIOError:
            self.may_read = False
        else:
            self._action()


class Listener(Thing):
    def __init__(self, reactor, sock, factory):
        self.reactor, self.sock, self.factory = reactor, sock, factory
        self.asleep = False
        reactor.add(self)

    def fileno(self):
        return self.sock.fileno()

    def can_step(self):
        return self.may_read and not self.asleep

    def needs(self):
        return not self.may_read and not self.asleep, False

    def step(self):
        for _ in range(50):
            try:
                sock, _ = self.sock.accept()
            except BlockingIOError:
                self.may_read = False
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self.asleep = True
                    self.reactor.call_later(0.2, self.wake)
                    return
                continue
            sock.setblocking(False)
            protocol = self.factory()
            protocol.connection_made(Transport(self.reactor, sock, protocol))

    def wake(self):
        self.asleep = False
        if self.sock.fileno() >= 0:
            self.reactor.look_at(self)

    def close(self):
        self.reactor.remove(self)
        self.sock.close()


class Transport(Thing):
    """Keeps the promises of asyncio's transports, as far as they are needed here."""

    def __init__(self, reactor, sock, protocol):
        self.reactor, self.sock, self.protocol = reactor, sock, protocol
        self.out = bytearray()
        self.reading = True
        self.eof_out = self.eof_in = self.closing = False
        self.may_write = True
        reactor.add(self)

    def fileno(self):
        return self.sock.fileno()

    def get_extra_info(self, _name):
        return self.sock

    def set_write_buffer_limits(self, _high):
        pass

    def is_closing(self):
        return self.closing

    def needs(self):
        return self.reading and not self.eof_in and not self.may_read, bool(self.out) and not self.may_write

    def can_step(self):
        reads = self.may_read and self.reading and not self.eof_in
        return reads or (self.may_write and bool(self.out))

    def pause_reading(self):
        self.reading = False
        self.look()

    def resume_reading(self):
        self.reading = True
        self.look()

    def look(self):
        if not self.closing:
            self.reactor.look_at(self)

    def write(self, data):
        if self.closing or self.eof_out:
            return
        if not self.out:
            data = data[self.send(data) :]
            if self.closing:
                return
        if data:
            was_empty = not self.out
            self.out += data
            if was_empty:
                self.protocol.pause_writing()
            self.look()

    def send(self, data):
        try:
            return self.sock.send(data)
        except BlockingIOError:
            self.may_write = False
            return 0
        except OSError:
            self.abort()
            return len(data)

    def step(self):
        if self.out and self.may_write:
            del self.out[: self.send(self.out)]
            if self.closing:
                return
            if not self.out:
                self.protocol.resume_writing()
                if not self.out and self.eof_out and not self.closing:
                    self.shut()
        if not self.closing and self.may_read and self.reading and not self.eof_in:
            try:
                data = self.sock.recv(16384)
            except BlockingIOError:
                self.may_read = False
            except OSError:
                self.abort()
            else:
                if data:
                    self.protocol.data_received(data)
                else:
                    self.eof_in = True
                    self.protocol.eof_received()

    def write_eof(self):
        self.eof_out = True
        if not self.out and not self.closing:
            self.shut()

    def shut(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.abort()
            return
        if self.eof_in:
            self.abort()

    def close(self):
        self.abort()

    def abort(self):
        if not self.closing:
            self.closing = True
            self.reactor.remove(self)
            self.sock.close()
            self.protocol.connection_lost(None)


def place(text):
    if text.startswith("unix:"):
        return socket.AF_UNIX, text[5:]
    host, _, port = text.rpartition(":")
    return (socket.AF_INET6 if "[" in host else socket.AF_INET), (host.strip("[]"), int(port))


def end(status, why):
    print(why, file=sys.stderr)
    sys.exit(status)


def listen(text):
    try:
        return try_to_listen(text)
    except ValueError as why:
        end(2, why)
    except OSError as why:
        end(3, why)


def try_to_listen(text):
    family, where = place(text)
    if family != socket.AF_UNIX:
        ipaddress.ip_address(where[0])
    sock = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_UNIX:
        if os.path.exists(where) and stat.S_ISSOCK(os.stat(where).st_mode):
            with socket.socket(family) as probe:
                if probe.connect_ex(where) == errno.ECONNREFUSED:
                    os.unlink(where)
    else:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(where)
    sock.listen(1024)
    sock.setblocking(False)
    shown = text if family == socket.AF_UNIX else f"{text.rpartition(':')[0]}:{sock.getsockname()[1]}"
    return sock, f"listening on {shown}", where if family == socket.AF_UNIX else None
