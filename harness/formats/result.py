"""What the formats are made from: points, stages and checks, as one reader may see them. Pure.

Rule: whoever makes a Result decides what may be told (`lab check` knows public checks only, the grader has its views).
The formats tell all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from harness.tester.border.outcome import Outcome


@dataclass(frozen=True)
class Place:
    """A line of a file."""

    file: str  #: relative to the repository, with "/"
    line: int  #: from 1


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What became of one check. Texts may be a program's own words: every format makes them harmless."""

    id: str  #: pytest's id; of a hidden check a number within its section. No two of a result are the same
    suite: str  #: "public" or "hidden"
    stage: int  #: number of its stage
    section: str  #: of the handout
    rule: str = ""  #: what a correct program does; empty where that is not told
    outcome: Outcome | None  #: None: the check has not reported
    points: float
    possible: float
    seconds: float = 0.0
    message: str = ""  #: what broke; of a hidden check its author's text
    expected: str = ""
    seen: str = ""
    story: tuple[str, ...] = ()  #: what happened, a line for each step
    hint: str = ""
    again: str = ""  #: the command that runs it again with the same data
    place: Place | None = None  #: where to look

    @property
    def title(self) -> str:
        """Its name for people."""
        return self.rule or f"A hidden check of section {self.section}"

    @property
    def failed(self) -> bool:
        """Whether the submission did not do what was asked."""
        return self.outcome in (Outcome.FAIL, Outcome.TIMEOUT, Outcome.ERROR)

    @property
    def open(self) -> bool:
        """Whether nothing is decided, which is not the submission's fault."""
        return self.outcome is None or self.outcome is Outcome.INCONCLUSIVE


@dataclass(frozen=True, kw_only=True)
class StageResult:
    """What became of a stage."""

    number: int
    title: str
    points: float
    possible: float
    complete: bool  #: all of its checks that are shown have passed, as far as the machine can tell
    open: bool = False  #: it might be complete: nothing in it has failed, and something is undecided
    message: str = ""  #: why none of it counts; empty if it does


@dataclass(frozen=True, kw_only=True)
class Result:
    """One assignment of one student, as one reader may see it."""

    assignment: str
    title: str
    student: str = ""  #: empty where there is only one
    points: float
    possible: float
    undecided: float = 0.0  #: points that are neither earned nor lost
    message: str = ""  #: what stands above everything else, such as a failed build
    stages: tuple[StageResult, ...]
    checks: tuple[CheckResult, ...]
    due: frozenset[int] | None = None  #: stages that have to be complete; None: all
    remark: str = ""  #: what the reader should know, such as that these are the public checks only

    @property
    def broken(self) -> list[StageResult]:
        """The stages that have to be complete and are not."""
        return [stage for stage in self.stages if self.is_due(stage.number) and not (stage.complete or stage.open)]

    def is_due(self, stage: int) -> bool:
        """Whether that stage has to be complete."""
        return self.due is None or stage in self.due

    @property
    def first(self) -> CheckResult | None:
        """The first check that failed: the one to work on."""
        return next((check for check in self.checks if check.failed), None)


@dataclass(frozen=True)
class Context:
    """What a format may need that is no part of a result."""

    now: datetime  #: when the result was ready; with a time zone
    environment: Mapping[str, str] = field(default_factory=dict)  #: of the system that asks (Classroom 50)
    leaderboard: bool = False  #: whether students are to be compared in public, where a platform can do that
