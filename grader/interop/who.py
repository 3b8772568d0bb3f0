"""Who takes part, two that meet, and what came of it, as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader.interop.found import Cell, Goodput
from harness.tester.border.records import Report


@dataclass(frozen=True)
class Entrant:
    """One submission that takes part."""

    student: str
    hash: str  #: of the graded copy
    path: Path  #: of what runs: a copy of that, or what was built from it
    programs: Mapping[str, Sequence[str]]
    listed: bool  #: whether it wants to be on the leaderboard
    builds: bool = False  #: whether it is still to be built


@dataclass(frozen=True)
class Meeting:
    """Two that meet."""

    first: int  #: place among the entrants
    second: int | None  #: None: the course's own
    kind: str = "meeting"  #: "goodput": the runs for the leaderboard


@dataclass(frozen=True)
class Played:
    """What came of a meeting."""

    meeting: Meeting
    identity: str
    cells: Sequence[Cell] = ()
    goodput: Sequence[Goodput] | None = None
    seconds: float = 0.0  #: of its lane
    text: str = ""  #: why nothing came of it
    reports: Mapping[str, Report] = field(default_factory=dict, repr=False)  #: with stories and packets

    @property
    def decided(self) -> bool:
        """Whether nothing of it has to be played once more."""
        if self.meeting.kind == "goodput":
            return self.goodput is not None
        return bool(self.cells) and all(cell.state != "undecided" for cell in self.cells)
