"""A folder of files -> submitted/<student>/<assignment>/, hashed, with a receipt. What was there before is kept.

Rule 1: one collector at a time; again without change does nothing.
Rule 2: the new one is whole beside the old one before it takes its place by rename; the receipt follows.
Rule 3: what was handed in before moves to earlier/<student>/<assignment>/<hash>/, and nothing there is ever replaced.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from grader.collect.ledger import Ledger
from grader.record.lock import writing
from grader.submission import STAMP, hash_of, take_submission
from grader.term.receipts import Receipt, current

EARLIER = "earlier"


@dataclass(frozen=True)
class Handed:
    """What is to be put in place."""

    student: str
    assignment: str
    moment: datetime  #: aware
    clock: str
    source: str
    notes: tuple[str, ...] = ()


@contextlib.contextmanager
def collecting(folder: Path) -> Iterator[Place]:
    """The course's folder, for one collector. Raises UsageError if another one is at work."""
    with writing(folder / ".collect.lock"):
        work = folder / ".collecting"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            yield Place(folder, work)
        finally:
            shutil.rmtree(work, ignore_errors=True)


class Place:
    """Puts submissions in place. Get one from `collecting`."""

    def __init__(self, folder: Path, work: Path) -> None:
        self.folder, self.work = folder, work
        self.ledger = Ledger(folder)
        self._current = current(self.ledger.receipts())
        self._number = 0

    def room(self) -> Path:
        """A path where nothing is yet, for files on their way."""
        self._number += 1
        return self.work / f"from-{self._number}"

    def put(self, source: Path, handed: Handed, *, submitted: Path, now: datetime) -> Receipt | None:
        """Take a folder in; the receipt, or None if the same is there already. Raises SubmissionError."""
        self._number += 1
        copy = self.work / f"copy-{self._number}"
        taken = take_submission(source, copy, student=handed.student, assignment=handed.assignment)
        before = self._current.get((handed.student, handed.assignment))
        target = submitted / handed.student / handed.assignment
        if before is not None and before.hash == taken.hash and target.is_dir():
            if not (target / STAMP).exists():  # of an early version
                _stamp(target, before.moment)
            return None
        if target.exists():
            self._keep(target, before.hash if before else hash_of(target))
        target.parent.mkdir(parents=True, exist_ok=True)
        _stamp(copy, handed.moment)
        os.replace(copy, target)
        receipt = Receipt(
            student=handed.student,
            assignment=handed.assignment,
            moment=handed.moment,
            clock=handed.clock,
            hash=taken.hash,
            files=taken.files,
            size=taken.size,
            source=handed.source,
            taken=now,
            notes=(*handed.notes, *taken.notes),
        )
        self.ledger.add(receipt)
        self._current[handed.student, handed.assignment] = receipt
        return receipt

    def _keep(self, target: Path, name: str) -> None:
        kept = self.folder / EARLIER / target.parent.name / target.name / name[:16]
        if kept.exists():  # it was handed in twice before
            shutil.rmtree(target)
            return
        kept.parent.mkdir(parents=True, exist_ok=True)
        os.replace(target, kept)


def _stamp(folder: Path, moment: datetime) -> None:
    """Say when it was handed in, as nbgrader's submit does: formgrader compares it with the gradebook's."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    (folder / STAMP).write_text(f"{text}\n", encoding="ascii")
