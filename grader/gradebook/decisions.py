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
from grader.gradebook.checks import NAME
from grader.gradebook.files import read_ours
from grader.gradebook.stages import effective
from grader.verdict.decisions import Decision, question_target, stage_target
from grader.verdict.scoring import number

#: Where these were said.
SOURCE = "formgrader"


@dataclass(frozen=True)
class Word:
    """A person's word on a stage or a question of a submission."""

    student: str  #: the folder's name in submitted/: for group work the one who handed in
    assignment: str
    submission: str  #: hash of the copy it is about
    target: str  #: "stage N", or "question NAME"
    points: float | None  #: that it counts; None: taken back
    comment: str = ""

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


def _about(folder: Path, row: Row, name: str) -> _About:
    ours = read_ours(folder, row.student, row.assignment, name)
    return _About(str(ours.get("of") or row.student), str(ours.get("hash") or ""))


def words(book: Book, folder: Path) -> Iterator[Word]:
    """Everything that people gave, by assignment and student; a group's word once.

    What waits for a second look, because the submission changed, is not yet a word about what there is now.
    """
    seen = set()
    for notebook in (book, book.questions):
        for row in notebook.rows():
            about = _about(folder, row, notebook.name)
            standing = notebook.standing(row.assignment, row.student)
            for cell, given in notebook.given(row.assignment, row.student).items():
                if cell not in standing or not given.said or standing[cell].needed:
                    continue
                points = round(effective(standing[cell].points or 0.0, given), 6)
                target = _target(notebook.name, cell)
                if (about.student, row.assignment, target) not in seen:
                    seen.add((about.student, row.assignment, target))
                    yield Word(about.student, row.assignment, about.submission, target, points, given.comment or "")


def _target(notebook: str, cell: str) -> str:
    return stage_target(int(cell.removeprefix("stage-"))) if notebook == NAME else question_target(cell)


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
    rows = [(row, _about(folder, row, one.name)) for one in (book, book.questions) for row in one.rows()]
    shown = {(about.student, row.assignment, about.submission) for row, about in rows}
    for key, before in latest.items():
        if before.source == SOURCE and not before.taken_back and key[:3] in shown and key not in now:
            told.append(Word(before.student, before.assignment, before.submission, before.target, None))
    for word in told:
        decide(word)
    return told


def because(word: Word) -> str:
    """The reason that is kept: the comment, or where it was said."""
    return word.comment or "given in formgrader"
