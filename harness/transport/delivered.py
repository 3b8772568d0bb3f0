"""What a receiver can know about a stream: the bytes that the link delivered to it, put in order. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.link.trace import Packet
from harness.transport.segments import MODULUS, WireFormat, near, parse


@dataclass
class Delivered:
    """A stream as far as it was delivered without a gap."""

    stream: bytearray = field(default_factory=bytearray)
    growth: list[tuple[float, int]] = field(default_factory=list)  #: (when, bytes by then), seconds

    def by(self, times: Iterable[float]) -> list[int]:
        """How many bytes had arrived by each of these ascending times."""
        found, at = [], 0
        for time in times:
            while at < len(self.growth) and self.growth[at][0] <= time:
                at += 1
            found.append(self.growth[at - 1][1] if at else 0)
        return found


def delivered(packets: Iterable[Packet], wire: WireFormat, *, until: float = math.inf) -> Delivered:
    """What was delivered until `until` (seconds). `packets`: of one direction."""
    isn: int | None = None
    found = Delivered()
    stream = found.stream
    early: dict[int, bytes] = {}
    arrived = [(p.arrived, p.delivered) for p in packets if p.arrived is not None and p.arrived <= until]
    for when, data in sorted(arrived, key=lambda row: row[0]):
        seg = parse(data, wire)
        if seg is None or (isn is None and not seg.syn):
            continue
        if seg.syn:
            isn = seg.sequence if isn is None else isn
        if isn is None or seg.syn or not seg.payload:
            continue
        at = near((seg.sequence - isn - 1) % MODULUS, len(stream))
        if at > len(stream):
            if len(early.get(at, b"")) < len(seg.payload):
                early[at] = seg.payload
            continue
        stream += seg.payload[len(stream) - at :]
        while ready := [at for at in early if at <= len(stream)]:
            for at in sorted(ready):
                stream += early.pop(at)[len(stream) - at :]
        found.growth.append((when, len(stream)))
    return found
