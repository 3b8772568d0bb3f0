"""Two network namespaces, a wire between them, netem on the sending end: what a live kernel does to numbered datagrams.

Nothing else is on the wire: the neighbour is permanent, IPv6 is off, the receiving end has no address. When a datagram
entered the queueing discipline and when it arrived are the kernel's own stamps, on one clock.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyroute2 import IPRoute

from harness.lab.netem.kernel import NetemCounters, NetemQdisc
from harness.lab.node.warden import CLONE_NEWNET, inside_network, switch_offloads_off
from harness.link.profile import Profile

PAYLOAD = 68  #: bytes of a datagram: its number as 4 bytes, 17 times
FRAMING, HEADERS = 14, 28  #: bytes before it: Ethernet; IPv4 and UDP
HERE, THERE = "02:00:00:00:00:01", "02:00:00:00:00:02"

_RECEIVE_ALL = 0x0300  # htons(ETH_P_ALL)
_SO_TIMESTAMPNS, _SO_TIMESTAMPING, _SO_RCVBUFFORCE, _SO_SNDBUFFORCE = 35, 37, 33, 32
#: linux/net_tstamp.h: software stamps, numbered, without the packet, taken before the queueing discipline.
_STAMPS = 1 << 4 | 1 << 7 | 1 << 8 | 1 << 11
_IP_MTU_DISCOVER, _IP_PMTUDISC_DO = 10, 2
_ROOM = 1 << 28  #: bytes of a socket's buffers: nothing may be lost but by netem


@dataclass(frozen=True)
class Arrival:
    """A frame that came out of the link."""

    number: int  #: which datagram it is, found by majority if it is damaged
    at: int  #: nanoseconds
    flipped: int | None  #: which bit of the frame is not as it was sent, counted from its start; None if none


@dataclass(frozen=True)
class Recording:
    """What a live netem did."""

    sent: list[int]  #: when each datagram entered the qdisc, nanoseconds
    arrivals: list[Arrival]  #: in order
    counters: NetemCounters
    longest_burst: int  #: nanoseconds from the first to the last datagram of a burst


class Wire:
    """A wire to record on; `record` may be called again and again."""

    def __init__(self, namespace: int, sender: socket.socket, tap: socket.socket, qdisc: NetemQdisc) -> None:
        self._namespace = namespace
        self._sender = sender
        self._tap = tap
        self._qdisc = qdisc
        self._frames: list[bytes] = []  # each as it is when nothing impairs it, by number

    def learn(self, count: int) -> None:
        """See the first `count` datagrams unharmed, so that later a flipped bit is found."""
        with inside_network(self._namespace):
            self._qdisc.put(Profile(), seed=0)
            self._send(range(count))
            self._frames = [self._tap.recv(2048) for _ in range(count)]
            assert [self._word(frame) for frame in self._frames] == list(range(count))

    def record(self, profile: Profile, seed: int, bursts: Sequence[int]) -> Recording:
        """Send bursts of numbered datagrams; the next when all of the one before are through."""
        with inside_network(self._namespace):
            self._qdisc.put(profile, seed=seed)
            sent: list[int] = []
            longest = 0
            for size in bursts:
                stamps = self._send(range(len(sent), len(sent) + size))
                longest = max(longest, stamps[-1] - stamps[0])
                sent += stamps
            return Recording(sent, list(self._arrivals()), self._qdisc.counters(), longest)

    def _send(self, numbers: range) -> list[int]:
        """Send, wait until netem is empty, answer when each entered it."""
        payloads = [struct.pack("!I", number) * 17 for number in numbers]
        for payload in payloads:
            self._sender.sendto(payload, ("10.9.0.2", 4000))
        stamps = self._stamps(len(payloads))
        deadline = time.monotonic() + 30
        while self._qdisc.counters().queued:
            assert time.monotonic() < deadline, "netem still holds packets after 30 s"
            time.sleep(0.01)
        return stamps

    def _stamps(self, count: int) -> list[int]:
        """When the last `count` datagrams entered the qdisc, from the sender's error queue (SO_TIMESTAMPING)."""
        found: list[int] = []
        for _ in range(count):
            _, controls, _, _ = self._sender.recvmsg(0, 512, socket.MSG_ERRQUEUE)
            for level, kind, data in controls:
                if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPING):
                    seconds, nanoseconds = struct.unpack_from("=qq", data)
                    found.append(seconds * 1_000_000_000 + nanoseconds)
        return found

    def _arrivals(self) -> Iterator[Arrival]:
        while True:
            try:
                frame, controls, _, _ = self._tap.recvmsg(2048, 64, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            ((_, _, data),) = controls
            seconds, nanoseconds = struct.unpack("=qq", data)
            number, flipped = self._read(frame)
            yield Arrival(number, seconds * 1_000_000_000 + nanoseconds, flipped)

    @staticmethod
    def _word(frame: bytes) -> int:
        return Counter(struct.unpack_from("!17I", frame, FRAMING + HEADERS)).most_common(1)[0][0]

    def _read(self, frame: bytes) -> tuple[int, int | None]:
        """The number of a datagram, and the bit that is flipped."""
        number = self._word(frame)
        sent = self._frames[number]
        if frame == sent:
            return number, None
        different = int.from_bytes(frame, "little") ^ int.from_bytes(sent, "little")
        assert different.bit_count() == 1 and len(frame) == len(sent), f"datagram {number} has other bits flipped"
        return number, different.bit_length() - 1


@contextlib.contextmanager
def new_namespace() -> Iterator[int]:
    """A network namespace without IPv6; a descriptor of it, with which it goes away."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        assert libc.unshare(CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        for name in ("all", "default"):
            setting = Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
            if setting.exists():
                setting.write_text("1")
        namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        assert libc.setns(home, CLONE_NEWNET) == 0
        os.close(home)
    try:
        yield namespace
    finally:
        os.close(namespace)


@contextlib.contextmanager
def new_wire() -> Iterator[Wire]:
    """A wire between two new namespaces."""
    with contextlib.ExitStack() as stack:
        here, there = (stack.enter_context(new_namespace()) for _ in range(2))
        with inside_network(here), IPRoute() as route:
            peer = {"ifname": "there", "address": THERE}
            route.link("add", ifname="here", kind="veth", address=HERE, peer=peer)
            (index,) = route.link_lookup(ifname="here")
            (far,) = route.link_lookup(ifname="there")
            route.link("set", index=far, net_ns_fd=there)
            switch_offloads_off("here")
            route.addr("add", index=index, address="10.9.0.1", prefixlen=24)
            route.link("set", index=index, state="up")
            route.neigh("add", dst="10.9.0.2", lladdr=THERE, ifindex=index, state="permanent")
            sender = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sender.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _ROOM)
            sender.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
            sender.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, _STAMPS)
            # Unconnected and not to be fragmented: then the IPv4 identification is 0 in every datagram.
            sender.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DO)
            qdisc = stack.enter_context(NetemQdisc("here"))
        with inside_network(there), IPRoute() as route:
            switch_offloads_off("there")
            route.link("set", index=far, state="up")
            tap = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, _RECEIVE_ALL))
            tap.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
            tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            tap.bind(("there", 3))
        yield Wire(here, sender, tap, qdisc)
