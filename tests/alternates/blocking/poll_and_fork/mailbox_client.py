"""mailbox_client with one select() loop: everything is a batch."""

import os
import select
import string
import sys

from wire import connect, quit_with

LIMIT = 1 << 16
WORDS = {"put": 4, "get": 3, "list": 2, "whoami": 2, "batch": 2}


def frame(body):
    return len(body).to_bytes(4, "big") + body


def request(command, name="", path=""):
    if command in ("put", "get"):
        if not 0 < len(name) < 65 or set(name) - set(string.ascii_letters + string.digits + "._-"):
            quit_with(2, "bad name")
        command += " " + name
    body = command.encode() + b"\n"
    if path:
        try:
            body += open(path, "rb").read()
        except OSError as error:
            quit_with(2, error)
    if len(body) > LIMIT:
        quit_with(2, "too large")
    return frame(body)


def exchange(sock, to_send, from_stdin):
    """Send and receive at the same time; yields the bodies of the replies."""
    sock.setblocking(False)
    got = bytearray()
    while True:
        reading = [sock] + ([0] if from_stdin and len(to_send) < LIMIT else [])
        ready, writable, _ = select.select(reading, [sock] if to_send else [], [])
        if 0 in ready:
            data = os.read(0, LIMIT)
            to_send += data
            from_stdin = bool(data)
        if writable:
            del to_send[: sock.send(to_send)]
        if not from_stdin and not to_send and from_stdin is not None:
            from_stdin = None
            if sys.argv[2] == "batch":
                sock.shutdown(1)
        if sock not in ready:
            continue
        data = sock.recv(LIMIT)
        got += data
        while len(got) >= 4:
            size = int.from_bytes(got[:4], "big")
            if size > LIMIT:
                quit_with(4, "too long")
            if len(got) < 4 + size:
                break
            yield bytes(got[4 : 4 + size])
            del got[: 4 + size]
        if not data:
            if got:
                quit_with(4, "cut off")
            return


def main(words):
    if len(words) < 2 or WORDS.get(words[1]) != len(words):
        quit_with(2, "usage: mailbox_client ADDRESS put NAME FILE | get NAME | list | whoami | batch")
    if words[1] == "batch":
        for body in exchange(connect(words[0]), bytearray(), True):
            sys.stdout.buffer.write(frame(body))
            sys.stdout.buffer.flush()
        return
    to_send = bytearray(request(*words[1:]))
    for body in exchange(connect(words[0]), to_send, False):
        if body.startswith(b"ok\n"):
            sys.stdout.buffer.write(body[3:])
            sys.stdout.buffer.flush()
            return
        if body.startswith(b"error ") and body.endswith(b"\n") and not set(body[6:-1]) - set(range(32, 127)):
            quit_with(1, body[6:-1].decode("ascii"))
        break
    quit_with(4, "no reply")


try:
    main(sys.argv[1:])
except OSError as error:
    quit_with(4, error)
