"""fetch_all: a generator for each address."""

import json
import os
import socket
import sys
import time
import zlib

import turns

NAMES = {ConnectionRefusedError: "refused", ConnectionResetError: "reset"}


def fetch(text):
    family, where = turns.place(text)
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    length = crc = 0
    try:
        try:
            sock.connect(where)
        except BlockingIOError:
            if family == socket.AF_UNIX:
                raise OSError("its queue is full") from None
            if not (yield sock, turns.WRITE, deadline):
                raise TimeoutError from None
            if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(number, os.strerror(number)) from None
        while (yield sock, turns.READ, deadline):
            if time.monotonic() >= deadline:
                break
            count = sock.recvmsg_into([memory])[0]
            if not count:
                return report(sock, text, "ok", length, crc)
            length, crc = length + count, zlib.crc32(memoryview(memory)[:count], crc)
        result = "timeout"
    except TimeoutError:
        result = "timeout"
    except OSError as error:
        result = NAMES.get(type(error), "error")
    return report(sock, text, result, length, crc)


def report(sock, text, result, length, crc):
    global left, status
    loop.forget(sock)
    row = json.dumps({"result": result, "address": text, "bytes": length, "crc32": crc}, separators=(",", ":"))
    os.write(1, row.encode() + b"\n")
    left, status = left - 1, status or int(result != "ok")
    loop.over = not left


words, limit = sys.argv[1:], 10.0
try:
    if "--deadline" in words:
        at = words.index("--deadline")
        limit = turns.seconds(words[at + 1])
        del words[at : at + 2]
    for word in words or [""]:
        turns.place(word)
except (ValueError, OSError, IndexError) as why:
    turns.end(2, f"fetch_all ADDRESS... [--deadline S]: {why}")
deadline = time.monotonic() + limit
memory = bytearray(32768)
loop, left, status = turns.Turns(), len(words), 0
for word in words:
    loop.start(fetch(word))
loop.run()
sys.exit(status)
