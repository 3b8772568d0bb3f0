import os
import socket
import time

from net import Usage, complain, dial, parse, run


def write_all(data):
    while data:
        data = data[os.write(1, data) :]


def options(words):
    timeout, tries = 1.0, 3
    while words:
        if len(words) < 2 or words[0] not in ("--timeout", "--tries"):
            raise Usage("usage: daytime_client ADDRESS [--timeout S] [--tries N]")
        try:
            if words[0] == "--timeout":
                timeout = float(words[1])
            else:
                tries = int(words[1])
        except ValueError:
            raise Usage(f"{words[1]} is no number") from None
        words = words[2:]
    if not timeout > 0 or tries < 1:
        raise Usage("numbers have to be positive")
    return timeout, tries


def ask(address, timeout, tries):
    _, family, target = parse(address)
    sock = socket.socket(family, socket.SOCK_DGRAM)
    for _ in range(tries):
        sock.sendto(b"", target)
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            sock.settimeout(max(0.001, end - time.monotonic()))
            try:
                answer, who = sock.recvfrom(1 << 16)
            except OSError:
                continue
            if who[:2] == target:
                return answer
    return None


def main(words):
    if not words:
        raise Usage("usage: daytime_client ADDRESS [--timeout S] [--tries N]")
    address = words[0]
    kind, _, _ = parse(address)
    timeout, tries = options(words[1:])
    if kind == "udp":
        answer = ask(address, timeout, tries)
        if answer is None:
            return complain(5, "no answer")
        write_all(answer)
        return 0
    sock = dial(address)
    while True:
        data = sock.recv(1 << 20)
        if data == b"":
            return 0
        write_all(data)


run(main)
