import os
import re
import signal
import socket
import struct
import sys
import threading
import time

import net
from daytime_server import Stop, listen, stop

LIMIT = 65536


class Box:
    def __init__(self):
        self.lock = threading.Lock()
        self.messages = {}

    def answer(self, body, c):
        head, newline, data = body.partition(b"\n")
        words = head.split(b" ")
        if not newline or words[0] not in (b"put", b"get", b"list", b"whoami"):
            return b"error what?\n"
        if len(words) != (2 if words[0] in (b"put", b"get") else 1) or (data and words[0] != b"put"):
            return b"error malformed\n"
        if len(words) == 2 and not re.fullmatch(rb"[A-Za-z0-9._-]{1,64}", words[1]):
            return b"error bad name\n"
        with self.lock:
            if words[0] == b"put":
                self.messages[words[1]] = data
                return b"ok\n"
            if words[0] == b"get":
                data = self.messages.get(words[1])
                return b"error no such message\n" if data is None else b"ok\n" + data
            if words[0] == b"list":
                reply = b"ok\n" + b"".join(n + b"\n" for n in sorted(self.messages))
                return reply if len(reply) <= LIMIT else b"error too long\n"
        if c.family == socket.AF_UNIX:
            return b"ok\nunix\n"
        there, here = c.getpeername(), c.getsockname()
        return f"ok\ntcp {there[0]} {there[1]} {here[0]} {here[1]}\n".encode()


def send(c, body):
    rest = memoryview(struct.pack(">I", len(body)) + body)
    while rest:  # sendall() would count its timeout over all of it
        rest = rest[c.send(rest) :]


def serve(c, box, idle):
    """one client until it ends, falls silent, or breaks the rules"""

    def exactly(n):
        data = b""
        while len(data) < n:
            piece = c.recv(n - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    c.settimeout(idle)
    while True:
        (n,) = struct.unpack(">I", exactly(4))
        if n > LIMIT:
            send(c, b"error too long\n")
            break
        reply = box.answer(exactly(n), c)
        send(c, reply)
    goodbye(c)


def goodbye(c):
    c.shutdown(socket.SHUT_WR)
    end = time.monotonic() + 1
    while (left := end - time.monotonic()) > 0:
        c.settimeout(left)
        if not c.recv(65536):
            break


def worker(c, box, idle, room):
    try:
        serve(c, box, idle)
    except EOFError:
        pass
    except OSError:
        pass
    finally:
        c.close()
        room.release()


def main(argv):
    usage = "usage: mailbox_server ADDRESS [--max-clients N] [--idle S]"
    most, idle, rest = 100, 60.0, []
    words = iter(argv)
    try:
        for word in words:
            if word == "--max-clients":
                most = int(next(words))
            elif word == "--idle":
                idle = float(next(words))
            else:
                rest.append(word)
    except (StopIteration, ValueError):
        net.die(net.USAGE, usage)
    if len(rest) != 1 or most < 1 or not idle > 0:
        net.die(net.USAGE, usage)
    family, kind, where = net.address_argument(rest[0])
    signal.signal(signal.SIGTERM, stop)
    try:
        s = listen(family, kind, where)
    except OSError as e:
        net.die(net.NO_CONNECTION, f"cannot listen: {e}")
    box, room = Box(), threading.Semaphore(most)
    try:
        while True:
            room.acquire()
            try:
                c, _ = s.accept()
            except OSError:
                room.release()
                continue
            threading.Thread(target=worker, args=(c, box, idle, room), daemon=True).start()
    except Stop:
        pass
    finally:
        s.close()
        if family == socket.AF_UNIX:
            try:
                os.unlink(where)
            except OSError:
                pass


if __name__ == "__main__":
    main(sys.argv[1:])
