"""How fast the transport reference is in itself: real UDP sockets on loopback, nothing lost on purpose, beside aioquic.

Two processes, a sender and a receiver, and the same loop around the protocol for both: select, recvfrom, sendto. They
take turns, three rounds each, and the best counts, since both processors are needed. MB/s is from the first datagram
that the receiver gets to the last byte that it hands on; computing is processor time of both processes together, which
a busy machine changes less. aioquic encrypts and proves who it is, we do not.

It takes about half a minute.
"""

from __future__ import annotations

import json
import resource
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.peers import flows  # noqa: E402
from harness.link.simulator import Endpoint  # noqa: E402

SIZE, ROUNDS = 30_000_000, 3
#: socket(7) SO_RCVBUFFORCE, which Python does not name; and what is asked for: 4 MiB each way.
_RCVBUFFORCE, _BUFFER = 33, 4 << 20
#: Datagrams that are taken before the protocol is asked again.
_TURN = 64
#: Seconds that one transfer may take.
_PATIENCE = 60.0


class End(Endpoint, Protocol):
    """An endpoint that counts."""

    received: int

    @property
    def ended(self) -> bool:
        """Whether all has come."""


def drive(endpoint: Endpoint, sock: socket.socket, receiver: End) -> float:
    """Until the receiver has all; the seconds since the first datagram came."""
    started = 0.0
    while not receiver.ended:
        for data in endpoint.datagrams_to_send(now=time.monotonic()):
            try:
                sock.send(data)
            except (BlockingIOError, ConnectionRefusedError):
                pass  # lost
        timer = endpoint.next_timer()
        timeout = 1.0 if timer is None else max(0.0, timer - time.monotonic())
        if select.select([sock], [], [], timeout)[0]:
            for _ in range(_TURN):
                try:
                    data, peer = sock.recvfrom(2048)
                except (BlockingIOError, ConnectionRefusedError):
                    break
                if not started:
                    started = time.monotonic()
                    sock.connect(peer)
                endpoint.receive_datagram(data, now=time.monotonic())
        if timer is not None and timer <= (now := time.monotonic()):
            endpoint.handle_timer(now=now)
    return time.monotonic() - started


def pair(name: str) -> tuple[Endpoint, End]:
    """(sender, receiver), of which a process uses one."""
    if name == "aioquic":
        from bench.peers.quic import quic_pair

        client, server = quic_pair(now=time.monotonic())
        client.send(bytes(SIZE))
        return client, server
    return flows.pair("model" if name == "reference, model" else None, SIZE)


def open_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    try:
        sock.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, _BUFFER)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    return sock


def computing() -> float:
    """Seconds of processor time so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def take(name: str) -> None:
    """The receiver's process: print the port, then what was seen."""
    with open_socket() as sock:
        sock.bind(("127.0.0.1", 0))
        receiver = pair(name)[1]
        print(sock.getsockname()[1], flush=True)
        before = computing()
        seconds = drive(receiver, sock, receiver)
        print(json.dumps([seconds, computing() - before]), flush=True)


class Told:
    """Has all when a line comes on standard input."""

    received = 0

    @property
    def ended(self) -> bool:
        """Whether it came."""
        return bool(select.select([sys.stdin], [], [], 0)[0])


def give(name: str, port: str) -> None:
    """The sender's process: until a line comes on standard input; then print the processor time."""
    with open_socket() as sock:
        sock.connect(("127.0.0.1", int(port)))
        sender = pair(name)[0]
        before = computing()

        drive(sender, sock, Told())
        print(json.dumps(computing() - before), flush=True)


def program(*words: str) -> subprocess.Popen[str]:
    argv = [sys.executable, __file__, *words]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def transfer(name: str) -> tuple[float, float]:
    """(MB/s, MB per second of computing)."""
    receiver = program("take", name)
    assert receiver.stdout is not None
    sender = program("give", name, receiver.stdout.readline().strip())
    try:
        seconds, used = json.loads(receiver.communicate(timeout=_PATIENCE)[0])
        used += json.loads(sender.communicate("done\n", timeout=_PATIENCE)[0])
    finally:
        for each in (receiver, sender):
            each.kill()
    return SIZE / 1e6 / seconds, SIZE / 1e6 / used


def main() -> None:
    names = ["reference, NewReno", "reference, model", "aioquic"]
    try:
        import aioquic  # noqa: F401
    except ImportError:
        names.remove("aioquic")
        print("aioquic is not measured: it takes .venv/bin/pip install -e '.[bench]'")
    best = dict.fromkeys(names, (0.0, 0.0))
    for _ in range(ROUNDS):
        for name in names:
            best[name] = tuple(map(max, best[name], transfer(name)))
    print(f"{'':24}{'MB/s':>8}{'MB per second of computing':>30}{'beside aioquic':>24}")
    for name, (rate, worth) in best.items():
        ratio = (
            f"{rate / best['aioquic'][0]:.1f} and {worth / best['aioquic'][1]:.1f} times" if "aioquic" in best else ""
        )
        print(f"{name:24}{rate:8.1f}{worth:30.1f}{ratio:>24}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["take"]:
        take(sys.argv[2])
    elif sys.argv[1:2] == ["give"]:
        give(*sys.argv[2:])
    else:
        main()
