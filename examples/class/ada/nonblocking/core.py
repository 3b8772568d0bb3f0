"""A chat client as callbacks on a transport that keeps asyncio's promises, whoever made it; words stay bytes."""

import re
import sys
from collections import deque

NAME = re.compile(rb"[A-Za-z0-9._-]{1,32}")
LIMIT = 65536
people = {}
rooms = {}


class Options:
    slow = "drop"
    idle = 300.0
    everyone = set()
    waiting = set()
    loop = None
    draining = False

    @staticmethod
    def over():
        pass


class Client:
    def connection_made(self, transport):
        self.transport = transport
        self.loop = Options.loop
        self.buffer = b""
        self.name = None
        self.rooms = set()
        self.queue = deque()  # (line, may be dropped)
        self.size = 0
        self.dropped = 0
        self.paused = False
        self.held = False
        self.ending = False
        self.finished = False
        self.active = self.loop.time()
        transport.set_write_buffer_limits(0)
        sock = transport.get_extra_info("socket")
        if sock.family.name != "AF_UNIX":
            sock.setsockopt(6, 1, 1)
        Options.everyone.add(self)
        self.watch()

    def watch(self):
        if self not in Options.everyone:
            return
        left = self.active + Options.idle - self.loop.time()
        if left <= 0 and not self.held:
            self.transport.abort()
            return
        self.loop.call_later(max(left, 0.2), self.watch)

    def connection_lost(self, _error):
        Options.everyone.discard(self)
        self.leave()
        if Options.draining and not Options.everyone:
            Options.over()

    def leave(self):
        for room in self.rooms:
            rooms[room].discard(self)
            if not rooms[room]:
                del rooms[room]
        self.rooms = set()
        if self.name is not None:
            people.pop(self.name, None)
            self.name = None
        wake()

    # -- out

    def put(self, line, droppable):
        if not self.paused and not self.queue:
            self.transport.write(line)
            return
        self.queue.append((line, droppable))
        self.size += len(line)
        if self.size <= LIMIT:
            return
        if Options.slow == "drop":
            kept = deque()
            while self.queue and self.size > LIMIT:
                first = self.queue.popleft()
                if first[1]:
                    self.size -= len(first[0])
                    self.dropped += 1
                else:
                    kept.append(first)
            self.queue.extendleft(reversed(kept))
        elif Options.slow == "close" and droppable:
            self.leave()
            self.transport.abort()

    def pause_writing(self):
        self.paused = True

    def resume_writing(self):
        self.paused = False
        self.active = self.loop.time()
        while self.queue and not self.paused:
            line, _ = self.queue.popleft()
            self.size -= len(line)
            self.transport.write(line)
        if not self.queue and not self.paused and self.dropped:
            count, self.dropped = self.dropped, 0
            self.transport.write(b"dropped %d\n" % count)
        if self.size < LIMIT // 2:
            wake()
        if self.held and self not in Options.waiting:
            self.loop.call_soon(self.work)
        if self.ending and not self.queue and not self.dropped:
            self.finish()

    # -- in

    def data_received(self, data):
        self.active = self.loop.time()
        if not self.ending:
            self.buffer += data
            if not self.held:
                self.work()

    def work(self):
        turns = 30
        while not self.ending and not self.transport.is_closing():
            if self.size > LIMIT // 2 and any(not droppable for _, droppable in self.queue):
                return self.hold()
            end = self.buffer.find(b"\n")
            if end > 4096 or (end < 0 and len(self.buffer) > 4096):
                return self.end(b"error line too long\n")
            if end < 0:
                break
            try:
                self.buffer[:end].decode()
            except UnicodeDecodeError:
                return self.end(b"error not text\n")
            words = self.buffer[:end].removesuffix(b"\r").split(b" ", 2)
            if words[0] == b"say" and self.must_wait(words):
                Options.waiting.add(self)
                return self.hold()
            self.buffer = self.buffer[end + 1 :]
            self.do(words)
            turns -= 1
            if not turns:
                self.hold()
                self.loop.call_soon(self.work)
                return None
        if self.held and not self.ending:
            self.held = False
            self.active = self.loop.time()
            self.transport.resume_reading()
        return None

    def hold(self):
        if not self.held:
            self.held = True
            self.transport.pause_reading()

    def must_wait(self, words):
        if Options.slow != "wait" or len(words) < 2:
            return False
        return any(other is not self and other.size > LIMIT for other in rooms.get(words[1], ()))

    def do(self, words):
        command, *rest = words
        if command == b"quit" and not rest:
            return self.end(b"ok\n")
        good = len(rest) == (2 if command == b"say" else 1) and NAME.fullmatch(rest[0]) and rest[-1]
        handler = {b"nick": self.nick, b"join": self.join, b"part": self.part, b"say": self.say}.get(command)
        reason = handler(*rest) if handler and good else b"what?"
        self.put(b"error " + reason + b"\n" if reason else b"ok\n", False)
        return None

    def nick(self, name):
        if people.get(name, self) is not self:
            return b"taken"
        people.pop(self.name, None)
        people[name] = self
        self.name = name
        return None

    def join(self, room):
        if self.name is None or room in self.rooms or len(self.rooms) == 16:
            return b"not now"
        rooms.setdefault(room, set()).add(self)
        self.rooms.add(room)
        return None

    def part(self, room):
        if room not in self.rooms:
            return b"you are not there"
        self.rooms.discard(room)
        rooms[room].discard(self)
        if not rooms[room]:
            del rooms[room]
        wake()
        return None

    def say(self, room, text):
        if room not in self.rooms:
            return b"you are not there"
        line = room + b" " + self.name + b" " + text + b"\n"
        for other in list(rooms[room]):
            if other is not self:
                other.put(line, True)
        return None

    # -- ends

    def eof_received(self):
        self.end(b"")
        return True

    def end(self, last):
        if self.ending:
            if self.finished:
                self.transport.close()
            return
        self.ending = True
        self.leave()
        if last:
            self.put(last, False)
        if self.held:
            self.held = False
            self.transport.resume_reading()
        if not self.paused and not self.queue:
            self.finish()

    def finish(self):
        if not self.finished and not self.transport.is_closing():
            self.finished = True
            self.transport.write_eof()
            self.loop.call_later(1.0, self.transport.abort)


def wake():
    waiting, Options.waiting = Options.waiting, set()
    for client in waiting:
        client.loop.call_soon(client.work)


def read_words(words):
    """Options into Options; the address."""
    words = list(words)
    if "--slow" in words and words[words.index("--slow") + 1] not in ("drop", "wait", "close"):
        print("--slow drop, wait or close", file=sys.stderr)
        sys.exit(2)
    while len(words) > 1:
        option, value = words[-2:]
        words = words[:-2]
        if option == "--slow":
            Options.slow = value
        elif option == "--idle":
            try:
                Options.idle = float(value)
            except ValueError:
                Options.idle = 0.0
    if not Options.idle > 0 or not words or words[0].startswith("udp:"):
        print("ADDRESS [--slow drop|wait|close] [--idle S], please", file=sys.stderr)
        sys.exit(2)
    return words[0]
