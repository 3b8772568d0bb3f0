import os
import re
import socket
import sys
import threading

from net import MAX, Broken, Usage, complain, dial, pack, read_frame, run

HELP = "usage: mailbox_client ADDRESS put NAME FILE | get NAME | list | whoami | batch"


def request_for(command, *rest):
    if (command, len(rest)) not in {("put", 2), ("get", 1), ("list", 0), ("whoami", 0)}:
        raise Usage(HELP)
    if rest and not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", rest[0]):
        raise Usage("bad name")
    body = " ".join((command, *rest[:1])).encode() + b"\n"
    if command == "put":
        try:
            with open(rest[1], "rb") as file:
                body += file.read()
        except OSError as error:
            raise Usage(error) from None
    if len(body) > MAX:
        raise Usage("too large")
    return body


def batch(sock):
    def pump():
        try:
            while data := os.read(0, MAX):
                sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    threading.Thread(target=pump, daemon=True).start()
    stream = sock.makefile("rb")
    while (body := read_frame(stream)) is not None:
        sys.stdout.buffer.write(pack(body))
        sys.stdout.buffer.flush()


def main(words):
    if len(words) < 2:
        raise Usage(HELP)
    if words[1:] == ["batch"]:
        return batch(dial(words[0]))
    body = request_for(*words[1:])
    sock = dial(words[0])
    sock.sendall(pack(body))
    reply = read_frame(sock.makefile("rb"))
    if reply is not None and reply[:3] == b"ok\n":
        sys.stdout.buffer.write(reply[3:])
        return 0
    if reply is not None and re.fullmatch(rb"error [ -~]+\n", reply):
        return complain(1, reply[6:-1].decode("ascii"))
    raise Broken("that is no reply")


run(main)
