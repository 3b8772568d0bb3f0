"""What people gave in formgrader -> decisions, as they are kept beside a run's results.

Rule: this says what a person decided; whoever keeps decisions says whether it is new.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from grader.gradebook.book import Book
from grader.gradebook.checks import REMARKS, ours_of
from grader.gradebook.files import checks_of
from grader.gradebook.stages import effective
from grader.verdict.scoring import number


@dataclass(frozen=True)
class Decision:
    """A person's word on a stage of a submission, or on the whole of it."""

    student: str  #: the folder's name in submitted/: for group work the one who handed in
    assignment: str
    stage: int | None  #: None: a remark below all stages
    points: float | None  #: that the stage counts; None: only a comment
    comment: str = ""

    def in_words(self) -> str:
        """For a terminal."""
        where = f"{self.student}/{self.assignment}" + (f", stage {self.stage}" if self.stage is not None else "")
        what = f"{number(self.points)} points" if self.points is not None else "a comment"
        return f"{where}: {what}{f' ({self.comment})' if self.comment else ''}"


class Decide(Protocol):
    """Keeps a decision. Answers whether it was new: the same word again is not."""

    def __call__(
        self, *, student: str, assignment: str, stage: int | None, points: float | None, comment: str, by: str
    ) -> bool: ...


def decisions(book: Book, folder: Path) -> Iterator[Decision]:
    """Everything that people gave, by assignment and student; a group's word once."""
    seen = set()
    for row in book.rows():
        try:
            owner = str(ours_of(checks_of(folder, row.student, row.assignment).read_bytes()).get("of") or row.student)
        except OSError:
            owner = row.student
        standing = book.standing(row.assignment, row.student)
        for cell, given in book.given(row.assignment, row.student).items():
            stage = None if cell == REMARKS else int(cell.removeprefix("stage-"))
            points = effective(standing[cell].points or 0.0, given) if stage is not None and given.said else None
            decision = Decision(owner, row.assignment, stage, points, given.comment or "")
            if decision not in seen:
                seen.add(decision)
                yield decision


def bring(book: Book, folder: Path, decide: Decide, *, by: str) -> list[Decision]:
    """Hand every decision over; those that were new."""
    return [
        one
        for one in decisions(book, folder)
        if decide(
            student=one.student,
            assignment=one.assignment,
            stage=one.stage,
            points=one.points,
            comment=one.comment,
            by=by,
        )
    ]
