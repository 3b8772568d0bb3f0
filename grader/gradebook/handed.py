"""What lies in submitted/, and whether a result is about it: points of a submission that is not graded yet go nowhere.

Rule 1: what lies there decides, not its receipt: it may have been put there by hand. Where nothing lies, nothing is
        said against a result.
Rule 2: of a group, the folder counts that was handed in last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from grader.submission import hash_of
from grader.term.receipts import Receipt
from harness.errors import SubmissionError


def moment(known: Mapping[tuple[str, str], Receipt], student: str, assignment: str) -> tuple[float, str]:
    """What the folders of a group are put in order by: when each was handed in, as far as that is known."""
    receipt = known.get((student, assignment))
    return (receipt.moment.timestamp() if receipt else 0.0, student)


@dataclass
class Submitted:
    """What was handed in, by folder."""

    folder: Path  #: SUBMITTED/<student>/<assignment>/
    known: Mapping[tuple[str, str], Receipt]  #: (student, assignment) -> its receipt
    members: Callable[[str, str], Iterable[str]]  #: (assignment, student) -> whose folders may count for a student
    _hashes: dict[tuple[str, str], str] = field(default_factory=dict)

    def students(self, assignments: Iterable[str]) -> set[str]:
        """Everybody who has a folder of one of the assignments."""
        found = {path.parent.name for name in assignments for path in self.folder.glob(f"*/{name}") if path.is_dir()}
        return {name for name in found if not name.startswith(".")}

    def group(self, assignment: str, student: str) -> set[str]:
        """Whose folders may count for a student, their own among them."""
        return {student, *self.members(assignment, student)}

    def counting(self, assignment: str, student: str) -> str | None:
        """Whose folder counts for a student; None if nothing was handed in."""
        there = [one for one in self.group(assignment, student) if self._path(one, assignment).is_dir()]
        return max(there, key=lambda one: moment(self.known, one, assignment), default=None)

    def hash(self, assignment: str, student: str) -> str:
        """Of what lies in a student's own folder; empty where no copy of it can be taken, as in a result."""
        key = student, assignment
        if key not in self._hashes:
            try:
                self._hashes[key] = hash_of(self._path(student, assignment))
            except SubmissionError:
                self._hashes[key] = ""
        return self._hashes[key]

    def newer(self, assignment: str, student: str, graded: str | None) -> str:
        """What was handed in after the copy that was graded, in words; empty if that is what counts.

        `student`: whose folder was graded; `graded`: the copy's hash, None or empty if there was none.
        """
        who = self.counting(assignment, student)
        if who is None:
            return ""
        if who != student:
            return f"{who}, of the same group, handed in later, and that is not graded yet"
        return "" if self.hash(assignment, student) == (graded or "") else "handed in again, and not graded yet"

    def _path(self, student: str, assignment: str) -> Path:
        return self.folder / student / assignment
