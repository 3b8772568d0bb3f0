"""What people gave in formgrader -> decisions, as they are kept beside a run's results.

Rule 1: only points are decisions; a comment alone stays where students read it, in nbgrader's feedback.
Rule 2: the same word again is not a new one; what was taken back in formgrader is taken back here, too, but only where
        formgrader said it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from grader.gradebook.book import Book, Row
from grader.gradebook.checks import REMARKS, ours_of
from grader.gradebook.files import checks_of
from grader.gradebook.stages import effective
from grader.verdict.decisions import Decision
from grader.verdict.scoring import number

#: Where these were said.
SOURCE = "formgrader"


@dataclass(frozen=True)
class Word:
    """A person's word on a stage of a submission."""

    student: str  #: the folder's name in submitted/: for group work the one who handed in
    assignment: str
    submission: str  #: hash of the copy it is about
    stage: int
    points: float | None  #: that the stage counts; None: taken back
    comment: str = ""

    @property
    def target(self) -> str:
        """As decisions name it."""
        return f"stage {self.stage}"

    def in_words(self) -> str:
        """For a terminal."""
        what = "taken back" if self.points is None else f"{number(self.points)} points"
        return f"{self.student}/{self.assignment}, {self.target}: {what}{f' ({self.comment})' if self.comment else ''}"


class Decide(Protocol):
    """Keeps a decision."""

    def __call__(self, word: Word) -> None: ...


@dataclass(frozen=True)
class _About:
    """What a row of the gradebook is about."""

    student: str  #: whose folder was graded
    submission: str  #: hash of the copy


def _about(folder: Path, row: Row) -> _About:
    try:
        ours = ours_of(checks_of(folder, row.student, row.assignment).read_bytes())
    except OSError:
        ours = {}
    return _About(str(ours.get("of") or row.student), str(ours.get("hash") or ""))


def words(book: Book, folder: Path) -> Iterator[Word]:
    """Everything that people gave, by assignment and student; a group's word once.

    What waits for a second look, because the submission changed, is not yet a word about what there is now.
    """
    seen = set()
    for row in book.rows():
        about = _about(folder, row)
        standing = book.standing(row.assignment, row.student)
        for cell, given in book.given(row.assignment, row.student).items():
            if cell == REMARKS or not given.said or standing[cell].needed:
                continue
            points = round(effective(standing[cell].points or 0.0, given), 6)
            stage = int(cell.removeprefix("stage-"))
            if (about.student, row.assignment, stage) not in seen:
                seen.add((about.student, row.assignment, stage))
                yield Word(about.student, row.assignment, about.submission, stage, points, given.comment or "")


def bring(book: Book, folder: Path, known: Sequence[Decision], decide: Decide) -> list[Word]:
    """Hand over every word that is new, and take back what is no more said; what was handed over.

    `known`: the decisions so far, in the order in which they were said.
    """
    latest = {(one.student, one.assignment, one.submission, one.target): one for one in known}
    told, now = [], set()
    for word in words(book, folder):
        key = (word.student, word.assignment, word.submission, word.target)
        now.add(key)
        before = latest.get(key)
        if before is None or (before.given, before.because) != (word.points, because(word)):
            told.append(word)
    rows = list(book.rows())
    shown = {(about.student, row.assignment, about.submission) for row in rows for about in [_about(folder, row)]}
    for key, before in latest.items():
        if before.source == SOURCE and not before.taken_back and key[:3] in shown and key not in now:
            stage = int(before.target.removeprefix("stage "))
            told.append(Word(before.student, before.assignment, before.submission, stage, None))
    for word in told:
        decide(word)
    return told


def because(word: Word) -> str:
    """The reason that is kept: the comment, or where it was said."""
    return word.comment or "given in formgrader"
