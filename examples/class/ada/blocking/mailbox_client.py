import os
import re
import socket
import struct
import sys
import threading

import net

LIMIT = 65536
USAGE = "usage: mailbox_client ADDRESS put NAME FILE | get NAME | list | whoami | batch"


def exactly(stream, n):
    """n bytes, fewer only at the end of the stream"""
    return stream.read(n)


def read_frame(stream):
    """the body, or None at a clean end"""
    head = exactly(stream, 4)
    if not head:
        return None
    if len(head) < 4:
        net.die(net.PROTOCOL, "the server ended inside a length")
    (n,) = struct.unpack(">I", head)
    if n > LIMIT:
        net.die(net.PROTOCOL, f"the server announces {n} bytes")
    body = exactly(stream, n)
    if len(body) < n:
        net.die(net.PROTOCOL, "the server ended inside a frame")
    return body


def out(data):
    while data:
        data = data[os.write(1, data):]


def request_of(words):
    if len(words) >= 2 and words[0] in ("put", "get") and not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", words[1]):
        net.die(net.USAGE, "bad name")
    if words[0] == "put" and len(words) == 3:
        try:
            with open(words[2], "rb") as f:
                data = f.read(LIMIT + 1)
        except OSError as e:
            net.die(net.USAGE, f"cannot read the file: {e}")
        body = b"put " + words[1].encode() + b"\n" + data
        if len(body) > LIMIT:
            net.die(net.USAGE, "the file does not fit into a frame")
        return body
    if words[0] == "get" and len(words) == 2:
        return b"get " + words[1].encode() + b"\n"
    if words in (["list"], ["whoami"]):
        return words[0].encode() + b"\n"
    net.die(net.USAGE, USAGE)


def one(s, body):
    try:
        s.sendall(struct.pack(">I", len(body)) + body)
    except OSError:
        pass  # the answer may be there all the same
    reply = read_frame(s.makefile("rb"))
    if reply is None:
        net.die(net.PROTOCOL, "the server ended without an answer")
    head, newline, data = reply.partition(b"\n")
    if head == b"ok" and newline:
        out(data)
    elif head.startswith(b"error ") and newline and not data and all(32 <= byte < 127 for byte in head):
        net.die(net.REFUSED_BY_SERVER, head.decode("ascii"))
    else:
        net.die(net.PROTOCOL, "not an answer")


def batch(s):
    def pump():
        try:
            while piece := os.read(0, 65536):
                s.sendall(piece)
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    threading.Thread(target=pump, daemon=True).start()
    stream = s.makefile("rb")
    while (body := read_frame(stream)) is not None:
        out(struct.pack(">I", len(body)) + body)


def main(argv):
    if len(argv) < 2:
        net.die(net.USAGE, USAGE)
    family, kind, where = net.address_argument(argv[0])
    if kind != socket.SOCK_STREAM:
        net.die(net.USAGE, "a mailbox is a stream")
    body = None if argv[1:] == ["batch"] else request_of(argv[1:])
    s = socket.socket(family, kind)
    try:
        s.connect(where)
    except OSError as e:
        net.die(net.NO_CONNECTION, f"cannot connect: {e}")
    try:
        batch(s) if body is None else one(s, body)
    except OSError as e:
        net.die(net.PROTOCOL, f"the connection broke: {e}")


if __name__ == "__main__":
    main(sys.argv[1:])
