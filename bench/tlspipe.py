"""The reference's TLS pipe beside its peers, in one run, on loopback: each as client and server together.

    this driver --plain--> client end --TLS--> server end --plain--> this driver

For each pair: bulk throughput of one connection; fresh connections a second (accept, handshake, one byte there and
back), one after another and eight at once; the latency of an exchange of 1 KB on an open connection; memory for each
idle connection, of both ends together (Pss: what is shared counts by halves).

Driver and both ends share the processors. Beside each figure of the clock stand the seconds of CPU that the two ends
took, which other work on the machine spoils less. The pairs take turns in several rounds; the median counts. All use
the same chain (P-256, one intermediate), check the server's name, and speak TLS 1.3. stunnel's client resumes
sessions where it can, which saves it most of a handshake: it stands there twice, with and without.

`tlspipe.py --rounds N`; `--best`; `--only NAME;NAME`; `--gigabytes N`. It takes Linux and five minutes; peers that are
not installed are named.
"""

from __future__ import annotations

import argparse
import functools
import gc
import os
import select
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.pipes.pairs import HOST, NAME, PAIRS, Failed, Pair, missing, running  # noqa: E402
from harness.tls.zoo.zoo import Zoo  # noqa: E402

#: Bytes of one call of the driver: large, so that its share of the CPU is small.
PIECE = 1 << 18
#: Seconds of fresh connections in one round; how many are idle at once; exchanges in one round, and their bytes.
SECONDS, IDLE, EXCHANGES, EXCHANGE = 2.0, 500, 5000, 1024
#: Where each connection is a process at both ends, fewer of them tell the same.
IDLE_PROCESSES = 50


# -- measuring -------------------------------------------------------------------------------------------------------


@dataclass
class Figures:
    """What one pair did, round by round."""

    bulk: list[float] = field(default_factory=list)  #: MB a second
    bulk_cpu: list[float] = field(default_factory=list)  #: seconds a GB
    fresh: list[float] = field(default_factory=list)  #: connections a second, one after another
    fresh_cpu: list[float] = field(default_factory=list)  #: milliseconds a connection
    fresh_8: list[float] = field(default_factory=list)  #: connections a second, eight at once
    fresh_8_cpu: list[float] = field(default_factory=list)  #: milliseconds a connection
    p50: list[float] = field(default_factory=list)  #: of an exchange, microseconds
    p99: list[float] = field(default_factory=list)
    exchange_cpu: list[float] = field(default_factory=list)  #: microseconds an exchange
    memory: list[float] = field(default_factory=list)  #: KB for each idle connection


def bulk(pair: Pair, found: Figures, amount: int) -> None:
    """One connection, one direction. The driver throws away what comes (tcp(7), MSG_TRUNC): it only counts."""
    front, back = pair.connect()
    piece, sink = bytes(range(256)) * (PIECE // 256), bytearray(PIECE)
    front.sendall(piece)
    if recv_exactly(back, PIECE) != piece:
        raise Failed(f"{pair.name}: other bytes came")
    poll = select.epoll()
    for sock, events in ((front, select.EPOLLOUT), (back, select.EPOLLIN)):
        sock.setblocking(False)
        poll.register(sock, events)
    sent = came = 0
    cpu, began = pair.cpu(), time.monotonic()
    while came < amount:
        ready = poll.poll(20)
        if not ready:
            raise Failed(f"{pair.name}: nothing comes any more")
        for descriptor, _ in ready:
            if descriptor == back.fileno():
                count = back.recv_into(sink, PIECE, socket.MSG_TRUNC)
                if not count:
                    raise Failed(f"{pair.name}: the connection ended")
                came += count
            else:
                sent += front.send(piece)
                if sent >= amount:
                    poll.unregister(front)
    took = time.monotonic() - began
    found.bulk.append(came / took / 1e6)
    found.bulk_cpu.append((pair.cpu() - cpu) / (came / 1e9))
    front.close()
    back.close()


def recv_exactly(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise Failed("the connection ended")
        data += piece
    return bytes(data)


def fresh(pair: Pair, found: Figures) -> None:
    """One connection after another."""
    rate, cost = fresh_rate(pair, 1)
    found.fresh.append(rate)
    found.fresh_cpu.append(cost)


def fresh_8(pair: Pair, found: Figures) -> None:
    """Eight at once."""
    rate, cost = fresh_rate(pair, 8)
    found.fresh_8.append(rate)
    found.fresh_8_cpu.append(cost)


def fresh_rate(pair: Pair, at_once: int) -> tuple[float, float]:
    """Connections a second, and milliseconds of CPU of each: a byte goes there and back, then it is closed."""
    poll = select.epoll()
    poll.register(pair.backend, select.EPOLLIN)
    fronts: dict[int, socket.socket] = {}
    backs: dict[int, socket.socket] = {}

    def begin() -> None:
        front = socket.create_connection((HOST, pair.port), timeout=20)
        front.sendall(b"?")
        fronts[front.fileno()] = front
        poll.register(front, select.EPOLLIN)

    def serve(descriptor: int) -> None:
        if backs[descriptor].recv(16):
            backs[descriptor].sendall(b"!")
        else:
            backs.pop(descriptor).close()

    for _ in range(at_once):
        begin()
    done, cpu, began = 0, pair.cpu(), time.monotonic()
    while (now := time.monotonic()) < began + SECONDS:
        ready = poll.poll(20)
        if not ready:
            raise Failed(f"{pair.name}: a fresh connection does not come through")
        for descriptor, _ in ready:
            if descriptor == pair.backend.fileno():
                back, _ = pair.backend.accept()
                backs[back.fileno()] = back
                poll.register(back, select.EPOLLIN)
            elif descriptor in backs:
                serve(descriptor)
            else:
                front = fronts.pop(descriptor)
                if front.recv(16) != b"!":
                    raise Failed(f"{pair.name}: other bytes came")
                front.close()
                done += 1
                begin()
    took = now - began
    cpu = pair.cpu() - cpu
    for sock in (*fronts.values(), *backs.values()):
        sock.close()
    return done / took, cpu / max(done, 1) * 1e3


def exchanges(pair: Pair, found: Figures) -> None:
    """1 KB there, 1 KB back, on one open connection."""
    front, back = pair.connect()
    message, latencies = os.urandom(EXCHANGE), []
    cpu = pair.cpu()
    for _ in range(EXCHANGES):
        began = time.monotonic()
        front.sendall(message)
        back.sendall(recv_exactly(back, EXCHANGE))
        recv_exactly(front, EXCHANGE)
        latencies.append(time.monotonic() - began)
    found.exchange_cpu.append((pair.cpu() - cpu) / EXCHANGES * 1e6)
    latencies.sort()
    found.p50.append(latencies[EXCHANGES // 2] * 1e6)
    found.p99.append(latencies[EXCHANGES * 99 // 100] * 1e6)
    front.close()
    back.close()


def idle(pair: Pair, found: Figures) -> None:
    """What connections cost that do nothing any more."""
    count = IDLE_PROCESSES if pair.name == "socat" else IDLE
    warm = pair.connect()
    before = pair.memory()
    open_ones = [pair.connect() for _ in range(count)]
    found.memory.append((pair.memory() - before) / count / 1024)
    for sock in (sock for both in (warm, *open_ones) for sock in both):
        sock.close()


def measure(names: Sequence[str], rounds: int, amount: int) -> dict[str, Figures]:
    """Everything, in turns."""
    found = {name: Figures() for name in names}
    with tempfile.TemporaryDirectory() as text:
        folder, zoo = Path(text), Zoo()
        identity = zoo.server(NAME)
        files = {"server.pem": identity.certificates, "server.key": identity.key, "ca.pem": zoo.ca}
        for file, content in files.items():
            (folder / file).touch(0o600)
            (folder / file).write_bytes(content)
        for number in range(rounds):
            for name in [*names[number % len(names) :], *names[: number % len(names)]]:
                for act in (functools.partial(bulk, amount=amount), fresh, fresh_8, exchanges, idle):
                    with running(name, folder) as pair:
                        act(pair, found[name])
    return found


# -- telling ---------------------------------------------------------------------------------------------------------

COLUMNS = {
    "bulk": "MB/s",
    "bulk_cpu": "CPU s/GB",
    "fresh": "fresh/s",
    "fresh_cpu": "CPU ms",
    "fresh_8": "by 8: /s",
    "fresh_8_cpu": "CPU ms",
    "p50": "1 KB p50 us",
    "p99": "p99 us",
    "exchange_cpu": "CPU us",
    "memory": "idle KB",
}
MORE_IS_BETTER = ("bulk", "fresh", "fresh_8")


def tell(found: dict[str, Figures], best: bool) -> None:
    """The table of medians, or of the best, and the ratios of the first pair to each of the others."""

    def chosen(figures: Figures, key: str) -> float:
        values = getattr(figures, key)
        if not best:
            return statistics.median(values)
        return max(values) if key in MORE_IS_BETTER else min(values)

    table = {name: {key: chosen(figures, key) for key in COLUMNS} for name, figures in found.items()}
    print(f"{'':24}" + "".join(f"{head:>12}" for head in COLUMNS.values()))
    for name, row in table.items():
        cells = (f"{row[key]:12,.{2 if row[key] < 10 else 0}f}" for key in COLUMNS)
        print(f"{name:24}" + "".join(cells))
    first, *others = table
    print()
    for name in others:
        cells = (f"{table[first][key] / max(table[name][key], 1e-9):12.2f}" for key in COLUMNS)
        print(f"{f'/ {name}':24}" + "".join(cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--only", type=lambda text: text.split(";"), help="names, with ; between them")
    parser.add_argument("--best", action="store_true", help="of the rounds, where a machine is never quiet for long")
    options = parser.parse_args()
    if not sys.platform.startswith("linux"):
        print("not measured: CPU and memory are read from /proc")
        return
    names = [name for name in PAIRS if options.only is None or name in options.only]
    for name in list(names):
        if remedy := missing(name):
            print(f"not measured: {name} ({remedy})")
            names.remove(name)
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before; Python {sys.version.split()[0]}\n")
    gc.disable()
    tell(measure(names, options.rounds, int(options.gigabytes * 1e9)), options.best)


if __name__ == "__main__":
    main()
