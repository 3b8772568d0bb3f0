"""What a run folder holds, for whoever reads it. Nothing here writes, so no lock is needed.

RUN/<student>/<assignment>/            the result that stands in front
RUN/<student>/<assignment>/history/<short>/    earlier ones, and reruns
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.course_file import CourseFile
from grader.record.copies import Copies
from grader.record.journal import Journal
from grader.record.lines import Lines, parsed
from grader.submission import readable_name
from grader.verdict.decisions import BadDecision, Decision, decision_of
from grader.verdict.outcomes import BadOutcomes, Outcomes, outcomes_of
from harness.errors import SetupError, UsageError
from harness.text.nearest import nearest

#: Beside result.json: the result of a later grading that broke through our fault.
BROKEN = "broken.json"
#: Beside the result in front: those before it.
HISTORY = "history"
#: Without these a result is none.
_NEEDED = {"student", "assignment", "state", "points", "possible", "undecided", "graded_at", "stages", "checks"} | {
    "submission",
    "identity",
    "seed",
}


@dataclass(frozen=True)
class Kept:
    """One grading that is kept."""

    folder: Path
    result: Mapping[str, Any]
    current: bool  #: it stands in front

    @property
    def short(self) -> str:
        """Its short name; of results of an early version, the name of its folder."""
        return str(self.result.get("short") or self.folder.name)

    def outcomes(self) -> Outcomes:
        """What happened. Raises SetupError where that was not kept."""
        path = self.folder / "outcomes.json"
        try:
            return _outcomes(path)
        except FileNotFoundError:
            why = f"{path} is missing: an earlier version graded it, which kept points only"
        except (BadOutcomes, OSError, ValueError) as error:
            why = f"{path} cannot be used: {error}"
        raise SetupError(f"{why}. Grade the submission again: grader run.")


class Record:
    """A run folder. Raises UsageError if this is none."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        if not (self.path / "campaign.json").is_file():
            raise UsageError(
                f"{path} is not the folder of a run (it has no campaign.json). Give the one that grader run made."
            )
        self.journal = Journal(self.path / "journal.jsonl")
        self.copies = Copies(self.path / ".copies")
        self._words = Lines(self.path / "decisions.jsonl", ("student", "assignment", "target"))

    def folder(self, student: str, assignment: str) -> Path:
        """Where a submission's results are."""
        return self.path / student / assignment

    def load(self, student: str, assignment: str) -> dict[str, Any] | None:
        """The result in front, None if it is not there or damaged."""
        return _result(self.folder(student, assignment))

    def outcomes(self, student: str, assignment: str) -> Outcomes | None:
        """What the result in front was made from; None if that is not kept or damaged."""
        with contextlib.suppress(OSError, ValueError):
            return _outcomes(self.folder(student, assignment) / "outcomes.json")
        return None

    def results(self) -> list[dict[str, Any]]:
        """Every result in front, by student and assignment."""
        rows = [self.load(student, assignment) for student, assignment in sorted(self.journal.finished())]
        return [row for row in rows if row is not None]

    def history(self, student: str, assignment: str) -> list[Kept]:
        """Everything that is kept of a submission, the oldest first."""
        folder = self.folder(student, assignment)
        earlier = folder / HISTORY
        names = sorted(path for path in earlier.iterdir() if path.name[0] != ".") if earlier.is_dir() else []
        kept = [Kept(path, result, False) for path in names if (result := _result(path)) is not None]
        if (front := _result(folder)) is not None:
            kept = [one for one in kept if one.short != front.get("short")]  # both, where a writer was killed
            kept.append(Kept(folder, front, True))
        return sorted(kept, key=lambda one: (str(one.result["graded_at"]), one.current))

    def before(self, result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The results of the same submission before that one, and its reruns, the newest first."""
        if not (self.folder(result["student"], result["assignment"]) / HISTORY).is_dir():
            return []  # as for nearly everybody, so the one in front need not be read for it
        kept = [one.result for one in self.history(result["student"], result["assignment"]) if not one.current]
        return [one for one in reversed(kept) if one.get("short") != result.get("short")]

    def front(self, student: str, assignment: str) -> Kept:
        """The result in front. Raises UsageError, which names what there is."""
        names = {name for name, _ in self.journal.finished()}
        if student not in names:
            known = [readable_name(name) for name in sorted(names)]
            raise UsageError(f'{self.path} has no student "{readable_name(student)}". {nearest(student, known)}')
        result = self.load(student, assignment)
        if result is None:
            known = sorted(of for name, of in self.journal.finished() if name == student)
            what = f'{readable_name(student)} has no result of "{readable_name(assignment)}"'
            raise UsageError(f"{what}. {nearest(assignment, known)}")
        return Kept(self.folder(student, assignment), result, True)

    def decisions(self, student: str | None = None, assignment: str | None = None) -> list[Decision]:
        """The words of people, in the order in which they were said; of one submission, if it is named."""
        found = []
        for row in self._words.rows():
            if student in (None, row["student"]) and assignment in (None, row["assignment"]):
                with contextlib.suppress(BadDecision):
                    found.append(decision_of(row))
        return found

    def broken(self) -> list[str]:
        """Whose result stands although a later grading broke through our fault, a sentence each."""
        found = []
        for student, assignment in sorted(self.journal.finished()):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                why = parsed((self.folder(student, assignment) / BROKEN).read_bytes())
                name = f"{readable_name(student)}/{assignment}"
                found.append(f"{name}: grading it again broke ({why['graded_at']}); the result before it stands.")
        return found

    def find(self, short: str) -> tuple[Kept, str]:
        """The grading of a short name, and what follows its dot: a check's number. Raises UsageError."""
        name, _, number = short.strip().lower().partition(".")
        pairs = sorted(self.journal.finished())
        found = [kept for pair in pairs for kept in self.history(*pair) if kept.short == name]
        if not found:
            raise UsageError(f"{self.path} has no result {short!r}. It stands at the end of the student's page.")
        if len(found) > 1:
            folders = ", ".join(str(kept.folder) for kept in found)
            raise UsageError(f"{short!r} is the name of {len(found)} results: {folders}. Look at each: grader show.")
        return found[0], number

    def copies_wanted(self) -> set[str]:
        """The hashes of all copies that a result is about, whatever the journal says.

        Raises SetupError where a result cannot be read: nobody knows which copy that one is about.
        """
        wanted = set()
        for pattern in ("*/*", f"*/*/{HISTORY}/*"):
            for path in sorted(self.path.glob(f"{pattern}/result.json")):
                result = _result(path.parent)
                if result is None:
                    raise SetupError(
                        f"{path} is damaged, so nobody knows which copy it is about; nothing was removed."
                        " Restore it from a backup, or grade the submission again: grader run."
                    )
                wanted.add(str(result["submission"]["hash"] or ""))
        return wanted - {""}


def run_of(path: Path, course: CourseFile | None) -> Path:
    """The folder of a run: the one that is named, or that of the course it belongs to."""
    if (path / "campaign.json").is_file() or course is None:
        return path
    return course.run


def check_of(result: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A check of a result by its number, its id, or the end of its id. Raises UsageError."""
    checks: Sequence[Mapping[str, Any]] = result["checks"]
    for of in (lambda one: str(one["number"]), lambda one: one["id"], _function, lambda one: _short_name(one["id"])):
        found = [check for check in checks if of(check) == name]
        if len(found) > 1:
            ids = ", ".join(check["id"] for check in found)
            raise UsageError(f'"{name}" is the name of {len(found)} checks: {ids}. Give the id, or the number.')
        if found:
            return found[0]
    known = [_short_name(check["id"]) for check in checks]
    raise UsageError(f'{result["assignment"]} has no check "{name}". {nearest(name, known)}')


def _function(check: Mapping[str, Any]) -> str:
    return str(check["id"]).partition("::")[2]


def _short_name(check: str) -> str:
    return check.rpartition("::")[2].removeprefix("test_")


def _result(folder: Path) -> dict[str, Any] | None:
    try:
        data = parsed((folder / "result.json").read_bytes())
    except (OSError, ValueError):
        return None
    whole = isinstance(data, dict) and data.keys() >= _NEEDED and isinstance(data["submission"], dict)
    return data if whole and "hash" in data["submission"] else None


def _outcomes(path: Path) -> Outcomes:
    """Raises OSError, BadOutcomes, ValueError."""
    row = parsed(path.read_bytes())
    if not isinstance(row, dict):
        raise BadOutcomes("they are damaged")
    return outcomes_of(row)
