"""What happened to each packet, as a ladder: one end on the left, the other on the right, time going down. Pure.

Rule 1: a packet that something happened to has a word and a sign, never a colour alone.
Rule 2: packets keep their numbers, whatever is left out in between; a line says how many are.
Rule 3: labels and notes may hold anything; nothing that controls a terminal gets through.

    print(ladder_text(simulation.packets, describe=describe, names=("client", "server")))
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.link.model import Fate
from harness.link.trace import Direction, Event, Packet
from harness.text.printable import printable

#: What happened to a packet, if it is drawn in a special way.
Mark = Literal["", "lost", "damaged", "copy", "overtook"]

#: Most rows of a ladder; longer ones are folded.
MOST_ROWS = 120
#: The ends, left and right.
NAMES = ("student", "tester")

_MARKS: Mapping[Fate, Mark] = {
    "lost": "lost",
    "overflowed": "lost",
    "corrupted": "damaged",
    "truncated": "damaged",
    "duplicated": "copy",
    "reordered": "overtook",
}
#: In text: what an arrow is made of, and the sign at its tip.
_STROKES: Mapping[Mark, str] = {"": "-", "lost": "-", "damaged": "~", "copy": "=", "overtook": "-"}
_LEAST_FOLD = 5
_LANE = 62  #: characters between the two ends
_STOPS = 44  #: characters after which a lost packet's arrow stops at the earliest


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence about a packet."""

    text: str
    broken: bool = False  #: it says that a rule is broken; otherwise it only explains


#: Notes by packet number.
Notes = Mapping[int, Sequence[Note]]


@dataclass(frozen=True, slots=True)
class Rung:
    """One packet of the ladder; a copy that the link made has a rung of its own."""

    number: int  #: as in the list of packets, the capture and the oracle's messages
    sent: float  #: seconds
    seen: float | None  #: seconds, None if it never arrived
    direction: Direction  #: up is from the left end to the right one
    label: str  #: what is in it
    mark: Mark = ""
    remark: str = ""  #: what happened to it, in a word or two: "lost (drop)"
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Fold:
    """Rungs that are left out."""

    count: int
    first: int  #: the lowest number of a packet among them
    last: int  #: the highest
    start: float  #: seconds, when the first of them was sent
    end: float  #: seconds, when the last of them was sent

    @property
    def sentence(self) -> str:
        """What stands in their place."""
        return f"{self.count} left out: #{self.first} to #{self.last}, {self.start:.4f} s to {self.end:.4f} s"


Row = Rung | Fold


def plain_label(packet: Packet) -> str:
    """The label of a packet whose content nobody can read."""
    return f"{len(packet.data)} bytes"


def rungs_of(
    packets: Iterable[Packet], *, describe: Callable[[Packet], str] = plain_label, notes: Notes | None = None
) -> list[Rung]:
    """Packets as rungs, in order of sending. `describe` names a packet as it was sent; notes are by number."""
    notes = notes or {}
    told: set[int] = set()
    rungs = []
    for packet in sorted(packets, key=lambda packet: (packet.sent, packet.number)):
        mine = () if packet.number in told else tuple(notes.get(packet.number, ()))
        told.add(packet.number)
        rungs.append(
            Rung(
                packet.number,
                packet.sent,
                packet.arrived,
                packet.direction,
                printable(describe(packet)),
                _MARKS.get(packet.fate, ""),
                _remark(packet.fate, packet.why, len(packet.delivered)),
                tuple(Note(printable(note.text), note.broken) for note in mine),
            )
        )
    return rungs


def rungs_of_events(events: Iterable[Event]) -> list[Rung]:
    """What a relay or a simulation recorded of packets without their bytes, as rungs."""
    return [
        Rung(
            number,
            event.at,
            event.due,
            event.direction,
            printable(f"{event.protocol} {event.size}"),
            _MARKS.get(event.fate, ""),
            _remark(event.fate, event.why, None),
        )
        for number, event in enumerate(events, 1)
    ]


def _remark(fate: Fate, why: str, left: int | None) -> str:
    if fate == "delivered":
        return ""
    if fate == "lost":
        return f"lost ({printable(why)})" if why else "lost"
    if fate == "truncated" and left is not None:
        return f"cut to {left} bytes"
    return {
        "overflowed": "lost (queue full)",
        "corrupted": "damaged",
        "truncated": "cut",
        "duplicated": "copy",
        "reordered": "overtook",
    }[fate]


# -- folding -----------------------------------------------------------------------------------------------------


def folded(rungs: Sequence[Rung], most: int = MOST_ROWS) -> list[Row]:
    """About `most` rungs: the beginning, the end, and what is around notes and losses, with folds in between.

    Very few rungs are not folded: they take no more room.
    """
    if len(rungs) <= most:
        return list(rungs)
    order = sorted(range(len(rungs)), key=_interest(rungs).__getitem__)
    kept = sorted(order[: max(most, 2)])
    rows: list[Row] = []
    expected = 0
    for index in [*kept, len(rungs)]:
        gone = rungs[expected:index]
        if len(gone) < _LEAST_FOLD:
            rows += gone
        else:
            numbers = [rung.number for rung in gone]
            rows.append(Fold(len(gone), min(numbers), max(numbers), gone[0].sent, gone[-1].sent))
        rows += rungs[index : index + 1]
        expected = index + 1
    return rows


def _interest(rungs: Sequence[Rung]) -> list[float]:
    """For each rung its distance from what is interesting; small is interesting.

    A step away from a broken rule counts one, from an end two, from a marked or explained packet four. The first of
    those is as interesting as what is ten steps from a broken rule, each later one a little less: whole stretches
    tell more than one packet from everywhere.
    """
    far = float(9 * len(rungs))
    cost, weight = [far] * len(rungs), [4.0] * len(rungs)
    special = 0
    for index, rung in enumerate(rungs):
        if any(note.broken for note in rung.notes):
            cost[index], weight[index] = 0.0, 1.0
        elif rung.mark or rung.notes:
            cost[index] = 10 + 2 * special
            special += 1
    for index in (0, len(rungs) - 1):
        cost[index], weight[index] = 0.0, min(weight[index], 2.0)
    for way in (range(1, len(rungs)), range(len(rungs) - 2, -1, -1)):
        for index in way:
            near = index - way.step
            if cost[near] + weight[near] < cost[index]:
                cost[index], weight[index] = cost[near] + weight[near], weight[near]
    return cost


# -- text --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the drawn ladder and its kind, for colouring."""

    text: str
    kind: Literal["head", "rung", "lost", "damaged", "copy", "overtook", "fold", "broken", "note"]


def ladder_lines(rows: Iterable[Row], *, names: tuple[str, str] = NAMES) -> list[Line]:
    """The ladder as lines of text, the head first."""
    left, right = (printable(name) for name in names)
    head = f"{'#':>5}  {'sent':>9}  {'seen':>9}   {left:<{_LANE - len(right) + 2}}{right}"
    lines = [Line(head, "head")]
    for row in rows:
        if isinstance(row, Fold):
            lines.append(Line(f"{'...':>5}  ({row.sentence})", "fold"))
            continue
        lines.append(Line(_rung_text(row), row.mark or "rung"))
        for note in row.notes:
            lines.append(Line(f"{'!!' if note.broken else '':>5}  {note.text}", "broken" if note.broken else "note"))
    return lines


def _rung_text(rung: Rung) -> str:
    seen = "-" if rung.seen is None else f"{rung.seen:.4f}"
    arrow = f"{rung.number:>5}  {rung.sent:>9.4f}  {seen:>9}   |{_arrow(rung)}|"
    return f"{arrow}  {rung.remark}".rstrip()


def _arrow(rung: Rung) -> str:
    """The arrow between the two ends, its label near the sender."""
    stroke = _STROKES[rung.mark]
    label = rung.label if len(rung.label) <= _LANE - 8 else f"{rung.label[: _LANE - 9]}…"
    begun = f"{stroke * 2} {label} "
    tip = {"lost": "X", "overtook": ">>"}.get(rung.mark, ">")
    length = max(_STOPS, len(begun) + 3) if rung.mark == "lost" else _LANE
    if rung.direction == "up":
        return f"{begun:{stroke}<{length - len(tip)}}{tip}".ljust(_LANE)
    begun, tip = f" {label} {stroke * 2}", tip.replace(">", "<")
    return f"{tip}{begun:{stroke}>{length - len(tip)}}".rjust(_LANE)


def ladder_text(
    packets: Iterable[Packet],
    *,
    describe: Callable[[Packet], str] = plain_label,
    notes: Notes | None = None,
    names: tuple[str, str] = NAMES,
    most: int = MOST_ROWS,
) -> str:
    """The packets as text for a terminal, at most `most` rows."""
    rows = folded(rungs_of(packets, describe=describe, notes=notes), most)
    return "\n".join(line.text for line in ladder_lines(rows, names=names))


def event_ladder(events: Iterable[Event], *, names: tuple[str, str] = NAMES, most: int = 200) -> str:
    """The same for packets whose bytes were not kept."""
    rows = folded(rungs_of_events(events), most)
    return "\n".join(line.text for line in ladder_lines(rows, names=names))


def usual_delay(rungs: Iterable[Rung]) -> float:
    """Seconds that a packet usually takes; 1 if none arrived, or all at once."""
    delays = [rung.seen - rung.sent for rung in rungs if rung.seen is not None]
    return (statistics.median(delays) if delays else 0.0) or 1.0
