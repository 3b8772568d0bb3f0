"""What is run of one submission, in which order, and what is tried once more.

Rule 1: only a tester that ended by itself, with its last record and status 0, may leave a check without a report to
        count as failed: everything else is ours.
Rule 2: all public checks come before any hidden one, and the hidden ones have a node of their own, which nothing
        leaves: what a submission keeps or says in there reaches no public story.
Rule 3: what has to be built is built once, before the first check; what was built is copied to the other nodes.
Rule 4: a check that stays undecided is tried once more, on the same bench, and then waits for a person.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from grader.bench.local import Bench, Ended
from grader.bench.task import Task
from grader.job.built import take_built
from grader.job.listener import Listener, Progress
from grader.verdict.rubric import Ending, Stopped, Verdict, everywhere, judge, to_repeat
from harness.course.assignment import SUITES, Suite
from harness.errors import SubmissionError
from harness.lab.interface import LabError
from harness.tester.border.records import Phase, Report

#: How much longer than the assignment's own limit a grading may take before it is ended from outside.
FACTOR = 1.25
#: Seconds on top of that for starting and tidying up.
MARGIN = 15.0


class Cancelled(Exception):
    """Someone wanted the whole run to stop; there is no result."""


@dataclass
class Run:
    """The runs of one job: the build, the public checks, the hidden ones, and what stayed undecided in either."""

    task: Task
    submission: Path  #: the safe copy; from the build on, what was built
    built: Path  #: where that goes; nothing is there yet
    bench: Bench
    show: Callable[[Progress], None]
    programs: Mapping[str, Sequence[str]]
    forbidden: Mapping[int, str] | None = None  #: stage -> message; None: nobody has looked yet
    reports: dict[str, Report] = field(default_factory=dict)  #: that stand
    endings: dict[Suite, Ending] = field(default_factory=dict)  #: how each suite's run ended
    phases: list[Phase] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    log: str = ""
    attempts: int = 1  #: 2 if anything was tried once more
    broke: bool = False  #: the last run ended through our fault
    build_log: str = ""  #: what a failed build said

    def __post_init__(self) -> None:
        self.build = self.task.assignment.build_of(self.submission)
        limit = FACTOR * self.task.assignment.limits.seconds + MARGIN
        self._left = {1: limit, 2: limit}  # seconds for the checks, at the first and at the second try

    def all_checks(self) -> tuple[Verdict, ...]:
        """The verdicts after one run of each suite, or two where something was undecided."""
        if self.build is None or self._built():
            for suite in SUITES:
                self._suite(suite)
                if self.broke:
                    self.endings = {**everywhere(self.endings[suite]), **self.endings}
                    break
        return self._verdicts()

    def _verdicts(self) -> tuple[Verdict, ...]:
        return judge(self.task.assignment, self.reports, endings=self.endings, forbidden=self.forbidden)

    # -- the build -----------------------------------------------------------------------------------------------------

    def _built(self) -> bool:
        """Build in a node of its own and take in what was built; False, and every check's ending, if that failed."""
        assert self.build is not None
        seconds = self.build.timeout + MARGIN
        task = replace(self._task(), build=True, look=self._unknown, pack=True, seconds=seconds)
        ending = Ending()
        for attempt in (1, 2):
            self.attempts = max(self.attempts, attempt)
            with tempfile.TemporaryFile() as archive:
                listener = self._listener((), archive)
                ending = self._attempt(task, listener, attempt)
                if ending.stopped is not Stopped.ENDED:
                    continue
                why = "" if listener.built is None or listener.built.ok else listener.built.text
                if why or (why := self._take_in(archive, whole=listener.packed)):
                    self.build_log = why
                    ending = Ending(Stopped.BUILD)
                break
        self.endings = everywhere(ending)
        return ending.stopped is Stopped.ENDED

    def _take_in(self, archive: BinaryIO, *, whole: bool) -> str:
        """Take in what was built; why it cannot be, for its author."""
        most = self.task.assignment.limits.disk_mb << 20
        archive.seek(0)
        try:
            if not whole:
                raise SubmissionError(f"what was built is larger than {most / 1e6:g} MB, or cannot be read")
            take_built(archive, self.built, most)
        except SubmissionError as why:
            return str(why)
        self.submission = self.built
        return ""

    # -- the checks ----------------------------------------------------------------------------------------------------

    def _suite(self, suite: Suite) -> None:
        """Run the checks of a suite, and once more those that are undecided then."""
        checks = tuple(check.id for check in self.task.assignment.checks_of(suite=suite))
        if checks:
            self._run_checks(suite, checks, attempt=1)
        if again := to_repeat(self.task.assignment, self._verdicts(), suite):
            self.attempts = 2
            self.notes.append(f"{len(again)} of {len(checks)} {suite} checks were undecided and were run a second time")
            self._run_checks(suite, again, attempt=2)

    def _run_checks(self, suite: Suite, checks: Sequence[str], *, attempt: int) -> None:
        seconds = self._left[attempt]
        if seconds <= 0:  # an earlier suite has used up the time for the whole grading
            self.endings[suite] = Ending(Stopped.DEADLINE)
            return
        begun = time.monotonic()
        known = {check: report for check, report in self.reports.items() if check not in checks}
        before = judge(self.task.assignment, known, endings=self.endings)
        outcomes = {verdict.check.id: verdict.outcome for verdict in before if verdict.check.suite != suite}
        outcomes |= {check: report.outcome for check, report in known.items()}
        listener = self._listener(checks, known=known)
        task = replace(self._task(), checks=checks, outcomes=outcomes, look=self._unknown, seconds=seconds)
        self.endings[suite] = self._attempt(task, listener, attempt)
        self.reports = {**listener.reports.first, **known}
        self._left[attempt] -= time.monotonic() - begun

    def _task(self) -> Task:
        return replace(self.task, submission=self.submission, programs=self.programs)

    @property
    def _unknown(self) -> bool:
        """Whether somebody still has to look for forbidden names."""
        return self.forbidden is None and bool(self.task.assignment.rules())

    def _listener(
        self, checks: Sequence[str], archive: BinaryIO | None = None, known: Mapping[str, Report] | None = None
    ) -> Listener:
        return Listener(
            self.task.assignment, checks, known=known or {}, forbidden=self.forbidden, show=self.show, archive=archive
        )

    # -- one tester ----------------------------------------------------------------------------------------------------

    def _attempt(self, task: Task, listener: Listener, attempt: int) -> Ending:
        """Run one tester; how it ended. The listener has its reports."""
        self.broke = False
        try:
            ended = self.bench.run(task, listener)
        except LabError as error:
            ended, broken = Ended(status=None), str(error)
        else:
            broken = listener.trouble
        if ended.cancelled:
            raise Cancelled
        self.phases.extend([*ended.phases, *listener.phases])
        self.log = ended.log or self.log
        self.notes.extend(listener.all_notes())
        self.forbidden = listener.forbidden
        if ended.late and not ended.stopped:
            self.notes.append("the time for the whole grading was up; it was ended from outside")
            if any(not report.outcome.decided for report in listener.reports.first.values()):
                # Part of the time went where the lab or the machine could not do its part.
                return Ending(Stopped.OURS, "(the time was up, after checks that stayed undecided)")
            return Ending(Stopped.DEADLINE)
        if ended.died:
            self.notes.append(f"the submission's node ended before its time: {ended.died}")
            listener.blame(ended.died)
            # What had not begun is tried in a second node; a submission that ends that, too, gets no third.
            return Ending(Stopped.OURS if attempt == 1 else Stopped.NODE, f"({ended.died})")
        broken = broken or ended.stopped or why_improper(ended, listener.ended)
        has_sources = listener.built is None or listener.built.ok
        if not broken and task.look and self._unknown and has_sources:
            broken = "the tester did not look for forbidden names"
        if broken:
            self.broke = True
            self.notes.append(f"the lab broke: {broken}")
            return Ending(Stopped.OURS, f"({broken})")
        return Ending()


def why_improper(ended: Ended, last_record: bool) -> str:
    """Why the tester's silence about a check says nothing of the submission; empty if the tester ended as it should."""
    if last_record and ended.status == 0:
        return ""
    if ended.status is not None and ended.status < 0:
        how = f"was killed by signal {-ended.status}"
    else:
        how = f"ended with exit status {ended.status}"
    last = [line for line in ended.log.splitlines() if line.strip()][-1:]
    return f"the tester {how}{'' if last_record else ' before its last record'}{''.join(f': {line}' for line in last)}"
