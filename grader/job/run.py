"""What is run of one submission, in which order, and what is tried once more.

Rule 1: only a tester that ended by itself, with its last record and status 0, may leave a check without a report to
        count as failed: everything else is ours.
Rule 2: all public checks come before any hidden one, and the hidden ones have a node of their own, which nothing
        leaves: what a submission keeps or says in there reaches no public story.
Rule 3: what has to be built is built once, before the first check; what was built is copied to the other nodes.
Rule 4: what stays undecided is tried once more, whenever the caller sees fit, and then waits for a person.
"""

from __future__ import annotations

import re
import shutil
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
from harness.course.look import ENDED_AFTER
from harness.errors import SubmissionError, cause_of
from harness.lab.interface import LabError
from harness.lab.node.proc import machine_queued
from harness.tester.border.doubt import is_loud, was_starved
from harness.tester.border.records import Phase, Report

#: How much longer than the assignment's own limit a grading may take before it is ended from outside.
FACTOR = 1.25
#: Seconds on top of that for starting and tidying up.
MARGIN = 15.0
#: The share of that time in which anything on the machine had no processor, from which on it says nothing.
CROWDED = 0.7
#: How often a build, and a suite, is run at most.
_MOST_TRIES = 2
#: How a line of a log begins that says what was raised.
_EXCEPTION = re.compile(r"(tester: )?[\w.]*(Error|Exception|Interrupt|Exit)\b")


class Cancelled(Exception):
    """Someone wanted the whole run to stop; there is no result."""


@dataclass
class Run:
    """The runs of one job: the build, the public checks, the hidden ones, and later what stayed undecided in either."""

    task: Task
    submission: Path  #: the safe copy; from the build on, what was built
    scratch: Path  #: a folder for that; nothing is there yet
    show: Callable[[Progress], None]
    programs: Mapping[str, Sequence[str]]
    forbidden: Mapping[int, str] | None = None  #: stage -> message; None: nobody has looked yet
    reports: dict[str, Report] = field(default_factory=dict)  #: that stand
    endings: dict[str, Ending] = field(default_factory=dict)  #: how the last run of each check ended
    phases: list[Phase] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    log: str = ""
    attempts: int = 1  #: 2 if anything was tried once more
    build_log: str = ""  #: what a failed build said
    only: frozenset[str] | None = None  #: the checks to run, if an earlier grading has decided the others

    def __post_init__(self) -> None:
        self.build = self.task.assignment.build_of(self.submission)
        self._to_build = self.build is not None
        self._builds = 0  # tries
        self._last = Ending()
        self._died: set[str] = set()  # the suites (or the build) in which the submission had its node ended
        self._crowded = 0.0  # the share of the last run in which something on the machine had no processor
        self._tries: dict[Suite, int] = dict.fromkeys(SUITES, 0)
        limit = FACTOR * self.task.assignment.limits.seconds + MARGIN
        self._left = {1: limit, 2: limit}  # seconds for the checks, at the first and at the second try

    @property
    def open(self) -> bool:
        """Whether another `go` can decide anything."""
        return self._to_build or any(self._wanted(suite) for suite in SUITES)

    @property
    def ours(self) -> bool:
        """Whether a check is undecided whose last run broke through our fault or the machine's."""
        ours = {check for check, ending in self.endings.items() if ending.stopped is Stopped.OURS}
        return any(not verdict.outcome.decided and verdict.check.id in ours for verdict in self.verdicts())

    def go(self, bench: Bench) -> None:
        """Run everything, at the first call; after that, what is undecided and has not been run twice.

        Raises Cancelled.
        """
        self._bench, self._broke = bench, False
        if self._tries["hidden"] and self._wanted("public"):
            # Nothing that hidden checks have left in the cache of a file meets a public one.
            self.submission = self._copy_of(self.submission)
        if self._to_build and not self._built():
            return
        for suite in SUITES:
            self._suite(suite)
            if self._broke:
                self.endings = {**everywhere(self.task.assignment, self._last), **self.endings}
                return

    def _give_up(self) -> None:
        self._to_build = False
        self._tries = dict.fromkeys(SUITES, _MOST_TRIES)

    def _copy_of(self, folder: Path) -> Path:
        target = self.scratch / f"copy-{self._tries['hidden']}"
        try:
            shutil.copytree(folder, target, symlinks=True)
        except OSError as error:
            raise LabError(f"the submission cannot be copied once more: {cause_of(error)}") from None
        return target

    def verdicts(self) -> tuple[Verdict, ...]:
        return judge(self.task.assignment, self.reports, endings=self.endings, forbidden=self.forbidden)

    # -- the build -----------------------------------------------------------------------------------------------------

    def _built(self) -> bool:
        """Build in a node of its own and take in what was built; False, and every check's ending, if that failed."""
        assert self.build is not None
        seconds = self.build.timeout + ENDED_AFTER + MARGIN
        task = replace(self._task(), build=True, look=self._unknown, pack=True, seconds=seconds)
        self._builds += 1
        self.attempts = max(self.attempts, self._builds)
        with tempfile.TemporaryFile() as archive:
            listener = self._listener((), archive)
            ending = self._attempt(task, listener, "build")
            late = listener.built is not None and listener.built.late and self._crowded > CROWDED
            if ending.stopped is Stopped.ENDED and late and self._builds < _MOST_TRIES:
                ending = Ending(Stopped.OURS, "(the build took too long, and the machine had no processor to give)")
            if ending.stopped is Stopped.ENDED:
                why = "" if listener.built is None or listener.built.ok else listener.built.text
                if why or (why := self._take_in(archive, whole=listener.packed)):
                    self.build_log = why
                    ending = Ending(Stopped.BUILD)
        self._to_build = ending.stopped is Stopped.OURS and self._builds < _MOST_TRIES
        if ending.stopped is Stopped.ENDED:
            self.endings = {}
            return True
        self.endings = everywhere(self.task.assignment, ending)
        if not self._to_build:
            self._give_up()
        return False

    def _take_in(self, archive: BinaryIO, *, whole: bool) -> str:
        """Take in what was built; why it cannot be, for its author."""
        most = self.task.assignment.limits.disk_mb << 20
        archive.seek(0)
        try:
            if not whole:
                raise SubmissionError(f"what was built is larger than {most / 1e6:g} MB, or cannot be read")
            self.scratch.mkdir(exist_ok=True)
            take_built(archive, self.scratch / "built", most)
        except SubmissionError as why:
            return str(why)
        self.submission = self.scratch / "built"
        return ""

    # -- the checks ----------------------------------------------------------------------------------------------------

    def _suite(self, suite: Suite) -> None:
        """Run the checks of a suite that are wanted now."""
        if checks := self._wanted(suite):
            self._tries[suite] += 1
            if self._tries[suite] > 1:
                self.attempts = 2
                count = len(self.task.assignment.checks_of(suite=suite))
                self.notes.append(f"{len(checks)} of {count} {suite} checks were undecided and were run a second time")
            self._run_checks(suite, checks, attempt=self._tries[suite])

    def _wanted(self, suite: Suite) -> tuple[str, ...]:
        """All checks of a suite that has not been run, the undecided ones of one that has been run once."""
        if self._tries[suite] == 0:
            checks = self.task.assignment.checks_of(suite=suite)
            return tuple(check.id for check in checks if self.only is None or check.id in self.only)
        if self._tries[suite] < _MOST_TRIES:
            return to_repeat(self.task.assignment, self.verdicts(), suite)
        return ()

    def _run_checks(self, suite: Suite, checks: Sequence[str], *, attempt: int) -> None:
        seconds = self._left[attempt]
        if seconds <= 0:  # an earlier suite has used up the time for the whole grading
            self.endings.update(dict.fromkeys(checks, Ending(Stopped.DEADLINE)))
            return
        begun = time.monotonic()
        known = {check: report for check, report in self.reports.items() if check not in checks}
        before = judge(self.task.assignment, known, endings=self.endings)
        outcomes = {verdict.check.id: verdict.outcome for verdict in before if verdict.check.suite != suite}
        outcomes |= {check: report.outcome for check, report in known.items()}
        listener = self._listener(checks, known=known)
        task = replace(self._task(), checks=checks, outcomes=outcomes, look=self._unknown, seconds=seconds)
        self._last = self._attempt(task, listener, suite)
        self.endings.update(dict.fromkeys(checks, self._last))
        self.reports = {**listener.reports.first, **known}
        if self._last.stopped is not Stopped.OURS:  # what was lost through us is taken from nobody
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

    def _attempt(self, task: Task, listener: Listener, what: str) -> Ending:
        """Run one tester for a suite or the build; how it ended. The listener has its reports."""
        self._broke = False
        begun, queued = time.monotonic(), machine_queued()
        try:
            ended = self._bench.run(task, listener)
        except LabError as error:
            ended, broken = Ended(status=None), str(error)
        else:
            broken = listener.trouble
        if ended.cancelled:
            raise Cancelled
        seconds = max(time.monotonic() - begun, 0.001)
        self._crowded = (machine_queued() - queued) / seconds
        self.phases.extend([*ended.phases, *listener.phases])
        self.log = ended.log or self.log
        self.notes.extend(listener.all_notes())
        self.forbidden = listener.forbidden
        if ended.late and not ended.stopped:
            return self._late(listener, seconds)
        if ended.died:
            self.notes.append(f"the submission's node ended before its time: {ended.died}")
            listener.blame(ended.died)
            # What had not begun is tried in a second node; a submission that ends that, too, gets no third.
            again = what in self._died
            self._died.add(what)
            return Ending(Stopped.NODE if again else Stopped.OURS, f"({ended.died})")
        broken = broken or ended.stopped or why_improper(ended, listener.ended)
        has_sources = listener.built is None or listener.built.ok
        if not broken and task.look and self._unknown and has_sources:
            broken = "the tester did not look for forbidden names"
            listener.reports.first.clear()  # nobody knows what they are worth
        if broken:
            self._broke = True
            self.notes.append(f"the lab broke: {broken}")
            return Ending(Stopped.OURS, f"({broken})")
        return Ending()

    def _late(self, listener: Listener, seconds: float) -> Ending:
        """What it means that the time was up."""
        self.notes.append("the time for the whole grading was up; it was ended from outside")
        if any(not report.outcome.decided for report in listener.reports.first.values()):
            # Part of the time went where the lab or the machine could not do its part.
            return Ending(Stopped.OURS, "(the time was up, after checks that stayed undecided)")
        if self._without_processor(listener, seconds):
            return Ending(Stopped.OURS, "(the time was up, and the machine had no processor to give)")
        return Ending(Stopped.DEADLINE)

    def _without_processor(self, listener: Listener, seconds: float) -> bool:
        """Whether the machine was too busy for these seconds to say anything of the submission, not by its doing."""
        reports = listener.reports.first.values()
        waited, used = sum(report.waited for report in reports), sum(report.used for report in reports)
        loud = is_loud(seconds, used=used, cpus=self.task.assignment.limits.cpus)
        return was_starved(seconds, waited=waited, crowded=self._crowded, most=CROWDED) and not loud


def why_improper(ended: Ended, last_record: bool) -> str:
    """Why the tester's silence about a check says nothing of the submission; empty if the tester ended as it should."""
    if last_record and ended.status == 0:
        return ""
    if ended.status is not None and ended.status < 0:
        how = f"was killed by signal {-ended.status}"
    else:
        how = f"ended with exit status {ended.status}"
    lines = [line for line in ended.log.splitlines() if line.strip()]
    last = ([line for line in lines if _EXCEPTION.match(line)] or lines)[-1:]
    return f"the tester {how}{'' if last_record else ' before its last record'}{''.join(f': {line}' for line in last)}"
