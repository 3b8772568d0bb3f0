"""fetch_all on the reactor."""

import errno
import ipaddress
import json
import os
import socket
import sys
import zlib

import net


class Fetch(net.Thing):
    def __init__(self, text):
        self.text, self.count, self.crc, self.connected, self.done = text, 0, 0, False, False
        family, where = net.place(text)
        try:
            self.sock = socket.socket(family, socket.SOCK_STREAM)
            self.sock.setblocking(False)
            code = self.sock.connect_ex(where)
        except OSError as error:
            self.sock, code = None, error.errno
        if code in (0, errno.EINPROGRESS):
            reactor.add(self)
            reactor.look_at(self)
        else:
            self.over(code)

    def fileno(self):
        return self.sock.fileno()

    def needs(self):
        return self.connected and not self.may_read, not self.connected

    def can_step(self):
        return self.may_read if self.connected else self.may_write

    def step(self):
        if not self.connected:
            code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                self.finish(code)
            self.connected = True
            return
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            self.may_read = False
            return
        except OSError as error:
            self.finish(error.errno)
            return
        if data:
            self.count += len(data)
            self.crc = zlib.crc32(data, self.crc)
        else:
            self.finish(0)

    def finish(self, code):
        reactor.remove(self)
        self.sock.close()
        self.over(code)

    def over(self, code):
        global left, status
        words = {0: "ok", errno.ECONNREFUSED: "refused", errno.ECONNRESET: "reset", errno.ETIMEDOUT: "timeout"}
        result = words.get(code, "error")
        self.done = True
        status |= result != "ok"
        row = {"crc32": self.crc, "bytes": self.count, "result": result, "address": self.text, "code": os.strerror(code)}
        print(json.dumps(row), flush=True)
        left -= 1
        if not left:
            reactor.stop()


def give_up():
    for fetch in fetches:
        if not fetch.done:
            fetch.finish(errno.ETIMEDOUT)


def usage(words):
    print("usage: fetch_all ADDRESS... [--deadline S]:", words, file=sys.stderr)
    sys.exit(2)


texts, deadline = sys.argv[1:], 10.0
if "--deadline" in texts:
    at = texts.index("--deadline")
    try:
        deadline = float(texts[at + 1])
        texts[at : at + 2] = []
    except (ValueError, IndexError) as why:
        usage(why)
if not texts or not deadline > 0:
    usage("nothing to do")
for one in texts:
    if not one.startswith("unix:"):
        head, colon, tail = one.rpartition(":")
        try:
            ipaddress.ip_address(head.strip("[]"))
            int(tail)
        except ValueError as why:
            usage(why)
reactor = net.Reactor()
left, status = len(texts), 0
reactor.call_later(deadline, give_up)
fetches = [Fetch(one) for one in texts]
if left:
    reactor.run()
sys.exit(status)
