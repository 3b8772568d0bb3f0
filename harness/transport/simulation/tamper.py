"""Exact misfortunes: recognises segments by their role in the stream, and loses, repeats and adds to them. Pure.

Rule: a segment's role is read from the packets of both directions in the order of sending; nothing else is known of
an implementation. Positions count from 0, the first byte of a stream.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from harness.link.model import SECOND, Delivery
from harness.link.simulator import Carrier
from harness.link.taus113 import taus113
from harness.transport.segments import MODULUS, Seg, WireFormat, near, parse
from harness.transport.simulation.scenarios import Garbage, Role, Scenario, What, other

#: A window that is smaller than this, and than half the buffer, is too small to send into.
SEGMENT = 1200


@dataclass
class _Stream:
    """What is known about one direction so far."""

    total: int  #: bytes that the application sends
    buffer: int  #: of the side that sends: it offers its windows from it
    isn: int | None = None
    highest: int = 0  #: bytes that were sent at least once
    starts: list[int] = field(default_factory=list)  #: where each stretch of new bytes began
    fin: int | None = None  #: the position after the last byte, once a FIN was seen
    acks: int = 0  #: segments that only acknowledged
    narrow: bool = False  #: the last window was too small to send into


class SegmentRoles:
    """Names the role of each segment. Give it every datagram once, in the order of sending."""

    def __init__(self, wire: WireFormat, totals: Mapping[Role, int], buffers: Mapping[Role, int]) -> None:
        self._wire = wire
        self._streams: dict[Role, _Stream] = {role: _Stream(totals[role], buffers[role]) for role in totals}

    def labels(self, sender: Role, data: bytes) -> list[tuple[What, int]]:
        """The roles of the segment, each with its number among those of its kind, from 1."""
        seg = parse(data, self._wire)
        return [] if seg is None else list(self._labels(sender, seg))

    def _labels(self, sender: Role, seg: Seg) -> Iterator[tuple[What, int]]:
        mine, peer = self._streams[sender], self._streams[other(sender)]
        if seg.syn:
            mine.isn = seg.sequence
            yield ("SYN-ACK" if seg.ack else "SYN"), 1
            return
        if mine.isn is None or seg.rst:
            return
        at = near((seg.sequence - mine.isn - 1) % MODULUS, mine.highest)
        end = at + len(seg.payload)
        if seg.payload:
            if end > mine.highest:
                mine.starts.append(max(at, mine.highest))
                mine.highest = end
            first, behind = bisect_left(mine.starts, at), bisect_left(mine.starts, end)
            for number in range(first, behind):
                yield "data", number + 1
            if at < mine.total <= end:
                yield "last data", 1
        if seg.fin:
            mine.fin = end
            yield "FIN", 1
        if seg.ack:
            yield from self._ack_labels(mine, peer, seg)

    @staticmethod
    def _ack_labels(mine: _Stream, peer: _Stream, seg: Seg) -> Iterator[tuple[What, int]]:
        if seg.is_pure_ack:
            mine.acks += 1
            yield "ACK", mine.acks
        if peer.fin is not None and peer.isn is not None:
            acknowledged = (seg.acknowledgement - peer.isn - 1) % MODULUS
            if near(acknowledged, peer.fin) > peer.fin:
                yield "last ACK", 1
        narrow = seg.window < min(SEGMENT, max(1, mine.buffer // 2))
        if mine.narrow and not narrow:
            yield "window update", 1
        mine.narrow = narrow


class Tamper:
    """The misfortunes of one run, both directions; `around` wraps a simulation's links."""

    def __init__(self, scenario: Scenario, wire: WireFormat, seed: int) -> None:
        apps = {"client": scenario.client, "server": scenario.server}
        roles: tuple[Role, Role] = ("client", "server")
        self._watch = SegmentRoles(
            wire, {role: apps[role].sends for role in roles}, {role: scenario.buffer(role) for role in roles}
        )
        self._wire = wire
        self._lose = [_Rule(row.sender, row.what, row.nth, row.times) for row in scenario.lose]
        self._replay = [(row, _Rule(row.sender, row.what, row.nth, 1)) for row in scenario.replay]
        self._garbage: list[Garbage] = list(scenario.garbage)
        self._draw = taus113(seed ^ 0x6761_7262)
        self._count: dict[Role, int] = {"client": 0, "server": 0}

    def around(self, sender: Role, link: Carrier) -> Carrier:
        """The link, wrapped."""
        return _Tampered(self, sender, link)

    def loses(self, sender: Role, data: bytes) -> tuple[bool, float | None]:
        """Whether a datagram is lost, and how much later it arrives a second time, None if it does not."""
        labels = self._watch.labels(sender, data)
        lost = [rule.applies(sender, labels) for rule in self._lose]
        later = [row.later for row, rule in self._replay if rule.applies(sender, labels)]
        return any(lost), later[0] if later else None

    def junk(self, sender: Role, data: bytes) -> bytes | None:
        """What arrives along with a datagram that is not a segment; None if nothing does."""
        self._count[sender] += 1
        for row in self._garbage:
            if row.sender == sender and self._count[sender] % row.every == 0:
                made = self._make(self._count[sender] // row.every, data)
                return None if parse(made, self._wire) is not None else made
        return None

    def _make(self, number: int, data: bytes) -> bytes:
        noise = b"".join(self._draw().to_bytes(4, "big") for _ in range(310))
        kinds = (
            noise[:200],
            b"",
            data[:19],
            data + b"\0",
            noise[:1],
            bytes([data[0] ^ 0xFF]) + data[1:] if data else b"?",
            data[:-1],
            noise[:1240],
            bytes(20),
            data[:2] + b"\xff\xff" + data[4:],
        )
        return kinds[number % len(kinds)]


@dataclass
class _Rule:
    """Picks segments of one kind."""

    sender: Role
    what: What
    nth: int
    times: int
    seen: int = 0  # transmissions of what it picks

    def applies(self, sender: Role, labels: list[tuple[What, int]]) -> bool:
        """Whether this segment is meant."""
        if sender != self.sender:
            return False
        numbers = [number for what, number in labels if what == self.what]
        if self.what == "ACK":
            return any(self.nth <= number < self.nth + self.times for number in numbers)
        if self.what == "data":
            numbers = [number for number in numbers if number == self.nth]
        if not numbers:
            return False
        self.seen += 1
        skipped = 0 if self.what == "data" else self.nth - 1
        return skipped < self.seen <= skipped + self.times


class _Tampered:
    """One direction."""

    def __init__(self, tamper: Tamper, sender: Role, link: Carrier) -> None:
        self._tamper = tamper
        self._sender: Role = sender
        self._link = link
        self.why = ""

    def transmit(self, packet: bytes, *, now: int) -> list[Delivery[bytes]]:
        lost, later = self._tamper.loses(self._sender, packet)
        junk = self._tamper.junk(self._sender, packet)
        if lost:
            self.why = "drop"
            return []
        out = list(self._link.transmit(packet, now=now))
        self.why = self._link.why
        due = max([now, *(row.due for row in out)])
        if later is not None:
            out.append(Delivery(due + round(later * SECOND), packet, "duplicated"))
        if junk is not None and out:
            out.append(Delivery(due, junk, "corrupted"))
        return out
