"""One submission, one bench, one result: what is wrong with the submission goes into it, what is ours says so."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from grader.bench.local import Bench
from grader.bench.task import Task
from grader.job.listener import Progress
from grader.job.run import Run
from grader.submission import Submission
from grader.verdict import pictures
from grader.verdict import result as results
from grader.verdict.rubric import Ending, Stopped, Verdict, everywhere, judge
from harness.course.misplaced import misplaced_in
from harness.course.programs import load_programs
from harness.errors import SubmissionError
from harness.tester.border.records import Phase, Report


@dataclass(frozen=True)
class Graded:
    """A result and the files that go beside it."""

    result: dict[str, Any]
    captures: dict[str, bytes] = field(default_factory=dict)  #: name relative to the result -> packets


def seed_of(secret: bytes, student: str, assignment: str) -> str:
    """The seed of a student's submissions: the same for every resubmission, unknown to the student. Hex.

    HMAC-SHA256 of the student's folder name, NUL and the assignment's name, under the course secret.
    """
    return hmac.new(secret, os.fsencode(student) + b"\0" + assignment.encode(), hashlib.sha256).hexdigest()


def identity_of(**parts: str) -> str:
    """A hash of everything that decides a result: submission, tests, image, lab, engine, seed."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("ascii")).hexdigest()


class Grading:
    """One submission while it is graded: a first run, and a second one, soon or later, if that can decide more."""

    def __init__(
        self, task: Task, submission: Submission, show: Callable[[Progress], None], taken: float = 0.0
    ) -> None:
        """`taken` is how long the copy took (seconds), for the phases."""
        self._task, self._submission = task, submission
        self._scratch = submission.path.with_name(f"{submission.path.name}-scratch")
        self._taken = taken
        self._refused: Graded | None = None
        try:
            programs = load_programs(task.assignment.programs, submission.path)
        except SubmissionError as error:
            self._refused = refuse(task, str(error), submission)
            return
        self._run = Run(task, submission.path, self._scratch, show, programs)
        self._run.phases.append(Phase("copy", round(taken, 4)))

    @property
    def open(self) -> bool:
        """Whether another `go` can decide anything."""
        return self._refused is None and self._run.open

    @property
    def reports(self) -> Collection[Report]:
        """What the testers have reported so far."""
        return [] if self._refused is not None else self._run.reports.values()

    def go(self, bench: Bench) -> None:
        """Run the checks that are to be run. Raises Cancelled, LabError."""
        begun = time.monotonic()
        if self._refused is None:
            self._run.go(bench)
        self._taken += time.monotonic() - begun

    def graded(self) -> Graded:
        """The result as it stands; the submission's copy has to be there still."""
        if self._refused is not None:
            return self._refused
        run, path = self._run, self._submission.path
        misplaced = misplaced_in(path, run.programs, run.build is not None, self._task.others)
        phases = [*run.phases, Phase("total", round(self._taken, 4))]
        return _graded(self._task, self._submission, run.verdicts(), run=run, phases=phases, message=misplaced)

    def close(self) -> None:
        """Remove what it has made beside the submission's copy."""
        shutil.rmtree(self._scratch, ignore_errors=True)


def grade(
    task: Task, submission: Submission, bench: Bench, show: Callable[[Progress], None], taken: float = 0.0
) -> Graded:
    """Run every check of the assignment against the submission, the undecided ones twice. Raises Cancelled, LabError.

    `taken` is how long the copy took (seconds), for the phases.
    """
    grading = Grading(task, submission, show, taken)
    try:
        grading.go(bench)
        while grading.open:
            grading.go(bench)
        return grading.graded()
    finally:
        grading.close()


def refuse(task: Task, message: str, submission: Submission | None = None) -> Graded:
    """The result of a submission that cannot be run at all; the message is for its author."""
    verdicts = judge(task.assignment, {}, endings=everywhere(task.assignment, Ending(Stopped.REFUSED, message)))
    return _graded(task, submission, verdicts, state="refused", message=message)


def ours(task: Task, message: str, log: str = "") -> Graded:
    """The result when the lab or the grader itself broke: nothing is decided, the log is kept."""
    verdicts = judge(task.assignment, {}, endings=everywhere(task.assignment, Ending(Stopped.OURS)))
    graded = _graded(task, None, verdicts, state="ours", message=message)
    graded.result["log"] = log[-20_000:]
    return graded


_SEED_NOTE = "HMAC-SHA256(course secret, student NUL assignment): the same for every resubmission."


def _graded(
    task: Task,
    submission: Submission | None,
    verdicts: tuple[Verdict, ...],
    *,
    run: Run | None = None,
    phases: Sequence[Phase] = (),
    state: str = "",
    message: str = "",
) -> Graded:
    assignment = task.assignment
    looks = pictures.looks_of(assignment, verdicts)
    points = results.points_of(assignment, verdicts)
    if not state:
        ours = run is not None and run.ours
        state = "graded" if not points["undecided"] else "ours" if ours else "undecided"
    if run is not None and run.build_log:
        message = "The build failed."
    return Graded(
        {
            "schema": results.SCHEMA,
            "student": task.student,
            "assignment": assignment.name,
            "title": assignment.title,
            "state": state,
            "message": message,
            **points,
            "stages": results.stages_of(assignment, verdicts, (run.forbidden or {}) if run else {}),
            "checks": results.checks_of(assignment, verdicts, looks),
            "build": {"log": run.build_log} if run and run.build_log else None,
            "submission": {
                "hash": submission.hash if submission else None,
                "files": submission.files if submission else 0,
                "bytes": submission.size if submission else 0,
                "notes": list(submission.notes) if submission else [],
            },
            "identity": task.identity,
            "graded_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "lab": dict(task.lab),
            "link": results.link_of(verdict.report for verdict in verdicts),
            "seed": {"fingerprint": hashlib.sha256(task.seed.encode()).hexdigest()[:12], "note": _SEED_NOTE},
            "phases": results.phases_of(phases),
            "attempts": run.attempts if run else 0,
            "notes": list(run.notes) if run else [],
            "log": run.log if run else "",
        },
        pictures.captures_of(verdicts, looks),
    )
