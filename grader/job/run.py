"""What is run of one submission, in which order, and what is tried once more.

Rule 1: only a tester that ended by itself, with its last record and status 0, may leave a check without a report to
        count as failed: everything else is ours.
Rule 2: all public checks come before any hidden one, and the hidden ones have nodes of their own, which nothing
        leaves: what a submission keeps or says in there reaches no public story.
Rule 3: what has to be built is built once, before the first check; what was built is copied to the other nodes.
Rule 4: what stays undecided is tried once more, whenever the caller sees fit, and then waits for a person.
Rule 5: what became of one group changes nothing of another's, but for what one suite tells the next: and it is put
        together in the order of the groups, whichever came back first.

Nothing in here runs a tester: `wave` says which groups may run now, `task_of` what a tester is told, `take` hears what
came of it. Where they run, beside each other or not, is the caller's business.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

from grader.bench.local import Bench, Ended
from grader.bench.task import Task
from grader.job.built import take_built
from grader.job.tester import Ran, run_tester
from grader.verdict.rubric import Ending, Stopped, Verdict, everywhere, judge, to_repeat
from harness.course.assignment import SUITES, Suite
from harness.course.groups import Group, cut, group_of, split
from harness.course.look import ENDED_AFTER
from harness.errors import SubmissionError, cause_of
from harness.lab.interface import LabError
from harness.tester.border.doubt import is_loud, was_starved
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Phase, Report, Start

#: How much longer than the assignment's own limit a grading may take before it is ended from outside.
FACTOR = 1.25
#: Seconds on top of that for starting and tidying up.
MARGIN = 15.0
#: The share of that time in which anything on the machine had no processor, from which on it says nothing.
CROWDED = 0.7
#: How often a build, and a check, is run at most.
_MOST_TRIES = 2
#: What is run in a round, one after the other: the build, then the checks of a suite that may run beside others, then
#: those that may not.
_STEPS: tuple[tuple[Suite, bool] | None, ...] = (None, *((suite, alone) for suite in SUITES for alone in (False, True)))
#: How a line of a log begins that says what was raised.
_EXCEPTION = re.compile(r"(tester: )?[\w.]*(Error|Exception|Interrupt|Exit)\b")


@dataclass(frozen=True)
class Progress:
    """Something to show while a job runs."""

    phase: str  #: what it is doing
    points: float = 0.0  #: earned so far
    done: int = 0  #: checks that have reported
    verdicts: Sequence[Verdict] = ()  #: on every check, as if nothing more came
    reported: frozenset[str] = frozenset()  #: the checks that have reported


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
        self._tries = dict.fromkeys((check.id for check in self.task.assignment.checks), 0)
        self._round = 0
        self._steps = iter(_STEPS)
        self._groups: list[Group] = []  # that run now, or are back
        self._out = False  # whether one of them is still to come back
        self._back: dict[Group, tuple[Ran, Ending]] = {}
        self._broke: set[Group] = set()  # those whose lab broke
        self._looker: Group | None = None  # that whose tester looks for forbidden names
        self._last = Ending()  # of what broke last
        self._died: dict[str, int] = {}  # the suites (or the build) in which the submission had its node ended -> round
        self._seen: dict[str, Report] = {}  # of testers that run now
        self._begun = ""  # the check that began last
        limit = FACTOR * self.task.assignment.limits.seconds + MARGIN
        self._left = {1: limit, 2: limit}  # seconds for the checks, over all groups, at the first and the second try

    @property
    def open(self) -> bool:
        """Whether another round can decide anything."""
        return self._to_build or any(self._wanted(suite) for suite in SUITES)

    @property
    def between_waves(self) -> bool:
        """Whether all groups of the last wave are back."""
        return not self._out

    @property
    def broken(self) -> str:
        """Why the lab broke last; empty if it has not."""
        return self._last.reason.strip("()")

    def verdicts(self) -> tuple[Verdict, ...]:
        """What is decided, as far as it goes."""
        return judge(self.task.assignment, self.reports, endings=self.endings, forbidden=self.forbidden)

    def settle(self) -> None:
        """Nothing more is run: what could still have been is ours, for another run to take up."""
        if self._unknown and self.reports:  # nobody knows what they are worth
            self._last = Ending(Stopped.OURS, "(the tester did not look for forbidden names)")
            self.reports, self.endings = {}, everywhere(self.task.assignment, self._last)
        for group in self._groups if self._out else ():  # nobody heard what came of these
            self._tries.update((check, self._tries[check] - 1) for check in group.checks)
        waits = [check for suite in SUITES for check in self._wanted(suite)]
        if waits:
            self.notes.append(f"{len(waits)} checks were not waited for: the run was stopped before")
            self.endings |= dict.fromkeys(waits, Ending(Stopped.OURS, "(the run was stopped)"))

    def go(self, bench: Bench) -> None:
        """Run a whole round on one bench, one group after the other. Raises Cancelled, LabError."""
        self.begin()
        while groups := self.wave():
            for group in groups:
                if (task := self.task_of(group)) is not None:
                    self.take(group, run_tester(bench, task, self.see))

    # -- rounds --------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin a round: everything, at the first call; after that, what is undecided and has not been run twice.

        Raises LabError.
        """
        hidden = [check.id for check in self.task.assignment.checks_of(suite="hidden")]
        if any(self._tries[check] for check in hidden) and self._wanted("public"):
            # Nothing that hidden checks have left in the cache of a file meets a public one.
            self.submission = self._copy_of(self.submission)
        self._round += 1
        self._steps = iter(_STEPS)
        self._groups, self._broke = [], set()

    def give_up(self) -> None:
        """Try nothing more: what is undecided stays so."""
        self._to_build, self._steps = False, iter(())
        self._tries = dict.fromkeys(self._tries, _MOST_TRIES)

    def wave(self, pieces: int = 1) -> list[Group]:
        """What may run now, at most so many groups; all of them have to be back before the next call.

        None when the round is over. From the second round on each group wants the machine for itself.
        """
        if self._groups and self._broke.issuperset(self._groups):
            self.endings = {**everywhere(self.task.assignment, self._last), **self.endings}
            self._steps = iter(())
        self._groups, self._broke, self._looker = [], set(), None
        for step in self._steps:
            if step is None:
                groups = [Group(alone=self._round > 1)] if self._to_build else []
            else:
                groups = self._cut(*step, pieces=pieces)
            if groups:
                self._groups, self._out = groups, True
                self._count()
                return list(groups)
        return []

    def _cut(self, suite: Suite, alone: bool, pieces: int) -> list[Group]:
        wanted = self._wanted(suite)
        if self._round > 1:
            checks = [self.task.assignment.check(check) for check in wanted]
            return [group_of(checks, alone=True)] if checks and not alone else []
        beside, apart = split(self.task.assignment, suite, wanted)
        if not alone:
            return cut(beside, pieces)
        return [group_of(apart, alone=True)] if apart else []

    def _count(self) -> None:
        """Note that the groups are tried."""
        checks = [check for group in self._groups for check in group.checks]
        for check in checks:
            self._tries[check] += 1
        if again := [check for check in checks if self._tries[check] > 1]:
            self.attempts = 2
            suite = self._groups[0].suite
            count = len(self.task.assignment.checks_of(suite=suite))
            self.notes.append(f"{len(again)} of {count} {suite} checks were undecided and were run a second time")

    def _wanted(self, suite: Suite) -> tuple[str, ...]:
        """The checks of a suite that have not been run, and the undecided ones of those that have been run once."""
        again = set(to_repeat(self.task.assignment, self.verdicts(), suite))
        checks = [check.id for check in self.task.assignment.checks_of(suite=suite)]
        checks = [check for check in checks if self.only is None or check in self.only]
        return tuple(
            check for check in checks if not self._tries[check] or (check in again and self._tries[check] < _MOST_TRIES)
        )

    def _copy_of(self, folder: Path) -> Path:
        target = self.scratch / f"copy-{self._round}"
        try:
            shutil.copytree(folder, target, symlinks=True)
        except OSError as error:
            raise LabError(f"the submission cannot be copied once more: {cause_of(error)}") from None
        return target

    # -- one group -----------------------------------------------------------------------------------------------------

    def task_of(self, group: Group) -> Task | None:
        """What its tester is told; None if there is nothing to run: the time for the whole grading is used up."""
        task = replace(self.task, submission=self.submission, programs=self.programs, alone=group.alone)
        if not group.checks:
            assert self.build is not None
            task = replace(task, look=self._looks(group))
            self._builds += 1
            self.attempts = max(self.attempts, self._builds)
            return replace(task, build=True, pack=True, seconds=self.build.timeout + ENDED_AFTER + MARGIN)
        if (seconds := self._left[self._attempt(group)]) <= 0:
            self.endings.update(dict.fromkeys(group.checks, Ending(Stopped.DEADLINE)))
            self._groups.remove(group)
            self._put_together()
            return None
        outcomes = self._outcomes(group)
        return replace(task, checks=group.checks, outcomes=outcomes, look=self._looks(group), seconds=seconds)

    def _looks(self, group: Group) -> bool:
        """Whether this group's tester looks for forbidden names: the first one of a wave, until somebody has."""
        if self._unknown and self._looker is None:
            self._looker = group
        return self._unknown and self._looker == group

    def _attempt(self, group: Group) -> int:
        return max(self._tries[check] for check in group.checks)

    def _outcomes(self, group: Group) -> dict[str, Outcome]:
        """What is known of all other checks, but for those that nobody has run yet in this suite."""
        known = {check: report for check, report in self.reports.items() if check not in group.checks}
        before = judge(self.task.assignment, known, endings=self.endings)
        ran = {check for check in self.endings if check not in group.checks}
        told = {v.check.id: v.outcome for v in before if v.check.suite != group.suite or v.check.id in ran}
        return told | {check: report.outcome for check, report in known.items()}

    def see(self, record: Start | Report) -> None:
        """A check has begun or reported, in a tester that runs. Any thread may call this."""
        if isinstance(record, Start):
            self._begun = record.check
        else:
            self._seen[record.check] = record
        reports = {**self.reports, **self._seen}
        verdicts = judge(self.task.assignment, reports, forbidden=self.forbidden)
        points = sum(verdict.points for verdict in verdicts)
        self.show(Progress(self._phase(), points, len(reports), verdicts, frozenset(reports)))

    def _phase(self) -> str:
        side = len(self._groups) - len(self._back)
        if side > 1:
            return f"{self._groups[0].suite} checks, {side} groups"
        if self._begun not in self._tries:
            return "building"
        return f"check {[*self._tries].index(self._begun) + 1} of {len(self._tries)}"

    def take(self, group: Group, ran: Ran) -> None:
        """Hear what came of a group's tester."""
        ran, ending = self._ending(group, ran)
        if group.checks and ending.stopped is not Stopped.OURS:  # what was lost through us is taken from nobody
            self._left[self._attempt(group)] -= ran.own
        self._back[group] = ran, ending
        self._put_together()

    def _put_together(self) -> None:
        """When all groups are back: what they have reported, in the groups' order."""
        if len(self._back) < len(self._groups):
            return
        for group in self._groups:
            ran, ending = self._back.pop(group)
            self.phases.extend([*ran.ended.phases, *ran.phases])
            self.log = ran.ended.log or self.log
            self.notes.extend(ran.notes)
            self.forbidden = ran.forbidden if self.forbidden is None else self.forbidden
            if group.checks:
                self.endings.update(dict.fromkeys(group.checks, ending))
                kept = {check: report for check, report in self.reports.items() if check not in group.checks}
                self.reports = {**ran.reports, **kept}
            else:
                self._built(ran, ending)
        self._seen, self._out = {}, False
        if self.task.until_failure and any(report.outcome.failed for report in self.reports.values()):
            rest = [check for check in self._tries if check not in self.reports]
            self.endings.update(dict.fromkeys(rest, Ending(Stopped.ENOUGH)))
            self.give_up()

    # -- the build -----------------------------------------------------------------------------------------------------

    def _built(self, ran: Ran, ending: Ending) -> None:
        """Take in what was built; every check's ending, and nothing more to run, if that failed."""
        late = ran.built is not None and ran.built.late and ran.crowded > CROWDED
        if ending.stopped is Stopped.ENDED and late and self._builds < _MOST_TRIES:
            ending = Ending(Stopped.OURS, "(the build took too long, and the machine had no processor to give)")
        if ending.stopped is Stopped.ENDED:
            why = "" if ran.built is None or ran.built.ok else ran.built.text
            if why or (why := self._take_in(ran.archive, whole=ran.packed)):
                self.build_log = why
                ending = Ending(Stopped.BUILD)
        self._to_build = ending.stopped is Stopped.OURS and self._builds < _MOST_TRIES
        if ending.stopped is Stopped.ENDED:
            self.endings = {}
            return
        self.endings = everywhere(self.task.assignment, ending)
        self._steps = iter(())
        if not self._to_build:
            self.give_up()

    def _take_in(self, archive: BinaryIO | None, *, whole: bool) -> str:
        """Take in what was built; why it cannot be, for its author."""
        most = self.task.assignment.limits.disk_mb << 20
        try:
            if not whole or archive is None:
                raise SubmissionError(f"what was built is larger than {most / 1e6:g} MB, or cannot be read")
            archive.seek(0)
            self.scratch.mkdir(exist_ok=True)
            take_built(archive, self.scratch / "built", most)
        except SubmissionError as why:
            return str(why)
        self.submission = self.scratch / "built"
        return ""

    @property
    def _unknown(self) -> bool:
        """Whether somebody still has to look for forbidden names."""
        return self.forbidden is None and bool(self.task.assignment.rules())

    # -- how it ended --------------------------------------------------------------------------------------------------

    def _ending(self, group: Group, ran: Ran) -> tuple[Ran, Ending]:
        """How a group's tester ended, with what it reported so far as that counts."""
        ended = ran.ended
        if ended.late and not ended.stopped:
            return self._late(ran)
        if ended.died:
            note = f"the submission's node ended before its time: {ended.died}"
            # What had not begun is tried in a second node; a submission that ends that, too, gets no third.
            again = self._died.setdefault(group.suite if group.checks else "build", self._round) < self._round
            return _noted(ran, note), Ending(Stopped.NODE if again else Stopped.OURS, f"({ended.died})")
        broken = ran.broken or ended.stopped or why_improper(ended, ran.last)
        has_sources = ran.built is None or ran.built.ok
        if not broken and self._looker == group and ran.forbidden is None and has_sources:
            broken = "the tester did not look for forbidden names"
            ran = replace(ran, reports={})  # nobody knows what they are worth
        if broken:
            self._broke.add(group)
            self._last = Ending(Stopped.OURS, f"({broken})")
            return _noted(ran, f"the lab broke: {broken}"), self._last
        return ran, Ending()

    def _late(self, ran: Ran) -> tuple[Ran, Ending]:
        """What it means that the time was up."""
        ran = _noted(ran, "the time for the whole grading was up; it was ended from outside")
        if any(not report.outcome.decided for report in ran.reports.values()):
            # Part of the time went where the lab or the machine could not do its part.
            return ran, Ending(Stopped.OURS, "(the time was up, after checks that stayed undecided)")
        if self._without_processor(ran):
            return ran, Ending(Stopped.OURS, "(the time was up, and the machine had no processor to give)")
        return ran, Ending(Stopped.DEADLINE)

    def _without_processor(self, ran: Ran) -> bool:
        """Whether the machine was too busy for these seconds to say anything of the submission, not by its doing."""
        waited = sum(report.waited for report in ran.reports.values())
        used = sum(report.used for report in ran.reports.values())
        loud = is_loud(ran.seconds, used=used, cpus=self.task.assignment.limits.cpus)
        return was_starved(ran.seconds, waited=waited, crowded=ran.crowded, most=CROWDED) and not loud


def _noted(ran: Ran, note: str) -> Ran:
    return replace(ran, notes=(*ran.notes, note))


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
