"""One submission, one bench, one result.

Rule 1: what is wrong with the submission goes into its result; what is wrong with us ends in LabError or in `ours`.
        Only a tester that ended by itself, with its last record and status 0, may leave a check without a report to
        count as failed: everything else is ours.
Rule 2: a check that stays undecided is tried once more, on the same bench, and then waits for a person.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from grader.bench.local import Bench, Ended
from grader.bench.task import Task
from grader.sources import look_for_forbidden
from grader.submission import Submission
from grader.verdict import pictures
from grader.verdict import result as results
from grader.verdict.rubric import Reports, Stopped, Verdict, judge, settled, to_repeat
from harness.course.misplaced import misplaced_in
from harness.course.programs import load_programs
from harness.errors import SubmissionError
from harness.lab.interface import LabError
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import BadRecord, Built, End, Gone, Phase, Record, Report, Start, Trouble

#: How much longer than the assignment's own limit a grading may take before it is ended from outside.
FACTOR = 1.25
#: Seconds on top of that for starting and tidying up.
MARGIN = 15.0


@dataclass(frozen=True)
class Progress:
    """Something to show while a job runs."""

    phase: str  #: what it is doing
    points: float = 0.0  #: earned so far
    done: int = 0  #: checks that have reported


@dataclass(frozen=True)
class Graded:
    """A result and the files that go beside it."""

    result: dict[str, Any]
    captures: dict[str, bytes] = field(default_factory=dict)  #: name relative to the result -> packets


class Cancelled(Exception):
    """Someone wanted the whole run to stop; there is no result."""


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
    run = _Run(task, submission, bench, show)
    run.phases.append(Phase("copy", round(taken, 4)))
    try:
        run.programs = load_programs(task.assignment.programs, submission.path)
    except SubmissionError as error:
        return refuse(task, str(error), submission)
    built = task.assignment.build_of(submission.path) is not None
    run.misplaced = misplaced_in(submission.path, run.programs, built, task.others)
    run.look_for_forbidden()
    verdicts = run.all_checks()
    run.phases.append(Phase("total", round(time.monotonic() - begun + taken, 4)))
    return _graded(task, submission, verdicts, run=run)


def refuse(task: Task, message: str, submission: Submission | None = None) -> Graded:
    """The result of a submission that cannot be run at all; the message is for its author."""
    verdicts = judge(task.assignment, {}, stopped=Stopped.REFUSED, reason=message)
    return _graded(task, submission, verdicts, state="refused", message=message)


def ours(task: Task, message: str, log: str = "") -> Graded:
    """The result when the lab or the grader itself broke: nothing is decided, the log is kept."""
    verdicts = judge(task.assignment, {}, stopped=Stopped.OURS)
    graded = _graded(task, None, verdicts, state="ours", message=message)
    graded.result["log"] = log[-20_000:]
    return graded


@dataclass
class _Run:
    """The runs of one job: the first, and the second for what stayed undecided."""

    task: Task
    submission: Submission
    bench: Bench
    show: Callable[[Progress], None]
    programs: dict[str, list[str]] = field(default_factory=dict)
    forbidden: dict[int, str] = field(default_factory=dict)  # stage -> message
    phases: list[Phase] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    log: str = ""
    attempts: int = 0
    broke: bool = False  # the last run ended through our fault
    build: str = ""  # what a failed build said
    misplaced: str = ""  # what was found where it is not looked for

    def look_for_forbidden(self) -> None:
        begun = time.monotonic()
        self.forbidden = look_for_forbidden(self.task.assignment, self.submission.path, self.programs)
        self.phases.append(Phase("forbidden names", round(time.monotonic() - begun, 4)))

    def all_checks(self) -> tuple[Verdict, ...]:
        """The verdicts after one run, or two if something was undecided."""
        assignment = self.task.assignment
        reports, stopped, reason = self._attempt(tuple(check.id for check in assignment.checks), {})
        verdicts = judge(assignment, reports, stopped=stopped, forbidden=self.forbidden, reason=reason)
        again = to_repeat(assignment, verdicts)
        if not again:
            return verdicts
        undecided = sum(not verdict.outcome.decided for verdict in verdicts)
        self.notes.append(f"{undecided} of {len(verdicts)} checks were undecided and were run a second time")
        known = settled(reports, verdicts)
        reports, stopped, reason = self._attempt(again, known)
        return judge(assignment, reports, stopped=stopped, forbidden=self.forbidden, reason=reason)

    def _attempt(self, checks: tuple[str, ...], known: Mapping[str, Report]) -> tuple[dict[str, Report], Stopped, str]:
        """Run some checks; earlier reports stand. Returns all reports and how the run ended."""
        self.attempts += 1
        listener = _Listener(self, Reports(frozenset(checks)), dict(known))
        try:
            ended = self.bench.run(self._run_of(checks), listener)
        except LabError as error:
            ended, broken = Ended(status=None), str(error)
        else:
            broken = listener.trouble
        if ended.cancelled:
            raise Cancelled
        self.phases.extend([*ended.phases, *listener.phases])
        self.log = ended.log or self.log
        self.notes.extend(listener.all_notes())
        reports = {**listener.reports.first, **known}
        if ended.late and not ended.stopped:
            self.notes.append("the time for the whole grading was up; it was ended from outside")
            return reports, Stopped.DEADLINE, ""
        if ended.died:
            self.notes.append(f"the submission's node ended before its time: {ended.died}")
            listener.blame(reports, ended.died)
            # What had not begun is tried in a second node; a submission that ends that, too, gets no third.
            return reports, Stopped.OURS if self.attempts == 1 else Stopped.NODE, f"({ended.died})"
        broken = broken or ended.stopped or _why_improper(ended, listener.ended)
        self.broke = bool(broken)
        if broken:
            self.notes.append(f"the lab broke: {broken}")
            return reports, Stopped.OURS, f"({broken})"
        return reports, Stopped.ENDED, ""

    def _run_of(self, checks: tuple[str, ...]) -> Task:
        """The task, with what is to be run this time."""
        assignment = self.task.assignment
        build = assignment.build_of(self.submission.path)
        seconds = FACTOR * assignment.limits.seconds + MARGIN + (build.timeout if build else 0.0)
        return replace(
            self.task,
            submission=self.submission.path,
            programs=self.programs,
            build=build is not None,
            checks=checks,
            seconds=seconds,
        )


class _Listener:
    """Reads a tester's records as they come."""

    def __init__(self, run: _Run, reports: Reports, known: Mapping[str, Report]) -> None:
        self._run, self.reports, self._known = run, reports, known
        self._numbers = {check.id: n for n, check in enumerate(run.task.assignment.checks, 1)}
        self._bad: Counter[str] = Counter()
        self._phase = "starting"
        self._begun = ""  # the check that began last
        self.phases: list[Phase] = []
        self.trouble = ""
        self.ended = False
        self._lost: str | None = None  # the check in which the tester lost the node, if it did
        self._nodeless: list[str] = []  # checks that came later and could not be decided

    def __call__(self, record: Record | BadRecord) -> None:
        match record:
            case BadRecord():
                self._bad[str(record)] += 1
                return
            case Phase():
                self.phases.append(record)
            case Built():
                self._run.build = "" if record.ok else record.text
                self._phase = "testing" if record.ok else "the build failed"
            case Start():
                self._begun = record.check
                self._phase = f"check {self._numbers.get(record.check, 0)} of {len(self._numbers)}"
            case Report():
                self.reports.add(record)
                if self._lost is not None and record.check != self._lost and not record.outcome.decided:
                    self._nodeless.append(record.check)
            case Trouble():
                self.trouble = self.trouble or record.text
            case Gone():
                self._lost = record.check
            case End():
                self.ended = True
        self._run.show(self.progress())

    def blame(self, reports: dict[str, Report], why: str) -> None:
        """The check that ran when the submission had its own node ended is the submission's error."""
        check = self._begun if self._lost is None else self._lost
        report = reports.get(check)
        if check and (report is None or not report.outcome.decided):
            reports[check] = Report(check=check, outcome=Outcome.ERROR, message=f"Its node ended: {why}.")
        for later in self._nodeless:
            if later in reports and not reports[later].outcome.decided:
                del reports[later]

    def progress(self) -> Progress:
        """Points so far, as far as reports tell."""
        reports = {**self.reports.first, **self._known}
        verdicts = judge(self._run.task.assignment, reports, forbidden=self._run.forbidden)
        return Progress(self._phase, sum(verdict.points for verdict in verdicts), len(reports))

    def all_notes(self) -> list[str]:
        """What was odd about the lines."""
        bad = [f"{count} lines of the tester were no records ({why}); ignored" for why, count in self._bad.items()]
        return [*self.reports.notes[:20], *bad[:20]]


def _why_improper(ended: Ended, last_record: bool) -> str:
    """Why the tester's silence about a check says nothing of the submission; empty if the tester ended as it should."""
    if last_record and ended.status == 0:
        return ""
    if ended.status is not None and ended.status < 0:
        how = f"was killed by signal {-ended.status}"
    else:
        how = f"ended with exit status {ended.status}"
    last = [line for line in ended.log.splitlines() if line.strip()][-1:]
    return f"the tester {how}{'' if last_record else ' before its last record'}{''.join(f': {line}' for line in last)}"


_SEED_NOTE = "HMAC-SHA256(course secret, student NUL assignment): the same for every resubmission."


def _graded(
    task: Task,
    submission: Submission | None,
    verdicts: tuple[Verdict, ...],
    *,
    run: _Run | None = None,
    state: str = "",
    message: str = "",
) -> Graded:
    assignment = task.assignment
    looks = pictures.looks_of(assignment, verdicts)
    points = results.points_of(assignment, verdicts)
    if not state:
        broke = run is not None and run.broke
        state = "graded" if not points["undecided"] else "ours" if broke else "undecided"
    if run is not None:
        message = "The build failed." if run.build else message or run.misplaced
    return Graded(
        {
            "schema": results.SCHEMA,
            "student": task.student,
            "assignment": assignment.name,
            "title": assignment.title,
            "state": state,
            "message": message,
            **points,
            "stages": results.stages_of(assignment, verdicts, run.forbidden if run else {}),
            "checks": results.checks_of(assignment, verdicts, looks),
            "build": {"log": run.build} if run and run.build else None,
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
