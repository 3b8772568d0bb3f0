"""SUBMITTED/<student>/<assignment>/ -> which jobs there are. Looks at folder names only.

Rule 1: what cannot be graded is said in a sentence; it never stops the rest.
Rule 2: names are the students' choice: bytes, shown with `readable_name`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader.course import Course
from grader.submission import LEFT_OUT, readable_name
from harness.course.assignment import Assignment
from harness.course.misplaced import ARCHIVES, plain_name
from harness.errors import CommandError, UsageError
from harness.text.nearest import nearest

#: Hidden folders that are nobody's work, and no mistake.
OF_TOOLS = LEFT_OUT | {".ipynb_checkpoints"}


@dataclass(frozen=True)
class GradingJob:
    """A folder to grade."""

    student: str  #: the folder's name; bytes that are not UTF-8 as surrogates
    assignment: Assignment  #: with the checks that are to be run
    path: Path
    until_failure: bool = False  #: whether the first check that fails is all that is asked for

    @property
    def name(self) -> str:
        """Its name in messages."""
        return f"{readable_name(self.student)}/{self.assignment.name}"


@dataclass
class Plan:
    """The jobs, and remarks on what was left out."""

    jobs: list[GradingJob] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)  #: what could not be graded and why, one sentence each
    absent: list[str] = field(default_factory=list)  #: who handed in nothing of what was asked for, one sentence each


#: Names that the run's own folder needs, so no student can have them.
RESERVED = frozenset({"journal.jsonl", "decisions.jsonl", "campaign.json", "index.html", "interop", "likeness"})


def make_plan(
    course: Course, submitted: Path, *, assignments: Sequence[str] = (), students: Sequence[str] = ()
) -> Plan:
    """The jobs in a folder of submissions, those asked for if any were.

    Raises UsageError, SetupError.
    """
    if not submitted.is_dir():
        raise UsageError(f"{submitted} is not a folder. Give the one that holds <student>/<assignment>/ folders.")
    known = {name: course.load(name) for name in assignments}
    plan = Plan()
    there = _folders(submitted, plan.remarks, "")
    for student in students:
        if student not in there:
            raise UsageError(f'{submitted} has no student "{student}". {nearest(student, map(readable_name, there))}')
    for student in there:
        if students and student not in students:
            continue
        if student in RESERVED:
            plan.remarks.append(f"{student}: a student's folder cannot have this name; rename it. Not graded.")
            continue
        where = f"{readable_name(student)}/"
        names = _folders(submitted / student, plan.remarks, where)
        for name in names:
            if assignments and name not in assignments:
                continue
            assignment = _find(course, name, known, plan.remarks, where)
            if assignment is not None:
                plan.jobs.append(GradingJob(student, assignment, submitted / student / name))
        _note_absence(plan, where, names, assignments)
    if not plan.jobs:
        raise UsageError("\n".join([_nothing(submitted, there, assignments), *plan.remarks]))
    return plan


def _note_absence(plan: Plan, where: str, names: Sequence[str], assignments: Sequence[str]) -> None:
    """Say of a student's folder what of the assignments asked for is not in it, and what there is instead."""
    if not names and not assignments:
        plan.absent.append(f"{where}: nothing was handed in.")
    for wanted in assignments:
        if wanted in names:
            continue
        alike = [readable_name(name) for name in names if plain_name(name) == plain_name(wanted)]
        if alike:
            plan.remarks.append(f"{where}{alike[0]}: is not called {wanted}; rename it. Not graded.")
        else:
            plan.absent.append(f"{where}: nothing of {wanted} was handed in.")


def _nothing(submitted: Path, there: Sequence[str], assignments: Sequence[str]) -> str:
    if not there:
        return f"{submitted} holds no submissions. Put folders <student>/<assignment>/ into it."
    wanted = " or ".join(assignments) if assignments else "any assignment"
    return f"{submitted} holds no submission of {wanted}. Submissions are folders <student>/<assignment>/."


def _find(course: Course, name: str, known: dict[str, Assignment], remarks: list[str], where: str) -> Assignment | None:
    """The assignment of a folder's name; None, with a remark, if there is none."""
    if name not in known:
        try:
            known[name] = course.load(name)
        except CommandError as error:
            remarks.append(f"{where}{readable_name(name)}: {error} Not graded.")
            return None
    return known[name]


def _folders(folder: Path, remarks: list[str], where: str) -> list[str]:
    """Names of the folders in a folder, in the order of their bytes. What is skipped gets a remark, but OF_TOOLS."""
    names = []
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        remarks.append(f"{where or folder}: cannot be listed ({os.strerror(error.errno or 0)}). Not graded.")
        return []
    for entry in entries:
        if entry.name.startswith("."):
            if entry.is_dir(follow_symlinks=False) and entry.name not in OF_TOOLS:
                remarks.append(f"{where}{readable_name(entry.name)}: is a hidden folder; rename it. Not graded.")
            continue
        if entry.is_dir(follow_symlinks=False):
            names.append(entry.name)
        elif entry.is_symlink():
            remarks.append(f"{where}{readable_name(entry.name)}: is a symbolic link, not a folder. Not graded.")
        elif entry.name.lower().endswith(ARCHIVES):
            remarks.append(f"{where}{readable_name(entry.name)}: is an archive, not a folder; unpack it. Not graded.")
        elif where:
            remarks.append(f"{where}{readable_name(entry.name)}: is a file next to the assignments' folders. Skipped.")
    return names
