"""The drivers of the link in real time, beside plain forwarding on the same machine, in one run.

Three network namespaces in a row, as in the Docker lab; the middle one forwards in the kernel (plain, with netem
where the kernel has it) or through the router. The relay works on loopback. Every number comes from datagrams:

- delay error: 2,000 datagrams of 200 bytes, one a millisecond, over a link of 20 ms; the kernel's time of arrival
  minus the time before the call that sent it, minus 20 ms (minus 0 for plain forwarding);
- datagrams/s: the highest rate of a second's length, of those tried, of which not one of 200 bytes was lost, in one
  direction, over the same link. Sender and receiver are programs in Python of their own and share the processors.

It takes root and /dev/net/tun, about a minute, and a quiet machine.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from harness.course.address import Address  # noqa: E402
from harness.lab import doctor  # noqa: E402
from harness.lab.relay.loop import RelayLoop  # noqa: E402
from harness.link.profile import Profile  # noqa: E402
from tests.harness.lab.namespaces import Star, missing  # noqa: E402

LINK = Profile(delay=0.02)
DATAGRAMS, APART, SIZE = 2000, 0.001, 200
RATES = (20_000, 30_000, 40_000, 50_000, 60_000, 70_000, 80_000, 100_000, 120_000, 150_000)
#: socket(7) SO_RCVBUFFORCE and SO_TIMESTAMPNS, which Python does not name.
_RCVBUFFORCE, _TIMESTAMPNS = 33, 35


@dataclass(frozen=True)
class Figures:
    """What one driver did."""

    errors: list[float]  #: of the delay, in microseconds, ascending
    rate: float  #: datagrams a second, none lost
    why: str  #: why not more


@dataclass(frozen=True)
class Route:
    """Where datagrams go in and come out."""

    sender: socket.socket
    receiver: socket.socket
    to: tuple[str, int]
    drops: Callable[[], int]  #: what the engine says that it lost


# -- the two programs ----------------------------------------------------------------------------------------------


def send(fd: int, host: str, port: int, rate: int) -> None:
    """For a second, `rate` datagrams a second in portions of a millisecond; says how many, in how long."""
    sock, to, payload = socket.socket(fileno=fd), (host, port), bytes(SIZE)
    sent, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < 1:
        for _ in range(int(passed * rate) - sent):
            sock.sendto(payload, to)
            sent += 1
        time.sleep(0.001)
    print(json.dumps([sent, time.perf_counter() - start]))


def receive(fd: int) -> None:
    """Count datagrams until none comes for half a second."""
    sock, count, buffer = socket.socket(fileno=fd), 0, bytearray(SIZE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 2, 0))
    print("ready", flush=True)
    try:
        while True:
            sock.recv_into(buffer)
            if not count:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 500_000))
            count += 1
    except BlockingIOError:
        print(json.dumps(count))


def program(*words: object, fd: int) -> subprocess.Popen[str]:
    argv = [sys.executable, __file__, *map(str, words)]
    return subprocess.Popen(argv, pass_fds=[fd], stdout=subprocess.PIPE, text=True)


# -- measuring -----------------------------------------------------------------------------------------------------


def delays(path: Route) -> list[float]:
    """Seconds that each datagram took."""
    path.receiver.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 1)
    sent, start = [], time.perf_counter()
    for number in range(DATAGRAMS):
        time.sleep(max(0.0, start + number * APART - time.perf_counter()))
        sent.append(time.time_ns())
        path.sender.sendto(number.to_bytes(4) * (SIZE // 4), path.to)
    found = []
    while len(found) < DATAGRAMS and select.select([path.receiver], [], [], 1)[0]:
        data, ancillary, _, _ = path.receiver.recvmsg(SIZE, 64)
        seconds, nanoseconds = struct.unpack("ll", ancillary[0][2])
        number = int.from_bytes(data[:4])
        found.append((seconds * 1_000_000_000 + nanoseconds - sent[number]) / 1e9)
    path.receiver.setsockopt(socket.SOL_SOCKET, _TIMESTAMPNS, 0)
    if len(found) < DATAGRAMS:
        raise SystemExit(f"{DATAGRAMS - len(found)} of {DATAGRAMS} datagrams at 1,000 a second are missing")
    return sorted(found)


def lossless(path: Route) -> tuple[float, str]:
    """The highest rate without loss, and what happened above it."""
    best = 0.0
    for rate in RATES:
        for _ in range(2):  # a second chance: something else may have run
            before = path.drops()
            receiver = program("receive", path.receiver.fileno(), fd=path.receiver.fileno())
            assert receiver.stdout is not None
            receiver.stdout.readline()
            sender = program("send", path.sender.fileno(), *path.to, rate, fd=path.sender.fileno())
            sent, seconds = json.loads(sender.communicate()[0])
            received = json.loads(receiver.communicate()[0])
            lost = sent - received
            if not lost:
                break
        else:
            by_engine = f", {path.drops() - before:,} by the engine" if path.drops() > before else ""
            return best, f"{lost:,} of {sent:,} lost at {rate:,}/s{by_engine}"
        best = sent / seconds
        if best < 0.95 * rate:
            return best, "the sender is no faster"
    return best, "no more tried"


def measure(path: Route, delay: float) -> Figures:
    path.receiver.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, 64 * 1024 * 1024)
    errors = [(each - delay) * 1e6 for each in delays(path)]
    return Figures(errors, *lossless(path))


def through(star: Star, delay: float, drops: Callable[[], int]) -> Figures:
    """From the tester to the student: the way that no limit of the router's bounds."""
    tester, student = star.bound(4, socket.SOCK_DGRAM)
    with tester, student:
        tester.settimeout(None)
        student.settimeout(None)
        return measure(Route(tester, student, student.getsockname(), drops), delay)


# -- the drivers ---------------------------------------------------------------------------------------------------


def plain() -> Figures:
    star = Star(None)
    try:
        return through(star, 0.0, lambda: 0)
    finally:
        star.close()


def netem() -> Figures | str:
    found = doctor.look("netem")
    if not found.there:
        return f"not measured: {found.what}"
    star = Star(None)
    try:
        words = ["qdisc", "add", "dev", "w2", "root", "netem", "delay", "20ms", "limit", "100000"]
        subprocess.run(["tc", "-n", star.names["L"], *words], check=True)
        return through(star, LINK.delay, lambda: 0)
    finally:
        star.close()


def router() -> Figures | str:
    with tempfile.TemporaryDirectory() as folder:
        try:
            star = Star(Path(folder))
        except AssertionError:
            return "not measured: the router does not start on this kernel (its reason stands above)"
        try:
            star.shape(down=LINK)
            return through(star, LINK.delay, lambda: int(star.ask(op="counters")["engine_drops"]))
        finally:
            star.close()


def relay() -> Figures:
    loop = RelayLoop()
    try:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        ):
            receiver.bind(("127.0.0.1", 0))
            host, port = receiver.getsockname()
            via = loop.add_udp(to=Address("udp", host=host, port=port), towards="tester")
            loop.shape(up=LINK, down=Profile(), seed=1)
            return measure(Route(sender, receiver, via.pair, lambda: loop.counters().engine_drops), LINK.delay)
    finally:
        loop.close()


def main() -> None:
    if why := missing():
        print(f"not measured: {why}")
        return
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before (above 1 the figures are too bad)")
    print("                        delay error at 20 ms, us        without loss")
    print("driver                    p50       p99       max        datagrams/s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the namespaces go, too
    drivers = {"plain forwarding": plain, "kernel's netem": netem, "router": router, "relay (loopback)": relay}
    for name, run in drivers.items():
        figures = run()
        if isinstance(figures, str):
            print(f"{name:20} {figures}")
            continue
        p50, p99 = (figures.errors[len(figures.errors) * percent // 100] for percent in (50, 99))
        print(f"{name:20} {p50:8,.0f}  {p99:8,.0f}  {figures.errors[-1]:8,.0f}  {figures.rate:17,.0f}  ({figures.why})")


if __name__ == "__main__":
    if sys.argv[1:2] == ["send"]:
        send(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    elif sys.argv[1:2] == ["receive"]:
        receive(int(sys.argv[2]))
    else:
        main()
