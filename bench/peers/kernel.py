"""The kernel's TCP over the router: two network namespaces and the router between them, as in the Docker lab.

It takes Linux, root, /dev/net/tun and iproute2. The connection's congestion control is pinned by TCP_CONGESTION
(tcp(7)), and its segments are cut to the size of ours, since the window of Reno grows by segments.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.link.profile import Profile
from tests.harness.lab.namespaces import Star

#: Payload bytes of a segment: TCP_MAXSEG counts the 12 bytes of the timestamp option, too.
PAYLOAD, _TIMESTAMPS = 1200, 12
#: Ethernet, IPv4, TCP with timestamps: what the router counts on the wire besides the payload.
FRAMING = 14 + 20 + 32
_PORT = 5000
_APART = 0.01  #: seconds between two looks at the round trip time
_CHUNK = bytes(65_536)


@dataclass
class Run:
    """One connection under way."""

    controller: str
    star: Star
    sender: socket.socket
    receiver: socket.socket
    sent: int = 0
    received: int = 0
    seconds: float = 0.0  #: from the call of connect to the last byte read
    rtts: list[float] = field(default_factory=list)  #: smoothed round trip time, seconds, every _APART


def available(controller: str) -> bool:
    """Whether the kernel has this congestion control, its module loaded if need be."""
    with contextlib.suppress(OSError):
        subprocess.run(["modprobe", f"tcp_{controller}"], capture_output=True, check=False)
    with socket.socket() as sock:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, controller.encode())
        except OSError:
            return False
    return True


def transfer(
    controllers: Sequence[str],
    *,
    up: Sequence[tuple[float, Profile]],
    down: Profile,
    size: int,
    within: float,
    seed: int = 1,
) -> list[Run]:
    """Each controller sends `size` bytes up over a link of its own, all at the same time; what came by `within`.

    `up`: what the links are from when on, in seconds since the call of connect; the first from 0.
    """
    with contextlib.ExitStack() as stack:
        runs = [stack.enter_context(_connection(each, up[0][1], down, seed)) for each in controllers]
        start = time.monotonic()
        for run in runs:
            run.sender.connect_ex(run.receiver.getsockname())
        ends = [at for at, _ in up[1:]] + [within]
        for (since, profile), end in zip(up, ends, strict=True):
            for run in runs if since else []:
                run.star.shape(up=profile, down=down, seed=seed)
            _carry(runs, start, size, end)
        return runs


@contextlib.contextmanager
def _connection(controller: str, up: Profile, down: Profile, seed: int) -> Iterator[Run]:
    """A link and the two sockets, not yet connected."""
    with tempfile.TemporaryDirectory() as folder:
        star = Star(Path(folder))
        try:
            star.shape(up=up, down=down, seed=seed)
            sender = star.socket("S", 4, socket.SOCK_STREAM)
            receiver = star.socket("T", 4, socket.SOCK_STREAM)
            with sender, receiver:
                sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, controller.encode())
                sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, PAYLOAD + _TIMESTAMPS)
                receiver.bind(("10.77.1.2", _PORT))
                receiver.listen()
                sender.setblocking(False)
                receiver.setblocking(False)
                run = Run(controller, star, sender, receiver)
                yield run
                run.receiver.close()
        finally:
            star.close()


def _carry(runs: Sequence[Run], start: float, size: int, within: float) -> None:
    """Send and receive on all of them until each has its bytes or the time is over."""
    by_socket = {run.sender: run for run in runs} | {run.receiver: run for run in runs}
    looked = start
    while (now := time.monotonic()) - start < within and any(run.received < size for run in runs):
        reading = [run.receiver for run in runs if run.received < size]
        writing = [run.sender for run in runs if run.sent < size]
        readable, writable, _ = select.select(reading, writing, [], _APART)
        for sock in writable:
            with contextlib.suppress(BlockingIOError):
                run = by_socket[sock]
                run.sent += sock.send(_CHUNK[: size - run.sent])
        for sock in readable:
            run = by_socket[sock]
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                run.receiver, _ = sock.accept()
                run.receiver.setblocking(False)
                sock.close()
                by_socket[run.receiver] = run
                continue
            run.received += len(sock.recv(1 << 20))
            run.seconds = time.monotonic() - start
        if now - looked >= _APART:
            looked = now
            for run in runs:
                if run.received and run.received < size:
                    run.rtts.append(_rtt(run.sender))
    for run in runs:
        if run.received < size:
            run.seconds = time.monotonic() - start


def _rtt(sock: socket.socket) -> float:
    """The kernel's smoothed round trip time, in seconds (struct tcp_info, linux/tcp.h)."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    (microseconds,) = struct.unpack_from("=I", info, 68)
    return float(microseconds / 1e6)
