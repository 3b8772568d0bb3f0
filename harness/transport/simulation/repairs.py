"""How losses were repaired: read from the packets of a run, without knowing who sent them. Pure.

A hole is a stretch of new bytes whose first transmission the link lost. The acknowledgements that reached the
sender show when it could know (rule 6.2: the third one that says nothing new, or blocks that say as much), and
its transmissions show when it acted, and what else it sent again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.link.trace import Packet
from harness.transport.segments import Seg, near, parse
from harness.transport.simulation.scenarios import Role, other

if TYPE_CHECKING:
    from harness.transport.simulation.world import SimulationOutcome

#: Duplicate acknowledgements that indicate a loss (RFC 5681, section 3.2).
DUPLICATES = 3


@dataclass
class Hole:
    """A stretch of bytes that the link lost."""

    left: int  #: position of its first byte, from 0
    right: int  #: after its last one
    sent: float  #: seconds, when it was lost
    again: float | None = None  #: when its first byte was sent the next time
    latest: float | None = None  #: when the sender had heard enough to know


@dataclass
class Repairs:
    """All repairs of one sender."""

    holes: list[Hole] = field(default_factory=list)
    repeated: int = 0  #: bytes sent more than once
    lost: int = 0  #: bytes of the holes
    under_way: int = 0  #: most bytes that were under way at once when something was lost


def look_at_repairs(outcome: SimulationOutcome, sender: Role) -> Repairs:
    """What a side lost and sent again."""
    wire, isn = outcome.setting.wire, outcome.setting.isn[sender]
    mine = [(p, seg) for p in outcome.packets_of(sender) if (seg := parse(p.data, wire))]
    answers = [
        (p.arrived, seg)
        for p in outcome.packets_of(other(sender))
        if p.arrived is not None and (seg := parse(p.delivered, wire))
    ]
    answers.sort(key=lambda row: row[0])
    repairs = Repairs()
    highest = 0  # after the last byte that was sent
    seen: set[int] = set()
    for packet, seg in mine:
        if not seg.payload or packet.number in seen:
            continue
        seen.add(packet.number)
        left = near(seg.sequence - isn - 1, highest)
        right = left + len(seg.payload)
        repairs.repeated += max(0, min(right, highest) - left)
        for hole in repairs.holes:
            if hole.again is None and left <= hole.left < right:
                hole.again = packet.sent
        if right > highest and packet.arrived is None:
            repairs.holes.append(Hole(max(left, highest), right, packet.sent))
            repairs.lost += right - max(left, highest)
        highest = max(highest, right)
    previous = 0.0
    for hole in repairs.holes:
        hole.latest = _when_known(hole, answers, isn, after=previous)
        previous = hole.latest or previous
        repairs.under_way = max(repairs.under_way, _under_way(hole, mine, answers, isn))
    return repairs


def _when_known(hole: Hole, answers: Sequence[tuple[float, Seg]], isn: int, *, after: float) -> float | None:
    """When the third duplicate acknowledgement, or one that stops at the hole after another, reached the sender."""
    count = 0
    for at, seg in answers[bisect_left(answers, hole.sent, key=lambda row: row[0]) :]:
        number = near(seg.acknowledgement - isn - 1, hole.left)
        if number > hole.left:
            return None
        if number < hole.left or seg.payload or seg.fin or seg.syn:
            continue
        count += 1
        # The first one acknowledges what precedes the hole; after an earlier hole, that alone indicates it.
        if count > DUPLICATES or after > hole.sent:
            return at
    return None


def _under_way(hole: Hole, mine: Sequence[tuple[Packet, Seg]], answers: Sequence[tuple[float, Seg]], isn: int) -> int:
    """Bytes sent and not acknowledged when the hole was first reported, or repaired."""
    until = hole.latest or hole.again or hole.sent
    sent = [near(seg.sequence - isn - 1, hole.left) + len(seg.payload) for p, seg in mine if p.sent <= until]
    told = [near(seg.acknowledgement - isn - 1, hole.left) for at, seg in answers if at <= until]
    return max(0, max(sent, default=0) - max(told, default=0))
