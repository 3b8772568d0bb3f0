"""Several runs into one: what machines graded apart is put together, result by result.

Rule 1: of two gradings of the same thing (student, assignment, identity) the one that decided counts, else the later
        one; of two different things the later one. So it does not matter in which order, or how often, runs are merged.
Rule 2: the runs that are read are not changed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from grader.course import Course, Versions
from grader.job.grading import Graded
from grader.record.record import Record
from grader.record.run_folder import RunFolder
from grader.submission import readable_name
from grader.verdict.outcomes import Outcomes
from harness.course.assignment import Assignment
from harness.errors import CommandError


@dataclass
class Merged:
    """What came of it."""

    taken: int = 0  #: results that stand in front now
    kept: int = 0  #: results that were there, or had a better one there


def merge(
    target: RunFolder, sources: Sequence[Record], course: Course, say: Callable[[str], None] = lambda _: None
) -> Merged:
    """Take over every result that is better than the one that is there. `say` is told what cannot be taken.

    Raises OSError when the disk is full; what has been taken until then stays.
    """
    merged = Merged()
    known: dict[str, tuple[Assignment, Versions]] = {}
    for source in sources:
        words = set(map(repr, target.decisions()))
        for word in source.decisions():
            if repr(word) not in words:
                target.decide(word)
        for student, name in sorted(source.journal.finished()):
            where = f"{source.path}: {readable_name(student)}/{readable_name(name)}"
            outcomes = source.outcomes(student, name) if _plain(student) and _plain(name) else None
            if outcomes is None or (outcomes.student, outcomes.assignment) != (student, name):
                say(f"{where} is damaged, or an earlier version graded it. Left out.")
                continue
            try:
                if name not in known:
                    known[name] = course.load(name), course.versions(name)
            except CommandError as error:
                say(f"{where}: {error} Left out.")
                continue
            if _is_better(outcomes, source.load(student, name), target, student, name):
                target.save(_copied(target, source, outcomes, known[name][0]), known[name][1])
                merged.taken += 1
            else:
                merged.kept += 1
    return merged


def _plain(name: str) -> bool:
    """Whether a name is one folder's, whatever a run says."""
    return bool(name) and "/" not in name and "\0" not in name and not name.startswith(".")


def _is_better(
    outcomes: Outcomes, result: Mapping[str, Any] | None, target: RunFolder, student: str, name: str
) -> bool:
    here, there = target.outcomes(student, name), target.load(student, name)
    if here is None or there is None or result is None:
        return True
    if outcomes.identity != here.identity:
        return outcomes.graded_at > here.graded_at
    return (_is_decided(result), outcomes.graded_at) > (_is_decided(there), here.graded_at)


def _is_decided(result: Mapping[str, Any]) -> bool:
    return result.get("state") in ("graded", "refused")


def _copied(target: RunFolder, source: Record, outcomes: Outcomes, assignment: Assignment) -> Graded:
    """A grading with its files, and with a copy of the submission's copy that may be moved."""
    folder = source.folder(outcomes.student, outcomes.assignment)
    named = {name for files in outcomes.files.values() for what, name in files.items() if what != "ladder"}
    if any(not name.startswith("captures/") or ".." in name.split("/") for name in named):
        outcomes, named = replace(outcomes, files={}), set()  # no grader wrote that
    captures = {name: (folder / name).read_bytes() for name in sorted(named) if (folder / name).is_file()}
    copy, kept = None, source.copies.of(str(outcomes.submission.get("hash") or "-"))
    if kept is not None:
        copy = target.work / f"merged-{os.urandom(8).hex()}"
        shutil.copytree(kept, copy, symlinks=True)
    return Graded(outcomes, assignment, captures, copy)
