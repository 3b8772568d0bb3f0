"""What a trace of segments shows: labels, what was sent again and why, and the curves to plot. Pure.

Rule 1: nothing is judged here (the oracle does that): a remark says what a packet is, not whether it is right.
Rule 2: numbers are relative to each end's first SYN, so that the first byte of data is number 1 in every trace; if
        no SYN was seen, to the first number that was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.link.trace import Direction, Packet
from harness.pictures.ladder import Note
from harness.transport.segments import Seg, WireFormat, describe, describe_seg, near, parse

#: Duplicate ACKs after which a sender repeats a segment before its timer expires (RFC 5681, section 3.2).
DUPLICATE_ACKS = 3


@dataclass(frozen=True, slots=True)
class Sending:
    """A sending that took sequence numbers."""

    at: float  #: seconds
    first: int  #: its first sequence number
    end: int  #: the number after its last
    again: bool  #: some of it had been sent before
    lost: bool  #: no copy of it arrived whole


@dataclass
class Flow:
    """One direction of the data: what its sender knew, as curves over time (seconds)."""

    sent: list[Sending] = field(default_factory=list)
    acknowledged: list[tuple[float, int]] = field(default_factory=list)  #: highest acknowledgement so far
    edge: list[tuple[float, int]] = field(default_factory=list)  #: highest number that the peer allowed so far
    flight: list[tuple[float, int]] = field(default_factory=list)  #: sent and not acknowledged (numbers)
    window: list[tuple[float, int]] = field(default_factory=list)  #: as last offered by the peer (bytes)
    round_trips: list[tuple[float, float]] = field(default_factory=list)  #: when an ACK came, and how long it took
    delivered: int = 0  #: bytes of data acknowledged at the end
    again: int = 0  #: segments with numbers that had been sent before


@dataclass(frozen=True)
class Reading:
    """Everything that was read from a trace."""

    labels: Mapping[int, str]  #: by packet number
    remarks: Mapping[int, Sequence[Note]]  #: by packet number
    flows: Mapping[Direction, Flow]

    def label(self, packet: Packet) -> str:
        """What a ladder calls a packet."""
        return self.labels.get(packet.number, f"{len(packet.data)} bytes")


class _End:
    """The sender of one direction, as seen from outside."""

    def __init__(self) -> None:
        self.flow = Flow()
        self.start: int | None = None  # first sequence number, on the wire
        self.top = 0  # relative: after the highest number sent
        self.fin: int | None = None  # the number that its FIN takes
        self.acknowledged = 0
        self.offered = -1  # window
        self.duplicates = 0  # of the current ACK, that arrived here
        self.last: dict[int, tuple[int, float]] = {}  # first number -> last packet that began there, and when
        self.once: dict[int, float] = {}  # number after a segment that was sent once and is not acknowledged -> when

    def relative(self, number: int, default: int) -> int:
        """A number on the wire, counted from this end's first SYN and across the wrap."""
        if self.start is None:
            self.start = (number - default) % (1 << 32)
        return near((number - self.start) % (1 << 32), self.top)


def read(packets: Iterable[Packet], wire: WireFormat) -> Reading:
    """Read a trace from beginning to end, in the order in which things happened."""
    return _Reader(wire).read(list(packets))


class _Reader:
    def __init__(self, wire: WireFormat) -> None:
        self._wire = wire
        self._ends: dict[Direction, _End] = {"up": _End(), "down": _End()}
        self._labels: dict[int, str] = {}
        self._remarks: dict[int, list[Note]] = {}

    def read(self, packets: Sequence[Packet]) -> Reading:
        whole = {p.number for p in packets if p.arrived is not None and p.delivered == p.data}
        told: set[int] = set()
        for is_sending, packet in _in_order(packets):
            if is_sending and packet.number not in told:
                told.add(packet.number)
                self._sent(packet, packet.number not in whole)
            elif not is_sending:
                self._arrived(packet)
        return Reading(self._labels, self._remarks, {way: end.flow for way, end in self._ends.items()})

    def _remark(self, number: int, text: str) -> None:
        self._remarks.setdefault(number, []).append(Note(text))

    # -- a segment leaves ----------------------------------------------------------------------------------------

    def _sent(self, packet: Packet, lost: bool) -> None:
        end, peer = self._ends[packet.direction], self._ends[_back(packet.direction)]
        seg = parse(packet.data, self._wire)
        if seg is None:
            self._labels[packet.number] = describe(packet.data, self._wire)
            return
        if seg.syn and end.start is None:
            end.start = seg.sequence
        first = end.relative(seg.sequence, 1)
        self._labels[packet.number] = describe_seg(
            seg, sequence_base=end.start or 0, acknowledgement_base=peer.start or 0
        )
        if seg.size:
            self._took(end, seg, first, packet, lost)

    def _took(self, end: _End, seg: Seg, first: int, packet: Packet, lost: bool) -> None:
        """It takes sequence numbers: sent for the first time, or again."""
        after = first + seg.size
        if seg.fin:
            end.fin = after - 1
        again = first < end.top
        if again:
            self._sent_again(end, first, packet)
            for number in [number for number in end.once if first < number]:
                del end.once[number]
        else:
            end.once[after] = packet.sent
        end.flow.again += again
        end.top = max(end.top, after)
        end.last[first] = packet.number, packet.sent
        end.flow.sent.append(Sending(packet.sent, first, after, again, lost))
        end.flow.flight.append((packet.sent, end.top - end.acknowledged))

    def _sent_again(self, end: _End, first: int, packet: Packet) -> None:
        before = end.last.get(first)
        which = "repeats what was sent, cut in another way"
        if before:
            which = f"repeats #{before[0]} after {packet.sent - before[1]:.3f} s"
        if first == end.acknowledged and end.duplicates >= DUPLICATE_ACKS:
            which += f" and {end.duplicates} duplicate ACKs"
        self._remark(packet.number, which)

    # -- a segment arrives ---------------------------------------------------------------------------------------

    def _arrived(self, packet: Packet) -> None:
        seg = parse(packet.delivered, self._wire)
        if seg is None or not seg.ack:
            return
        end = self._ends[_back(packet.direction)]
        number = end.relative(seg.acknowledgement, 1)
        if number > end.top or number < end.acknowledged:
            return
        if number > end.acknowledged:
            self._advanced(end, number, packet)
        elif seg.is_pure_ack and seg.window == end.offered and end.top > number:
            end.duplicates += 1
            self._remark(packet.number, f"duplicate ACK {end.duplicates} of {number}")
        if seg.window != end.offered:
            self._offered(end, seg, packet)
        before = end.flow.edge[-1][1] if end.flow.edge else 0
        end.flow.edge.append((packet.arrived or 0.0, max(number + seg.window, before)))

    def _advanced(self, end: _End, number: int, packet: Packet) -> None:
        now = packet.arrived or 0.0
        sampled = [after for after in end.once if after <= number]
        if sampled and max(sampled) == number:  # Karn: none of it was sent twice
            end.flow.round_trips.append((now, now - end.once[number]))
        for after in sampled:
            del end.once[after]
        end.acknowledged, end.duplicates = number, 0
        end.flow.delivered = max((number if end.fin is None else min(number, end.fin)) - 1, 0)
        end.flow.acknowledged.append((now, number))
        end.flow.flight.append((now, end.top - number))

    def _offered(self, end: _End, seg: Seg, packet: Packet) -> None:
        if seg.window == 0 and not seg.rst:
            self._remark(packet.number, "window closed")
        elif end.offered == 0:
            self._remark(packet.number, "window open again")
        end.offered = seg.window
        end.flow.window.append((packet.arrived or 0.0, seg.window))


def _in_order(packets: Sequence[Packet]) -> list[tuple[bool, Packet]]:
    """(whether it is the sending, packet) in order of time; at the same instant arrivals come first.

    Times are compared in microseconds. What takes no time arrives after it was sent.
    """
    rows = [(round(p.sent * 1e6), 1, p.number, p) for p in packets]
    for p in packets:
        if p.arrived is not None:
            rows.append((round(p.arrived * 1e6), 0 if p.arrived > p.sent else 2, p.number, p))
    return [(rank == 1, p) for _, rank, _, p in sorted(rows, key=lambda row: row[:3])]


def _back(way: Direction) -> Direction:
    return "down" if way == "up" else "up"
