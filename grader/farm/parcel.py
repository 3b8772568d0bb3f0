"""What a worker is told: a group of checks of one submission, as bytes. Pure.

Rule 1: plain data. A line of JSON, then the submission as a tar, of a meeting with another one the other's behind it;
        the assignment by name, the tests by their hash.
Rule 2: the seed of this student and assignment goes along, never the course's secret, and no name of a student.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from grader.bench.task import Task
from grader.course import Course, Versions
from grader.job.built import take_built
from harness.errors import CommandError, SubmissionError
from harness.lab.interface import LabError
from harness.lab.node.packing import pack_tree
from harness.tester.border.outcome import Outcome
from harness.transport.simulation.meetings import as_assignment

#: Changes with the meaning of parcels and answers.
FORMAT = 2


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """A group of checks to run."""

    version: str  #: of tests, image and lab: a worker of another one does not open it
    assignment: str
    job: Mapping[str, Any] = field(repr=False)  #: the fields of a Task that say what is run
    submission: bytes = field(repr=False)  #: a tar
    second: bytes | None = field(repr=False, default=None)  #: of a meeting with another submission: that one's

    def to_bytes(self) -> bytes:
        """For the wire."""
        head: dict[str, Any] = {"version": self.version, "assignment": self.assignment, "job": dict(self.job)}
        head["first"] = None if self.second is None else len(self.submission)
        return json.dumps(head).encode("ascii") + b"\n" + self.submission + (self.second or b"")

    @classmethod
    def from_bytes(cls, data: bytes) -> Parcel:
        """From the wire; it comes from a trusted machine. Raises LabError if that has another version."""
        head, _, tars = data.partition(b"\n")
        try:
            row = json.loads(head)
            first: int | None = row["first"]
            return cls(
                version=row["version"],
                assignment=row["assignment"],
                job=dict(row["job"]),
                submission=tars[:first],
                second=None if first is None else tars[first:],
            )
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise LabError(f"the parcel cannot be read ({error}): grader and worker differ in version") from None


#: What of a task a worker has itself, must not know, or is told in another way; all else goes along as it is.
_NOT_SENT = frozenset(
    (
        *("student", "assignment", "suites", "identity", "lab", "versions", "others", "reference"),
        *("submission", "second", "outcomes"),
    )
)
_JOB = tuple(each.name for each in fields(Task) if each.name not in _NOT_SENT)


def parcel_of(task: Task, version: str) -> Parcel:
    """The parcel of a task. Raises OSError if its copy cannot be read."""
    job: dict[str, Any] = {name: getattr(task, name) for name in _JOB}
    job["outcomes"] = {check: outcome.value for check, outcome in task.outcomes.items()}
    second = None if task.second is None else _packed(task.second)
    name = task.assignment.name
    return Parcel(version=version, assignment=name, job=job, submission=_packed(task.submission), second=second)


def _packed(folder: Path) -> bytes:
    tar = io.BytesIO()
    pack_tree(str(folder), tar)
    return tar.getvalue()


def task_of(parcel: Parcel, course: Course, folder: Path) -> Task:
    """The task in a parcel, with the submission below `folder`, which is new. Raises LabError."""
    try:
        assignment = course.load(parcel.assignment)
        take_built(io.BytesIO(parcel.submission), folder, len(parcel.submission))
        second = None if parcel.second is None else folder.with_name(f"{folder.name}-second")
        if second is not None and parcel.second is not None:
            take_built(io.BytesIO(parcel.second), second, len(parcel.second))
        job = dict(parcel.job)
        suites = course.suites(parcel.assignment)
        if job["meets"]:
            assignment = as_assignment(assignment, two=second is not None)
            suites = {"hidden": course.meetings(parcel.assignment)}
        outcomes = {check: Outcome(word) for check, word in job.pop("outcomes").items()}
        return Task(
            student="",
            assignment=assignment,
            suites=suites,
            reference=course.reference(parcel.assignment),
            identity="",
            lab={},
            submission=folder,
            second=second,
            outcomes=outcomes,
            **job,
        )
    except (CommandError, SubmissionError, KeyError, TypeError, ValueError) as error:
        raise LabError(f"the parcel cannot be unpacked ({error}): grader and worker differ in version") from None


def version_of(versions: Mapping[str, Versions], *, kind: str, engine: str, image: str) -> str:
    """One hash of all that decides outcomes where they run, but for the submission and the seed."""
    rows = {name: (each.base, sorted(each.checks.items())) for name, each in versions.items()}
    text = json.dumps([FORMAT, rows, kind, engine, image], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def versions_of(course: Course, names: Sequence[str]) -> dict[str, Versions]:
    """Of the assignments named, and of the meetings of those that have some. Raises as `Course.versions`."""
    found = {name: course.versions(name) for name in names}
    return found | {f"{name} meetings": Versions(base=told) for name in names if (told := course.meeting_version(name))}
