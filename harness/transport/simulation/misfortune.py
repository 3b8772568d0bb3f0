"""What happened to one packet, as data and in words: "the second ACK of the server is lost". Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.link.model import SECOND
from harness.transport.segments import WireFormat
from harness.transport.simulation.scenarios import ROLES, Role
from harness.transport.simulation.tamper import SegmentRoles
from harness.transport.simulation.world import SimulationOutcome

#: Most misfortunes that a sentence names; the rest are counted.
MOST_NAMED = 4
_ORDINALS = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


@dataclass(frozen=True)
class Misfortune:
    """Something that happens to one packet."""

    sender: Role
    index: int  #: which datagram of its sender, from 0
    kind: Literal["lost", "twice", "damaged", "cut", "late", "junk"]
    later: int = 0  #: nanoseconds: how much later it, or its copy, arrives
    place: int = 0  #: the damaged bit, or the bytes that are left
    junk: bytes = b""  #: what arrives along with it


def clauses(outcome: SimulationOutcome, rows: Sequence[Misfortune]) -> tuple[str, ...]:
    """Each of them in words, with the packets' names in a run with them."""
    names = _names(outcome)
    return tuple(f"{names.get((row.sender, row.index), _unnamed(row))} {_happens(row)}" for row in rows)


def in_words(clauses: Sequence[str]) -> str:
    """When it fails, as one clause."""
    if not clauses:
        return "it fails even when nothing is lost, late, doubled or damaged"
    more = [f"{len(clauses) - MOST_NAMED} more things happen"] if len(clauses) > MOST_NAMED else []
    return f"it fails when only {_joined([*clauses[:MOST_NAMED], *more])}"


def _joined(clauses: Sequence[str]) -> str:
    return clauses[0] if len(clauses) == 1 else ", ".join(clauses[:-1]) + " and " + clauses[-1]


def _happens(row: Misfortune) -> str:
    seconds = row.later / SECOND
    if row.kind == "late":
        return f"arrives {abs(seconds):.3f} s {'later' if seconds > 0 else 'earlier'}"
    if row.kind == "twice":
        return f"arrives twice, {seconds:.3f} s apart" if seconds > 0.0005 else "arrives twice"
    if row.kind == "junk":
        return f"is followed by {len(row.junk)} bytes that are not a segment"
    return {"lost": "is lost", "damaged": f"is damaged (bit {row.place})", "cut": f"is cut to {row.place} bytes"}[
        row.kind
    ]


def _unnamed(row: Misfortune) -> str:
    return f"{ordinal(row.index + 1)} datagram of the {row.sender}"


def ordinal(number: int) -> str:
    """A number in words: "the first", "the second", ..., "the 21st"."""
    if number < len(_ORDINALS):
        return f"the {_ORDINALS[number]}"
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"the {number}{ending}"


def _names(outcome: SimulationOutcome) -> dict[tuple[Role, int], str]:
    """A name for each datagram of a run."""
    setting = outcome.setting
    scenario, wire = setting.scenario, setting.wire
    watch = _watch(outcome, wire)
    count: dict[Role, int] = dict.fromkeys(ROLES, 0)
    sent: dict[Role, dict[str, int]] = {role: {} for role in ROLES}
    names: dict[tuple[Role, int], str] = {}
    last = 0
    for packet in sorted(outcome.packets, key=lambda packet: packet.number):
        if packet.number == last:
            continue
        last = packet.number
        role = setting.sender(packet.direction)
        thing = _thing(watch.labels(role, packet.data), scenario.app(role).sends)
        times = sent[role][thing] = sent[role].get(thing, 0) + 1
        again = "" if times == 1 else f" (sent for {ordinal(times)} time)"
        names[role, count[role]] = f"{thing} of the {role}{again}"
        count[role] += 1
    return names


def _watch(outcome: SimulationOutcome, wire: WireFormat) -> SegmentRoles:
    scenario = outcome.setting.scenario
    return SegmentRoles(
        wire, {role: scenario.app(role).sends for role in ROLES}, {role: scenario.buffer(role) for role in ROLES}
    )


def _thing(labels: Sequence[tuple[str, int]], total: int) -> str:
    """The best name of a segment."""
    kinds = dict(reversed(labels))
    for what in ("SYN", "SYN-ACK"):
        if what in kinds:
            return f"the {what}"
    if "data" in kinds:
        return f"{ordinal(kinds['data'])} data segment"
    if "last data" in kinds and total:
        return "the last data segment"
    if "FIN" in kinds:
        return "the FIN"
    if "ACK" in kinds:
        return f"{ordinal(kinds['ACK'])} ACK"
    return "a segment"
