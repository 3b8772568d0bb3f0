"""Many jobs, some lanes, one run folder. A job that is done is not run again; one that breaks stops no other.

Rule 1: lanes copy, test and save; one thread decides what runs next (schedule.py) and puts together what came back; the
        caller's thread displays: what happens reaches it as events, in order.
Rule 2: however it ends (done, interrupted, killed), what has finished is on the disk, and the next run does the rest.
Rule 3: what is undecided after its first round is tried once more at the end, when nothing else runs. What still waits
        for that at an interrupt is written as it stands, as ours: so the next run takes it up.
"""

from __future__ import annotations

import contextlib
import functools
import queue
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from grader.bench.local import Place
from grader.bench.task import Task
from grader.campaign.crowd import Crowd, suffered
from grader.campaign.lanes import Lanes
from grader.campaign.plan import GradingJob
from grader.campaign.schedule import Schedule, Step, Turn, pieces_for
from grader.campaign.tasks import make_task
from grader.course import Course, Versions
from grader.job.grading import Graded, Grading, ours, refuse, seed_of
from grader.job.run import Progress, Run
from grader.job.tester import Cancelled, Ran, broken, run_tester
from grader.record.run_folder import RunFolder
from grader.submission import take_submission
from harness.course.assignment import Assignment
from harness.course.groups import Group
from harness.errors import SetupError, SubmissionError, shortage
from harness.lab.interface import LabError
from harness.tester.border.records import Report, Start

#: Seconds of checks that one more lab has to take over, so that it is worth the processor that it takes to start.
WORTH_A_LANE = 14.0


@dataclass(frozen=True)
class JobEvent:
    """Something that happened to a job."""

    kind: Literal["begins", "goes on", "waits", "is scored", "ends", "breaks"]
    job: GradingJob
    progress: Progress | None = None  #: "goes on"
    result: dict[str, Any] | None = None  #: "ends"; "is scored": before it and its pages are on the disk
    again: bool = False  #: "ends": the result is from an earlier run
    text: str = ""  #: "breaks": why there is no result


@dataclass(frozen=True)
class _Act:
    """What a step does. All but the call it makes in a lane happens in the thread that decides."""

    start: Callable[[], Callable[[], Any] | None]  #: the call; None: nothing is to be done
    then: Callable[[Any], None]  #: what follows; gets what the call returned


@dataclass
class _Open:
    """A submission from its copy to its result."""

    number: int
    job: GradingJob
    copy: Path
    grading: Grading | None = None
    graded: Graded | None = None  #: where nothing is to be tested
    rounds: int = 0  #: that are over
    running: int = 0  #: steps
    since: float = 0.0  #: when the first of them began (seconds, monotonic)
    error: Exception | None = None  #: what broke, through our fault
    done: bool = False

    @property
    def run(self) -> Run:
        """Its run; it has one."""
        assert self.grading is not None and self.grading.run is not None
        return self.grading.run


@dataclass
class Campaign:
    """One call of `grader run`."""

    course: Course
    run: RunFolder
    place: Place
    secret: bytes
    workers: int = 1  #: lanes at most; fewer are used while verdicts suffer
    again: bool = False  #: grade again what is waiting for a person
    stopped: Callable[[], bool] = lambda: False  #: somebody wants `events` to end
    _events: queue.SimpleQueue[JobEvent | None] = field(default_factory=queue.SimpleQueue)
    _ended: queue.SimpleQueue[tuple[Step[_Act], Future[Any]] | None] = field(default_factory=queue.SimpleQueue)
    _stop: threading.Event = field(default_factory=threading.Event)
    _versions: dict[str, Versions] = field(default_factory=dict)
    _tools: Mapping[str, str] = field(default_factory=dict)  # what submissions find on the machine they run on
    _writing: threading.Lock = field(default_factory=threading.Lock)  # one lane at a time writes into the run's folder

    def __post_init__(self) -> None:
        self.crowd = Crowd(max(1, self.workers))

    def events(self, jobs: list[GradingJob]) -> Iterator[JobEvent]:
        """Grade the jobs, and say what happens. Closing the iterator (or an interrupt in it) stops the lanes."""
        self._tools = self.place.tools()
        for name in {job.assignment.name for job in jobs}:
            self._versions[name] = self.course.versions(name)
        self._worth = worth_of([job.assignment for job in jobs])
        self._lanes = Lanes(self.place, self.crowd.most, ahead=self._worth)
        self.crowd = Crowd(len(self._lanes))
        self._jobs = [_Open(number, job, self.run.work / str(number)) for number, job in enumerate(jobs)]
        first = [Step(each.number, self._copying(each)) for each in self._jobs]
        self._schedule = Schedule(first, most_open=2 * self.crowd.most - 1, machines=self.place.machines)
        decides = threading.Thread(target=self._decide, name="campaign")
        try:
            _start(decides)
            while not self.stopped():
                try:
                    # With a time-out, so that an interrupt is seen at once on every system.
                    event = self._events.get(timeout=0.2)
                except queue.Empty:
                    continue
                if event is None:
                    break
                yield event
        finally:
            if not self._schedule.over:
                self._stop.set()
                self._lanes.cancel()
                self._ended.put(None)
            try:
                if decides.ident is not None:
                    decides.join()
            finally:  # also at a second interrupt: without it the lanes would keep the process for ever
                self._lanes.shutdown()

    # -- in the thread that decides ------------------------------------------------------------------------------

    def _decide(self) -> None:
        try:
            while not self._stop.is_set() and not self._schedule.over:
                while not self._stop.is_set() and (step := self._schedule.next(self._lanes_now)) is not None:
                    self._begin(step)
                if self._schedule.running:
                    self._hear(self._ended.get())
            while self._schedule.running:
                self._hear(self._ended.get())
            for each in self._jobs:
                if each.rounds and not each.done:  # only if somebody stopped this
                    self._guarded(each, functools.partial(self._save, each))
        finally:
            self._events.put(None)

    def _begin(self, step: Step[_Act]) -> None:
        each = self._jobs[step.job]
        if not each.running:
            each.since = time.monotonic()
        each.running += 1
        call = self._guarded(each, step.what.start)
        if call is None:
            future: Future[Any] = Future()
            future.set_result(None)
            self._ended.put((step, future))
        else:
            future = self._lanes.submit(call)
            future.add_done_callback(lambda future: self._ended.put((step, future)))

    def _hear(self, ended: tuple[Step[_Act], Future[Any]] | None) -> None:
        """A step has ended: what follows."""
        if ended is None:  # somebody wants to stop
            return
        step, future = ended
        each = self._jobs[step.job]
        self._schedule.ended(step)
        each.running -= 1
        if not each.running and each.grading is not None:
            each.grading.spend(time.monotonic() - each.since)
        if not isinstance(future.exception(), Cancelled):
            self._guarded(each, lambda: None if each.error else step.what.then(future.result()))
        if each.error and not each.running and not each.done:
            self._put(each, self._breaking(each))

    def _guarded(self, each: _Open, act: Callable[[], Any]) -> Any:
        """Do something for a submission; what breaks there breaks nothing else."""
        try:
            return act()
        except Exception as error:
            each.error = each.error or error
            self._schedule.drop(each.number)
            return None

    def _put(self, each: _Open, act: _Act, turn: Turn = Turn.BESIDE) -> None:
        self._schedule.put([Step(each.number, act, turn)])

    @property
    def _lanes_now(self) -> int:
        return min(self.crowd.now, self._worth)

    def _copying(self, each: _Open) -> _Act:
        def start() -> Callable[[], Any]:
            self._events.put(JobEvent("begins", each.job))
            return functools.partial(self._copy, each)

        def then(done: dict[str, Any] | None) -> None:
            if done is not None:
                self._end(each, done, again=True)
            elif each.grading is None or each.grading.run is None:
                self._put(each, self._saving(each))
            else:
                each.run.begin()
                self._next_wave(each)

        return _Act(start, then)

    def _next_wave(self, each: _Open) -> None:
        """Put what of a submission may run now; if nothing is left of its round, what follows on that."""
        pieces = 1 if each.job.until_failure else pieces_for(self._lanes_now, self._schedule.begun)
        if groups := each.run.wave(pieces):
            beside = Turn.LAST if each.rounds else Turn.BESIDE
            for group in groups:
                turn = Turn.ALONE if group.alone and not each.rounds else beside
                self._put(each, self._testing(each, group), turn)
            return
        each.rounds += 1
        if each.rounds == 1:
            self._schedule.closes(each.number)
            if each.run.open:
                self._events.put(JobEvent("waits", each.job, text="some checks are undecided; once more at the end"))
        if each.run.open:
            self._put(each, self._trying_again(each), Turn.LAST)
        else:
            self._put(each, self._saving(each))

    def _testing(self, each: _Open, group: Group) -> _Act:
        def start() -> Callable[[], Any] | None:
            task = each.run.task_of(group)
            return None if task is None else functools.partial(self._test, task, each.run.see)

        def then(ran: Ran | None) -> None:
            if ran is not None:
                if self.place.machines == 1:  # of several each has as many labs as it carries by itself
                    self.crowd.learn(suffered(ran.reports.values()))
                each.run.take(group, ran)
            if each.run.between_waves:
                self._next_wave(each)

        return _Act(start, then)

    def _trying_again(self, each: _Open) -> _Act:
        def start() -> None:
            if each.rounds == 1:
                self._events.put(JobEvent("begins", each.job, text="once more, alone"))
            try:
                each.run.begin()
            except LabError:  # then it stays as it was
                each.run.give_up()

        return _Act(start, lambda _: self._next_wave(each))

    def _saving(self, each: _Open) -> _Act:
        return _Act(lambda: functools.partial(self._save, each), lambda result: self._end(each, result))

    def _breaking(self, each: _Open) -> _Act:
        """Save that it broke; if even that breaks, say so."""
        assert each.error is not None
        error, each.error = each.error, None

        def save() -> dict[str, Any] | str:
            try:
                graded = ours(self._task(each.job, "broken"), *_what_broke(error))
                with self._writing:
                    return self.run.save(graded)
            except Exception as another:  # a full disk
                why = shortage(another) or f"{type(another).__name__}: {another}"
                return f"the result could not be saved: {why}. The same command again grades it."
            finally:
                self._clear(each)

        def then(result: dict[str, Any] | str) -> None:
            if isinstance(result, str):
                each.done = True
                self._schedule.closes(each.number)
                self._events.put(JobEvent("breaks", each.job, text=result))
            else:
                self._end(each, result)

        return _Act(lambda: save, then)

    def _end(self, each: _Open, result: dict[str, Any], *, again: bool = False) -> None:
        each.done = True
        self._schedule.closes(each.number)
        self._events.put(JobEvent("ends", each.job, result=result, again=again))

    # -- in a lane -----------------------------------------------------------------------------------------------

    def _copy(self, each: _Open) -> dict[str, Any] | None:
        """Take a copy and find out what is to be done with it; the result if there is one from an earlier run."""
        begun, job = time.monotonic(), each.job
        try:
            submission = take_submission(
                job.path, each.copy / "submission", student=job.student, assignment=job.assignment.name
            )
        except SubmissionError as problem:
            task = self._task(job, f"refused: {problem}")
            each.graded = refuse(task, str(problem))
        else:
            task = self._task(job, submission.hash)
        again = self.again and each.graded is None
        with self._writing:
            done = self.run.finished(task, again=again)
        if done:
            self._clear(each)
            return done
        if each.graded is None:
            self.run.check_room()
            show = self._shower(job)
            show(Progress("waiting for a lab"))
            taken = time.monotonic() - begun
            each.grading = Grading(task, submission, show, taken, known=self.run.known(task))
        return None

    def _test(self, task: Task, see: Callable[[Start | Report], None]) -> Ran:
        """Run a group's tester. Raises Cancelled."""
        with contextlib.ExitStack() as stack:
            try:
                bench = stack.enter_context(self._lanes.bench())
            except LabError as error:
                if self._stop.is_set():
                    raise Cancelled from None
                return broken(str(error))
            return run_tester(bench, task, see)

    def _save(self, each: _Open) -> dict[str, Any]:
        """Make a submission's result and save it."""

        def scored(result: dict[str, Any]) -> None:
            self._events.put(JobEvent("is scored", each.job, result=result))

        if (graded := each.graded) is None:
            assert each.grading is not None
            graded = each.grading.graded()
        with self._writing:
            result = self.run.save(graded, self._versions[each.job.assignment.name], scored=scored)
        self._clear(each)
        return result

    def _clear(self, each: _Open) -> None:
        shutil.rmtree(each.copy, ignore_errors=True)

    def _task(self, job: GradingJob, submission: str) -> Task:
        name = job.assignment.name
        return make_task(
            self.course,
            self.place,
            self._tools,
            student=job.student,
            assignment=job.assignment,
            versions=self._versions[name],
            submission=submission,
            seed=seed_of(self.secret, job.student, name),
            until_failure=job.until_failure,
        )

    def _shower(self, job: GradingJob) -> Callable[[Progress], None]:
        return lambda progress: self._events.put(JobEvent("goes on", job, progress=progress))


def worth_of(assignments: Iterable[Assignment]) -> int:
    """How many labs there is work for, in one submission of each."""
    return max(1, round(sum(check.takes for one in assignments for check in one.checks) / WORTH_A_LANE))


def _start(thread: threading.Thread) -> None:
    try:
        thread.start()
    except RuntimeError as error:
        raise SetupError(f"nothing can be begun: {shortage(error) or error}") from None


def _what_broke(error: Exception) -> tuple[str, str]:
    """What is told of an error that is ours or the machine's, and the log that is kept of it."""
    if isinstance(error, LabError):
        return f"The lab broke: {error}", ""
    if why := shortage(error):
        return f"This machine could not do its part: {why}.", _trace(error)
    return "The grader broke; the log says how.", _trace(error)


def _trace(error: Exception) -> str:
    return "".join(traceback.format_exception(error))
