"""The link of the local lab: a relay on loopback between the submission's programs and the tester's sockets."""

from __future__ import annotations

import socket
import sys
from typing import Literal

from harness.course.address import Address
from harness.lab.interface import Family, LinkCounters, Mangle
from harness.lab.own_address import bind
from harness.lab.relay.loop import RelayLoop
from harness.link.profile import Profile
from harness.link.trace import Packet


class LocalNetwork:
    """Loopback with a relay in the middle. On Linux the student's node is reached at 127.0.0.2."""

    engine = "relay"

    def __init__(self) -> None:
        self._loop = RelayLoop()
        self._student = {4: "127.0.0.2" if sys.platform == "linux" else "127.0.0.1", 6: "::1"}
        self._second = {4: "127.0.0.3" if sys.platform == "linux" else "127.0.0.1", 6: "::1"}

    def tester_host(self, family: Family) -> str:
        return "::1" if family == 6 else "127.0.0.1"

    def student_host(self, family: Family) -> str:
        return self._student[family]

    def to_student(
        self, port: int, *, protocol: Literal["tcp", "udp"], family: Family, mangle: Mangle | None
    ) -> Address:
        target = Address(protocol, host=self._student[family], port=port)
        if protocol == "udp":
            return self._loop.add_udp(to=target, towards="student")
        return self._loop.add_tcp(to=target, towards="student", mangle=mangle)

    def straight_to_student(self, port: int, family: Family) -> Address:
        """Not through the relay, which would need two more descriptors for each."""
        return Address("tcp", host=self._student[family], port=port)

    def to_second(self, port: int, family: Family) -> Address:
        target = Address("udp", host=self._second[family], port=port)
        return self._loop.add_udp(to=target, towards="tester")

    def to_tester(self, bound: Address, *, mangle: Mangle | None) -> Address:
        if bound.kind == "udp":
            return self._loop.add_udp(to=bound, towards="tester")
        return self._loop.add_tcp(to=bound, towards="tester", mangle=mangle)

    def seen_by_student(self, local: Address, remote: Address) -> Address:
        return self._loop.seen_by_target(local, remote)

    def closed_address(self, family: Family, protocol: Literal["tcp", "udp"]) -> Address:
        host = self.tester_host(family)
        kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, kind) as probe:
            bind(probe, host)
            return Address(protocol, host=host, port=probe.getsockname()[1])

    def shape(self, *, up: Profile, down: Profile, seed: int) -> None:
        self._loop.shape(up=up, down=down, seed=seed)

    def counters(self) -> LinkCounters:
        return self._loop.counters()

    def packets(self, start: float, end: float) -> list[Packet] | None:  # noqa: ARG002 - of the test that runs
        """What the relay carried since the last test."""
        return self._loop.packets()

    def began(self) -> float | None:
        """time.perf_counter() when the first of these packets entered the link."""
        return self._loop.began()

    def missed(self, start: float) -> int:  # noqa: ARG002 - the relay itself counts
        return 0

    def flooded(self) -> bool:
        return False

    def capture(self, start: float, end: float) -> bytes | None:  # noqa: ARG002 - loopback is not captured
        return None

    def close_paths(self) -> None:
        self._loop.clear()

    def close(self) -> None:
        """End the relay."""
        self._loop.close()
