"""One submission, one bench, one result: what is wrong with the submission goes into it, what is ours says so."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import time
from collections.abc import Callable
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
from harness.tester.border.records import Phase


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


def grade(
    task: Task, submission: Submission, bench: Bench, show: Callable[[Progress], None], taken: float = 0.0
) -> Graded:
    """Run every check of the assignment against the submission. Raises Cancelled.

    `taken` is how long the copy took (seconds), for the phases.
    """
    begun = time.monotonic()
    try:
        programs = load_programs(task.assignment.programs, submission.path)
    except SubmissionError as error:
        return refuse(task, str(error), submission)
    built = submission.path.with_name(f"{submission.path.name}-built")
    run = Run(task, submission.path, built, bench, show, programs)
    run.phases.append(Phase("copy", round(taken, 4)))
    try:
        verdicts = run.all_checks()
    finally:
        shutil.rmtree(built, ignore_errors=True)
    run.phases.append(Phase("total", round(time.monotonic() - begun + taken, 4)))
    misplaced = misplaced_in(submission.path, programs, run.build is not None, task.others)
    return _graded(task, submission, verdicts, run=run, message=misplaced)


def refuse(task: Task, message: str, submission: Submission | None = None) -> Graded:
    """The result of a submission that cannot be run at all; the message is for its author."""
    verdicts = judge(task.assignment, {}, endings=everywhere(Ending(Stopped.REFUSED, message)))
    return _graded(task, submission, verdicts, state="refused", message=message)


def ours(task: Task, message: str, log: str = "") -> Graded:
    """The result when the lab or the grader itself broke: nothing is decided, the log is kept."""
    verdicts = judge(task.assignment, {}, endings=everywhere(Ending(Stopped.OURS)))
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
    state: str = "",
    message: str = "",
) -> Graded:
    assignment = task.assignment
    looks = pictures.looks_of(assignment, verdicts)
    points = results.points_of(assignment, verdicts)
    if not state:
        broke = run is not None and run.broke
        state = "graded" if not points["undecided"] else "ours" if broke else "undecided"
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
            "link": results.link_of(verdicts),
            "seed": {"fingerprint": hashlib.sha256(task.seed.encode()).hexdigest()[:12], "note": _SEED_NOTE},
            "phases": results.phases_of(run.phases if run else []),
            "attempts": run.attempts if run else 0,
            "notes": list(run.notes) if run else [],
            "log": run.log if run else "",
        },
        pictures.captures_of(verdicts, looks),
    )
