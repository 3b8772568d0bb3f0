"""What a tester reports of a meeting -> cells. Pure, and the only door: no report is believed before it was read here.

Rule: what cannot be read decides nothing. A cell without facts that can be read is undecided, and waits for a person.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Report, cut
from harness.transport.simulation.blame import How
from harness.transport.simulation.meetings import GOODPUT_RUNS, MEETINGS, goodput_id, meeting_id
from harness.transport.simulation.scenarios import ROLES, Role

Side = Literal["first", "second"]
#: What became of a cell: both streams came whole and both sides kept the rules; not so; ours, or nobody knows.
State = Literal["well", "fails", "undecided"]
_RULE = re.compile(r"[0-9]\.[0-9]{1,2}")
_MOST_BLAMES, _MOST_TEXT = 12, 600


@dataclass(frozen=True)
class Part:
    """One side's part in a failure."""

    side: Side
    how: How | Literal["node"]  #: as `Blame.how`; its node ended
    rule: str  #: number in the handout; "" if none is known
    text: str
    packet: int = 0


@dataclass(frozen=True)
class Cell:
    """One scenario of a meeting, in one of both roles."""

    letter: str
    role: Role  #: of the first
    state: State
    parts: tuple[Part, ...] = ()
    text: str = ""  #: what happened, or why it is undecided: one sentence
    seconds: float = 0.0  #: of virtual time
    packets: int = 0

    @property
    def name(self) -> str:
        """As files of it are called."""
        return f"{self.letter}-{self.role}"


@dataclass(frozen=True)
class Goodput:
    """One run on the leaderboard's link."""

    loss: float
    share: float  #: of the payload that the link can carry
    repeated: float  #: bytes sent again, per byte of the stream
    queued: float  #: seconds, the mean


def cells_of(reports: Mapping[str, Report], *, alone: bool, why: str) -> list[Cell]:
    """All cells of a meeting. `alone`: the second is the course's own; `why`: why a report may be missing."""
    found = []
    for meeting in MEETINGS:
        for role in ROLES:
            report = reports.get(meeting_id(meeting.scenario, role))
            found.append(_cell(meeting.letter, role, report, alone=alone, why=why))
    return found


def _cell(letter: str, role: Role, report: Report | None, *, alone: bool, why: str) -> Cell:
    if report is None:
        return Cell(letter, role, "undecided", text=why or "the tester did not report it")
    facts = report.facts or {}
    figures: dict[str, Any] = {"seconds": _number(facts.get("seconds")), "packets": int(_number(facts.get("packets")))}
    if report.outcome is Outcome.PASS:
        return Cell(letter, role, "well", **figures)
    text = cut(report.message, _MOST_TEXT)
    parts = _parts(facts.get("blamed"))
    if alone and any(part.side == "second" for part in parts):
        return Cell(letter, role, "undecided", text=f"the course's own was blamed: {text}")
    if report.outcome.failed and alone and not parts and "blamed" not in facts:
        # Before anything could be found: its node ended, or nothing in it could be started.
        parts = (Part("first", "node", "", text),)
    state: State = "fails" if report.outcome.failed and parts else "undecided"
    if report.outcome.failed and not parts:
        text = f"it fails, and nobody can say whose doing it is: {text}"
    return Cell(letter, role, state, parts, text, **figures)


def _parts(value: object) -> tuple[Part, ...]:
    rows = value if isinstance(value, list) else []
    return tuple(part for row in rows[:_MOST_BLAMES] if isinstance(row, dict) and (part := _part(row)) is not None)


def _part(row: Mapping[str, Any]) -> Part | None:
    side: Side | None = next((one for one in get_args(Side) if one == row.get("side")), None)
    how: How | None = next((one for one in get_args(How) if one == row.get("how")), None)
    rule, text = row.get("rule"), row.get("text")
    if side is None or how is None or not isinstance(text, str):
        return None
    known = rule if isinstance(rule, str) and _RULE.fullmatch(rule) else ""
    return Part(side, how, known, cut(text, _MOST_TEXT), int(_number(row.get("packet"))))


def goodput_of(reports: Mapping[str, Report]) -> list[Goodput] | None:
    """The mean figures for each loss; None if a run is missing or did not arrive."""
    found: dict[float, list[Mapping[str, Any]]] = {}
    for loss, seeds in GOODPUT_RUNS.items():
        runs = [reports.get(goodput_id(loss, seed)) for seed in seeds]
        found[loss] = [run.facts for run in runs if run is not None and run.outcome is Outcome.PASS and run.facts]
        if len(found[loss]) < len(seeds):
            return None
    return means_of(found)


def means_of(runs: Mapping[float, Sequence[Mapping[str, Any]]]) -> list[Goodput]:
    """The mean figures of some runs for each loss."""
    keys = ("share", "repeated", "queued")
    return [
        Goodput(loss, *(_mean([_number(one.get(key)) for one in rows]) for key in keys)) for loss, rows in runs.items()
    ]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _number(value: object) -> float:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and 0 <= value < 1e9
    return float(value) if fits else 0.0  # type: ignore[arg-type]
