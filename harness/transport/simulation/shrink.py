"""A failing run, reduced to the fewest misfortunes that still fail. Pure: the clock is given.

Rule 1: the random events of the run are written down and repeated; from then on nothing is random.
Rule 2: what is reported was run: the sentence describes a run that failed in the same way, or there is no sentence.

The search is Zeller's ddmin (Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.link.model import UDP_FRAMING, Delivery, Link
from harness.link.profile import Profile
from harness.link.simulator import Carrier
from harness.transport.simulation.misfortune import Misfortune, clauses, in_words
from harness.transport.simulation.scenarios import Role
from harness.transport.simulation.world import Around, Setting, SimulationOutcome

#: Most runs and seconds of a search.
MOST_RUNS, MOST_SECONDS = 120, 5.0
#: Most misfortunes of a run that are written down.
MOST_MISFORTUNES = 2000
#: Differences of time below this are rounding, in nanoseconds.
_SAME_TIME = 1000

#: Runs a setting again with its links wrapped.
Run = Callable[[Setting, Around], SimulationOutcome]


@dataclass(frozen=True)
class Shrunk:
    """The result of a search."""

    outcome: SimulationOutcome  #: of a run with these misfortunes and no others
    misfortunes: tuple[Misfortune, ...]
    clauses: tuple[str, ...]  #: "the second ACK of the server is lost", ...

    @property
    def sentence(self) -> str:
        """What makes it fail."""
        return in_words(self.clauses)


def shrunk(
    outcome: SimulationOutcome,
    run: Run,
    *,
    clock: Callable[[], float],
    most_runs: int = MOST_RUNS,
    most_seconds: float = MOST_SECONDS,
) -> Shrunk | None:
    """The fewest misfortunes with which it fails as it did; None if it does not fail again. Raises what `run` raises.

    `clock`: seconds; `run(setting, around)` runs it from the beginning with fresh connections.
    """
    search = _Search(outcome, run, clock, most_runs, clock() + most_seconds)
    recorder = Recorder()
    again = run(outcome.setting, recorder.around)
    if not search.same(again) or len(recorder.misfortunes) > MOST_MISFORTUNES:
        return None
    if not search.fails(recorder.misfortunes):
        return None  # without randomness it does not fail the same way
    left = search.reduce(recorder.misfortunes)
    assert search.last is not None
    return Shrunk(search.last, tuple(left), clauses(search.last, left))


class _Search:
    """ddmin within its budget."""

    def __init__(
        self, outcome: SimulationOutcome, run: Run, clock: Callable[[], float], most_runs: int, deadline: float
    ) -> None:
        self.last: SimulationOutcome | None = None  #: the smallest run that failed
        self._wanted = outcome.faults[0]
        self._setting = outcome.setting
        self._run = run
        self._clock = clock
        self._left = most_runs
        self._deadline = deadline

    def same(self, outcome: SimulationOutcome) -> bool:
        """Whether it fails as the first one did."""
        return any(fault.kind == self._wanted.kind and fault.rule == self._wanted.rule for fault in outcome.faults[:1])

    def fails(self, misfortunes: Sequence[Misfortune]) -> bool:
        """Whether a run with these and no others fails."""
        self._left -= 1
        outcome = self._run(self._setting, Explicit(misfortunes).around)
        if not self.same(outcome):
            return False
        self.last = outcome
        return True

    @property
    def _over(self) -> bool:
        return self._left <= 0 or self._clock() > self._deadline

    def reduce(self, rows: list[Misfortune]) -> list[Misfortune]:
        """The fewest of these that still fail."""
        if self.fails([]):
            return []
        parts = 2
        while len(rows) > 1 and not self._over:
            size = -(-len(rows) // parts)
            pieces = [rows[start : start + size] for start in range(0, len(rows), size)]
            smaller = self._smaller(rows, pieces)
            if smaller is None:
                if size == 1:
                    break
                parts = min(len(rows), 2 * parts)
            else:
                parts = 2 if len(smaller) == size else max(parts - 1, 2)
                rows = smaller
        return rows

    def _smaller(self, rows: list[Misfortune], pieces: list[list[Misfortune]]) -> list[Misfortune] | None:
        """One of the pieces, or all but one of them, if that fails."""
        candidates = list(pieces)
        if len(pieces) > 2:
            candidates += [[row for row in rows if row not in piece] for piece in pieces]
        for candidate in candidates:
            if self._over:
                return None
            if self.fails(candidate):
                return candidate
        return None


# -- recording, and playing back ---------------------------------------------------------------------------------


def steady(profile: Profile) -> Profile:
    """The same link without randomness and exact misfortunes: its delay, its rate, its queue."""
    return Profile(delay=profile.delay, rate=profile.rate, overhead=profile.overhead, limit=profile.limit)


def _steady_link(link: Link, now: int) -> Link:
    return Link(steady(link.profile), seed=0, start=now, framing=UDP_FRAMING)


class Recorder:
    """Records what happens to every packet, compared with a steady link."""

    def __init__(self) -> None:
        self.misfortunes: list[Misfortune] = []
        self._count: dict[Role, int] = {"client": 0, "server": 0}

    def around(self, sender: Role, link: Link, carrier: Carrier) -> Carrier:
        return _Recording(self, sender, _steady_link(link, 0), carrier)

    def note(self, sender: Role, data: bytes, out: Sequence[Delivery[bytes]], due: int | None) -> None:
        """One packet; `due`: when a steady link delivers it, None if its queue is full."""
        index = self._count[sender]
        self._count[sender] += 1
        if due is None:
            return

        def add(kind: Literal["lost", "twice", "damaged", "cut", "late", "junk"], **more: object) -> None:
            self.misfortunes.append(Misfortune(sender, index, kind, **more))  # type: ignore[arg-type]

        if not out:
            add("lost")
        for row in out:
            if row.fate == "duplicated":
                add("twice", later=row.due - due)
        own = [row for row in out if row.fate != "duplicated"]
        main = next((row for row in own if row.packet == data), own[0] if own else None)
        if main is None:
            return
        bit = _first_difference(data, main.packet)
        if bit is not None:
            add("damaged", place=bit)
        if len(main.packet) < len(data):
            add("cut", place=len(main.packet))
        if abs(main.due - due) > _SAME_TIME:
            add("late", later=main.due - due)
        for row in own:
            if row is not main:
                add("junk", junk=row.packet, later=row.due - due)


def _first_difference(one: bytes, other: bytes) -> int | None:
    """The first bit in which they differ, up to the shorter one's end."""
    for number, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return 8 * number + ((left ^ right) & -(left ^ right)).bit_length() - 1
    return None


class _Recording:
    def __init__(self, recorder: Recorder, sender: Role, twin: Link, carrier: Carrier) -> None:
        self._recorder = recorder
        self._sender: Role = sender
        self._twin = twin
        self._carrier = carrier

    @property
    def why(self) -> str:
        return self._carrier.why

    def transmit(self, packet: bytes, *, now: int) -> list[Delivery[bytes]]:
        out = self._carrier.transmit(packet, now=now)
        steady = self._twin.transmit(packet, now=now)
        self._recorder.note(self._sender, packet, out, steady[0].due if steady else None)
        return out


class Explicit:
    """Plays back these misfortunes and no others, on steady links."""

    def __init__(self, misfortunes: Sequence[Misfortune]) -> None:
        self._rows: dict[tuple[Role, int], list[Misfortune]] = {}
        for row in misfortunes:
            self._rows.setdefault((row.sender, row.index), []).append(row)
        self._count: dict[Role, int] = {"client": 0, "server": 0}

    def around(self, sender: Role, link: Link, carrier: Carrier) -> Carrier:  # noqa: ARG002 - what it did has been recorded
        return _Fixed(self, sender, _steady_link(link, 0))

    def next_of(self, sender: Role) -> list[Misfortune]:
        """Those of the next packet."""
        index = self._count[sender]
        self._count[sender] += 1
        return self._rows.get((sender, index), [])


class _Fixed:
    def __init__(self, explicit: Explicit, sender: Role, link: Link) -> None:
        self._explicit = explicit
        self._sender: Role = sender
        self._link = link
        self.why = ""

    def transmit(self, packet: bytes, *, now: int) -> list[Delivery[bytes]]:
        rows = self._explicit.next_of(self._sender)
        out = self._link.transmit(packet, now=now)
        if not out:
            self.why = self._link.why
            return []
        by_kind: Mapping[str, Misfortune] = {row.kind: row for row in rows}
        if "lost" in by_kind:
            self.why = "drop"
            return []
        (one,) = out
        due = one.due
        if "late" in by_kind:
            one = _moved(one, one.due + by_kind["late"].later)
        if "damaged" in by_kind and packet:
            place = by_kind["damaged"].place % (8 * len(packet))
            damaged = bytearray(packet)
            damaged[place // 8] ^= 1 << place % 8
            one = Delivery(one.due, bytes(damaged), "corrupted")
        if "cut" in by_kind:
            one = Delivery(one.due, one.packet[: by_kind["cut"].place], "truncated")
        out = [one]
        out += [Delivery(due + row.later, packet, "duplicated") for row in rows if row.kind == "twice"]
        out += [Delivery(due + row.later, row.junk, "corrupted") for row in rows if row.kind == "junk"]
        return out


def _moved(row: Delivery[bytes], due: int) -> Delivery[bytes]:
    """The same, delivered at another time."""
    return Delivery(due, row.packet, "reordered" if row.fate == "delivered" else row.fate)
