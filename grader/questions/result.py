"""What became of each question, as it is kept. Pure.

Rule 1: only `pass` gives points, only what is inconclusive or a person's leaves them open; whose fault it was is said.
Rule 2: an instructor reads all of it; what a student reads is the author's text, and what the student's own cells did.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from grader.questions.source import Question
from harness.tester.border.outcome import Outcome

#: Version of what is kept.
SCHEMA = 1
#: Whose fault it is that a question has not its points.
Fault = Literal["", "submission", "ours", "machine"]


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What became of one question."""

    name: str
    possible: float
    outcome: str  #: an Outcome's word; "hand": a person gives the points
    fault: Fault = ""
    message: str = ""  #: for instructors: what was missing, and why
    told: str = ""  #: for students: what happened in their own cells
    values: Mapping[str, Any] = field(default_factory=dict)  #: that came out, for instructors

    @property
    def points(self) -> float:
        """Earned by program."""
        return self.possible if self.outcome == Outcome.PASS.value else 0.0

    @property
    def waits(self) -> bool:
        """Whether a person decides."""
        return self.outcome in ("hand", Outcome.INCONCLUSIVE.value)

    @property
    def undecided(self) -> float:
        """Points that a person decides."""
        return self.possible if self.waits else 0.0


def said_of(question: Question, answered: Answered) -> str:
    """What a student reads below the cell that has the points."""
    most = f"{question.points:g}"
    if answered.outcome == Outcome.PASS.value:
        return f"{most} of {most} points"
    if answered.outcome == Outcome.INCONCLUSIVE.value:
        return f"0 of {most} points so far: the lab could not tell, through no fault of yours. A person decides."
    return " ".join(filter(None, (f"0 of {most} points.", answered.told, question.hint)))


def to_row(
    student: str, assignment: str, answers: Sequence[Answered], *, state: str, message: str = "", **about: Any
) -> dict[str, Any]:
    """The whole result, as JSON.

    state: "graded", "undecided" (a person decides something that is ours or the machine's), "refused" (the file could
    not be read), "ours".
    """
    return {
        "schema": SCHEMA,
        "student": student,
        "assignment": assignment,
        "state": state,
        "message": message,
        "points": math.fsum(one.points for one in answers),
        "possible": math.fsum(one.possible for one in answers),
        "undecided": math.fsum(one.undecided for one in answers),
        **about,
        "questions": [{**asdict(one), "values": _kept(one.values), "points": one.points} for one in answers],
    }


def _kept(values: Mapping[str, Any]) -> dict[str, str]:
    """Values as they are read by a person."""
    return {name: repr(value)[:2_000] for name, value in values.items()}


def answers_of(row: Mapping[str, Any]) -> tuple[Answered, ...]:
    """The questions of a result that was kept."""
    names = Answered.__dataclass_fields__
    return tuple(Answered(**{key: one[key] for key in names if key in one}) for one in row["questions"])
