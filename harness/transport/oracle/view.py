"""What one endpoint sent and what it had heard by a certain time, read from the packets of a run. Pure.

Numbers are relative to the initial sequence numbers and do not wrap: 0 is the SYN, 1 the first byte, on both sides.

The sender may or may not have known what arrives at the very instant of a sending. So there are two views:
the *eager* one has heard it (what an endpoint may do because of it), the *sure* one has not (what it must not do).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.link.trace import Direction, Packet
from harness.transport.oracle.ranges import Ranges
from harness.transport.segments import MODULUS, Seg, WireFormat, near, parse

OTHER: dict[Direction, Direction] = {"up": "down", "down": "up"}
#: Largest gap between the numbers of two segments: more is nonsense, not a stream.
FAR = 1 << 24


@dataclass(frozen=True, slots=True)
class Sent:
    """A segment as it was sent, with its numbers."""

    index: int  #: 0, 1, ... among those of its sender
    number: int  #: of the packet
    at: float  #: seconds
    data: bytes
    seg: Seg
    seq: int  #: relative to the sender's SYN
    ack: int  #: relative to the SYN of the other one; 0 without ACK
    again: bool  #: exactly these bytes were sent before

    @property
    def end(self) -> int:
        """The number after its last one."""
        return self.seq + self.seg.size

    @property
    def edge(self) -> int:
        """The first number beyond the window it offers; a SYN without ACK counts from the first byte."""
        return (self.ack if self.seg.ack else 1) + self.seg.window


@dataclass(frozen=True, slots=True)
class Heard:
    """A datagram as it arrived."""

    at: float  #: seconds
    origin: Sent | None  #: as it was sent; None if what arrived is not a segment
    row: int  #: order among everything that arrived here


class View:
    """One endpoint: what it sent, and what reached it, each in order."""

    def __init__(self, direction: Direction) -> None:
        self.direction = direction
        self.sent: list[Sent] = []
        self.heard: list[Heard] = []
        self.unreadable: list[Packet] = []  #: what it sent that is not a segment
        self.isn: int | None = None
        #: For each sending, the earliest time at which it or anything sent later reached the other side.
        self.reached: list[float] = []
        self._times: list[float] = []
        self._highs: list[int] = []  # everything below was sent, after each sending

    def sent_by(self, at: float) -> int:
        """Everything below this number was sent by then."""
        index = bisect_right(self._times, at)
        return self._highs[index - 1] if index else 0

    def add(self, row: Sent) -> None:
        """One more segment was sent."""
        high = self._highs[-1] if self._highs else 0
        self.sent.append(row)
        self._times.append(row.at)
        self._highs.append(row.end if not row.seg.rst and high < row.end < high + FAR else high)


def views(
    packets: Sequence[Packet], wire: WireFormat, isns: Mapping[Direction, int] | None = None
) -> dict[Direction, View]:
    """Both endpoints of a run."""
    found: dict[Direction, View] = {"up": View("up"), "down": View("down")}
    parsed = _parsed(packets, wire)
    for side in found.values():
        syns = (p for p in packets if p.direction == side.direction and (s := parsed[p.data]) and s.syn)
        first = next(syns, None)
        seg = parsed[first.data] if first else None
        side.isn = (isns or {}).get(side.direction, seg.sequence if seg else None)
    sent = _number(packets, parsed, found)
    _deliver(packets, parsed, sent, found)
    return found


def _parsed(packets: Iterable[Packet], wire: WireFormat) -> dict[bytes, Seg | None]:
    found: dict[bytes, Seg | None] = {}
    for packet in packets:
        for data in (packet.data, packet.delivered):
            if data not in found:
                found[data] = parse(data, wire)
    return found


def _number(
    packets: Sequence[Packet], parsed: dict[bytes, Seg | None], sides: dict[Direction, View]
) -> dict[int, Sent]:
    """Every sending once, with numbers that do not wrap."""
    done: dict[int, Sent] = {}
    seen: set[int] = set()
    before: dict[Direction, set[bytes]] = {"up": set(), "down": set()}
    high: dict[Direction, int] = {"up": 0, "down": 0}
    for packet in packets:
        if packet.number in seen or packet.why == "injected":
            continue
        seen.add(packet.number)
        side, other = sides[packet.direction], sides[OTHER[packet.direction]]
        seg = parsed[packet.data]
        if seg is None:
            side.unreadable.append(packet)
            continue
        seq = near(seg.sequence - (side.isn or 0), high[side.direction])
        ack = near(seg.acknowledgement - (other.isn or 0), high[other.direction]) if seg.ack else 0
        again = packet.data in before[side.direction]
        before[side.direction].add(packet.data)
        row = Sent(len(side.sent), packet.number, packet.sent, packet.data, seg, seq, ack, again)
        side.add(row)
        done[packet.number] = row
        high[side.direction] = side.sent_by(row.at)
    return done


def _deliver(
    packets: Sequence[Packet], parsed: dict[bytes, Seg | None], sent: dict[int, Sent], sides: dict[Direction, View]
) -> None:
    arrived = sorted((p for p in packets if p.arrived is not None), key=lambda p: p.arrived or 0.0)
    first: dict[int, float] = {}
    for row, packet in enumerate(arrived):
        assert packet.arrived is not None
        whole = parsed[packet.delivered] is not None and packet.delivered == packet.data
        origin = sent.get(packet.number) if whole else None
        sides[OTHER[packet.direction]].heard.append(Heard(packet.arrived, origin, row))
        if origin is not None:
            first.setdefault(packet.number, packet.arrived)
    for side in sides.values():
        earliest = float("inf")
        side.reached = [0.0] * len(side.sent)
        for sending in reversed(side.sent):
            earliest = min(earliest, first.get(sending.number, earliest))
            side.reached[sending.index] = earliest


class Witness:
    """What an endpoint has heard so far. `sure`: only what every implementation has to conclude from it."""

    def __init__(self, *, sure: bool) -> None:
        self._sure = sure
        self.una = 0  #: everything of its own below is acknowledged
        self.una_at = 0.0  #: when that last moved
        self.advances = 0  #: how often it moved
        self.edge: int | None = None  #: largest right edge that was offered to it
        self.news = 0  #: the edge for an endpoint that ignores old news (rule 5.7), and what announced it: number, ACK
        self._news_of = (-1, -1)
        self.sacked = Ranges()  #: its own numbers that were reported beyond `una`
        self.repeats = 0  #: segments with an ACK of exactly `una` since it moved
        self.all_repeats = 0  #: the same, since the beginning
        #: The most of `repeats`, and whether there were blocks, at any time of the last instant of an arrival.
        self.most_repeats = 0
        self.had_blocks = False
        self.repeats_before = 0  #: `all_repeats` before it, those of `una` left out
        self.heard_at = -1.0  #: that instant
        self.stirred_at = -1.0  #: the last instant at which something arrived that was sent earlier than that instant
        self.got = Ranges()  #: numbers of the peer that reached it
        self.next = 0  #: the highest peer number that it may expect
        self.fin: int | None = None  #: the peer's FIN, if it reached it
        self.count = 0  #: readable segments that reached it
        self.rst = False  #: one of them had RST
        self.syn_at: float | None = None  #: when the last SYN came
        self.strange: set[int] = set()  #: numbers after SYNs that are not the connection's
        self.newest = -1.0  #: when the peer sent the latest of everything that came

    def hear(self, heard: Heard, *, sent: int, offered: int = 0, acknowledged: int = 0) -> None:
        """A datagram arrives.

        Until then it has sent everything below `sent`, has offered room up to `offered`, and has acknowledged
        everything below `acknowledged`: it expects that number at least, and `next` at most.
        """
        row = heard.origin
        if row is None:
            return
        if heard.at > self.heard_at:
            self.most_repeats, self.had_blocks, self.heard_at = self.repeats, bool(self.sacked), heard.at
            self.repeats_before = self.all_repeats - self.repeats
        if row.at < heard.at:
            self.stirred_at = heard.at
        self.count += 1
        self.newest = max(self.newest, row.at)
        if row.seg.rst:
            self.rst = True
            return
        if row.seg.ack and row.ack <= sent and (not self._sure or self._counts(row, offered, acknowledged)):
            self._acknowledged(row, heard.at)
            self.most_repeats = max(self.most_repeats, self.repeats)
            self.had_blocks = self.had_blocks or bool(self.sacked)
        if (row.seg.ack and row.ack <= sent) or row.seg.syn:
            self.edge = max(self.edge or 0, row.edge)
            if (row.seq, row.ack) >= self._news_of:
                self.news, self._news_of = row.edge, (row.seq, row.ack)
        self._receive(row, heard.at)

    def _counts(self, row: Sent, offered: int, acknowledged: int) -> bool:
        """Whether the acknowledgement counts: RFC 9293 drops it with an unacceptable segment."""
        if row.seg.syn:
            return self.next <= 1 and row.ack <= 1 and row.seq == 0
        if self.next < 1:
            return False
        inside = row.seq < offered or row.seq == self.next == acknowledged
        return inside and (row.end > self.next if row.seg.size else row.seq >= self.next)

    def _acknowledged(self, row: Sent, at: float) -> None:
        if row.ack > self.una:
            self.una, self.una_at, self.repeats = row.ack, at, 0
            self.advances += 1
            self.sacked.drop_below(row.ack)
        elif row.ack == self.una:
            self.repeats += 1
            self.all_repeats += 1
        if row.ack >= self.una:
            for left, right in row.seg.sack:
                begin = near(left - row.seg.acknowledgement, 0) + row.ack
                size = (right - left) % MODULUS
                if begin + size > self.una and size < FAR:
                    self.sacked.add(max(begin, self.una), begin + size)

    def _receive(self, row: Sent, at: float) -> None:
        if row.seg.syn:
            self.syn_at = at
            if row.seq != 0:
                self.strange.add(row.seq + 1)
                return
        if row.seg.size and row.end - self.next < FAR:
            self.got.add(row.seq, row.end)
            self.next = self.got.reached_from(0)
        if row.seg.fin and not row.seg.syn:
            self.fin = row.end - 1
