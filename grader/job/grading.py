"""One submission, one bench, one result: what is wrong with the submission goes into it, what is ours says so."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from grader.bench.local import Bench
from grader.bench.task import Task
from grader.course import Versions
from grader.job.run import Progress, Run
from grader.submission import Submission
from grader.verdict import pictures
from grader.verdict.outcomes import Outcomes
from grader.verdict.result import result_of, verdicts_of
from grader.verdict.rubric import with_dependents
from harness.course.assignment import Assignment
from harness.course.misplaced import misplaced_in
from harness.course.programs import load_programs
from harness.errors import SubmissionError
from harness.tester.border.records import Phase


@dataclass(frozen=True)
class Graded:
    """What happened to a submission, and the files that go beside it."""

    outcomes: Outcomes
    assignment: Assignment
    captures: dict[str, bytes] = field(default_factory=dict)  #: name relative to the result -> packets
    copy: Path | None = None  #: the safe copy that was graded, while it is there

    @cached_property
    def result(self) -> dict[str, Any]:
        """The result before any person has said a word."""
        return result_of(self.outcomes, self.assignment)


def seed_of(secret: bytes, student: str, assignment: str) -> str:
    """The seed of a student's submissions: the same for every resubmission, unknown to the student. Hex.

    HMAC-SHA256 of the student's folder name, NUL and the assignment's name, under the course secret.
    """
    return hmac.new(secret, os.fsencode(student) + b"\0" + assignment.encode(), hashlib.sha256).hexdigest()


def fingerprint_of(seed: str) -> str:
    """What tells a seed from another without giving it away."""
    return hashlib.sha256(seed.encode()).hexdigest()[:12]


def identity_of(**parts: str) -> str:
    """A hash of everything that decides a result: submission, tests, image, lab, engine, seed."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("ascii")).hexdigest()


class Grading:
    """One submission while it is graded: a first round of groups, and further ones, soon or later, if they can decide.

    `run` says which groups there are (grader/job/run.py); None if the submission cannot be run at all.
    """

    def __init__(
        self,
        task: Task,
        submission: Submission,
        show: Callable[[Progress], None],
        taken: float = 0.0,
        known: Outcomes | None = None,
        only: Collection[str] = (),
    ) -> None:
        """`taken` is how long the copy took (seconds), for the phases.

        `known`: an earlier grading of the same copy by the same harness. What it decided stands; what it did not, what
        has changed since, and what builds on either is run; or the checks `only`, if they are named.
        """
        self.task, self._submission = task, submission
        self._scratch = submission.path.with_name(f"{submission.path.name}-scratch")
        self._taken = taken
        self._refused: Graded | None = None
        self.run: Run | None = None
        try:
            programs = load_programs(task.assignment.programs, submission.path)
        except SubmissionError as error:
            self._refused = refuse(task, str(error), submission)
            return
        self.run = run = Run(task, submission.path, self._scratch, show, programs)
        self._files: dict[str, Mapping[str, str]] = {}
        if known is not None:
            self._build_on(run, known, only)
        run.phases.append(Phase("copy", round(taken, 4)))

    def _build_on(self, run: Run, known: Outcomes, only: Collection[str]) -> None:
        """Run only what an earlier grading does not say, or what is named."""
        assignment = self.task.assignment
        if not only:
            verdicts = verdicts_of(known, assignment)
            undecided = {verdict.check.id for verdict in verdicts if not verdict.outcome.decided}
            only = with_dependents(assignment, known.stale(self.task.versions) | undecided)
        kept = {check.id for check in assignment.checks} - set(only)
        run.only = frozenset(only)
        run.reports = {check: report for check, report in known.reports.items() if check in kept}
        run.endings = {check: ending for check, ending in known.endings.items() if check in kept}
        run.forbidden = known.forbidden
        run.notes.append(f"{len(only)} of {len(assignment.checks)} checks were run; the others stand from before")
        self._files = {check: files for check, files in known.files.items() if check in kept}

    @property
    def open(self) -> bool:
        """Whether another round can decide anything."""
        return self.run is not None and self.run.open

    def go(self, bench: Bench) -> None:
        """Run a round on one bench. Raises Cancelled, LabError."""
        begun = time.monotonic()
        if self.run is not None:
            self.run.go(bench)
        self.spend(time.monotonic() - begun)

    def spend(self, seconds: float) -> None:
        """Count some seconds as the submission's, for the phases."""
        self._taken += seconds

    def graded(self) -> Graded:
        """The result as it stands; the submission's copy has to be there still."""
        if self._refused is not None:
            return self._refused
        assert self.run is not None
        run, path = self.run, self._submission.path
        run.settle()
        message = misplaced_in(path, run.programs, run.build is not None, self.task.others)
        if not message and not run.reports and run.broken:
            message = f"The lab broke: {run.broken}"
        phases = [*run.phases, Phase("total", round(self._taken, 4))]
        return _ran(self.task, self._submission, run, phases=phases, message=message, files=self._files)

    def close(self) -> None:
        """Remove what it has made beside the submission's copy."""
        shutil.rmtree(self._scratch, ignore_errors=True)


def grade(
    task: Task,
    submission: Submission,
    bench: Bench,
    show: Callable[[Progress], None],
    *,
    known: Outcomes | None = None,
    only: Collection[str] = (),
) -> Graded:
    """Run every check of the assignment against the submission, the undecided ones twice. Raises Cancelled, LabError.

    `known`, `only`: as for `Grading`.
    """
    grading = Grading(task, submission, show, known=known, only=only)
    try:
        grading.go(bench)
        while grading.open:
            grading.go(bench)
        return grading.graded()
    finally:
        grading.close()


def refuse(task: Task, message: str, submission: Submission | None = None) -> Graded:
    """The result of a submission that cannot be run at all; the message is for its author."""
    return Graded(_outcomes(task, submission, refused=True, message=message), task.assignment, copy=_copy(submission))


def ours(task: Task, message: str, log: str = "") -> Graded:
    """The result when the lab or the grader itself broke: nothing is decided, the log is kept."""
    return Graded(_outcomes(task, None, broke=True, message=message, log=log[-20_000:]), task.assignment)


_SEED_NOTE = "HMAC-SHA256(course secret, student NUL assignment): the same for every resubmission."


def _ran(
    task: Task,
    submission: Submission,
    run: Run,
    *,
    phases: Sequence[Phase],
    message: str,
    files: Mapping[str, Mapping[str, str]],
) -> Graded:
    """What came of a run. `files`: of checks that were not run again."""
    verdicts = run.verdicts()
    looks = pictures.looks_of(task.assignment, verdicts)
    outcomes = _outcomes(
        task,
        submission,
        reports=run.reports,
        endings=run.endings,
        forbidden=run.forbidden,
        files={**files, **pictures.files_of(verdicts, looks)},
        message=message,
        build_log=run.build_log,
        phases=tuple(phases),
        attempts=run.attempts,
        notes=list(run.notes),
        log=run.log,
    )
    return Graded(outcomes, task.assignment, pictures.captures_of(verdicts, looks), _copy(submission))


def _copy(submission: Submission | None) -> Path | None:
    return submission.path if submission else None


def _outcomes(task: Task, submission: Submission | None, **what: Any) -> Outcomes:
    """Whose they are and where they come from, and `what` happened."""
    return Outcomes(
        student=task.student,
        assignment=task.assignment.name,
        graded_at=datetime.now(UTC).isoformat(timespec="microseconds"),
        identity=task.identity,
        versions=Versions(
            base=task.versions.base,
            checks={check.id: task.versions.checks.get(check.id, "") for check in task.assignment.checks},
        ),
        submission={
            "hash": submission.hash if submission else None,
            "files": submission.files if submission else 0,
            "bytes": submission.size if submission else 0,
            "notes": list(submission.notes) if submission else [],
        },
        lab=dict(task.lab),
        seed={"fingerprint": fingerprint_of(task.seed), "note": _SEED_NOTE},
        **what,
    )
