"""Many jobs, some workers, one run folder. A job that is done is not run again; one that breaks stops no other.

Rule 1: workers grade, the caller's thread displays; what happens reaches it as events, in order.
Rule 2: however it ends (done, interrupted, killed), what has finished is on the disk, and the next run does the rest.
Rule 3: what is undecided after its first run is tried once more at the end, by one worker, when nothing else runs.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import queue
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from grader.bench.local import Bench, Place
from grader.bench.task import Task
from grader.campaign.crowd import Crowd, suffered
from grader.campaign.machine import tools_of_place
from grader.campaign.plan import GradingJob
from grader.campaign.tasks import make_task
from grader.course import Course, Versions
from grader.job.grading import Graded, Grading, ours, refuse, seed_of
from grader.job.listener import Progress
from grader.job.run import Cancelled
from grader.record.run_folder import RunFolder
from grader.submission import take_submission
from harness.errors import SetupError, SubmissionError, shortage
from harness.lab.interface import LabError


@dataclass(frozen=True)
class JobEvent:
    """Something that happened to a job."""

    kind: Literal["begins", "goes on", "waits", "ends", "breaks"]
    job: GradingJob
    progress: Progress | None = None  #: "goes on"
    result: dict[str, Any] | None = None  #: "ends"
    again: bool = False  #: "ends": the result is from an earlier run
    text: str = ""  #: "breaks": why there is no result


@dataclass(frozen=True)
class _Waiting:
    """A submission with undecided checks, which are tried once more at the end."""

    job: GradingJob
    grading: Grading
    copy: Path


@dataclass
class Campaign:
    """One call of `grader run`."""

    course: Course
    run: RunFolder
    place: Place
    secret: bytes
    workers: int = 1  #: at most so many side by side; fewer while verdicts suffer
    again: bool = False  #: grade again what is waiting for a person
    _todo: queue.SimpleQueue[GradingJob] = field(default_factory=queue.SimpleQueue)
    _events: queue.SimpleQueue[JobEvent | None] = field(default_factory=queue.SimpleQueue)
    _stop: threading.Event = field(default_factory=threading.Event)
    _benches: dict[int, Bench] = field(default_factory=dict)
    _versions: dict[str, Versions] = field(default_factory=dict)
    _tools: dict[str, str] = field(default_factory=dict)  # what submissions find on the machine they run on
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _turn: threading.Condition = field(default_factory=threading.Condition)  # over the next three
    _running: int = 0
    _alive: int = 0  # workers that have something to do
    _waiting: list[_Waiting] = field(default_factory=list)
    _copies: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.crowd = Crowd(max(1, self.workers))

    def events(self, jobs: list[GradingJob]) -> Iterator[JobEvent]:
        """Grade the jobs, and say what happens. Closing the iterator (or an interrupt in it) stops the workers."""
        self._tools = tools_of_place(self.place)
        for name in {job.assignment.name for job in jobs}:
            self._versions[name] = self.course.versions(name)
        for job in jobs:
            self._todo.put(job)
        threads = [
            threading.Thread(target=self._work, args=(number,), name=f"worker-{number}")
            for number in range(max(1, min(self.workers, len(jobs))))
        ]
        left = 0
        self._alive = len(threads)
        try:
            with self._turn:
                left = _started(threads)
                self._alive -= len(threads) - left
            while left:
                try:
                    # With a time-out, so that an interrupt is seen at once on every system.
                    event = self._events.get(timeout=0.2)
                except queue.Empty:
                    continue
                if event is None:
                    left -= 1
                else:
                    yield event
        finally:
            self._stop.set()
            with self._lock:
                for bench in self._benches.values():
                    bench.cancel()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()

    # -- in a worker's thread ------------------------------------------------------------------------------------

    def _work(self, number: int) -> None:
        try:
            while (job := self._next()) is not None:
                self._events.put(JobEvent("begins", job))
                try:
                    self._carefully(number, job, functools.partial(self._first, number, job))
                finally:
                    with self._turn:
                        self._running -= 1
                        self._turn.notify_all()
        finally:
            with self._turn:
                self._alive -= 1
                last = not self._alive
        try:
            while last and self._waiting and not self._stop.is_set():
                waiting = self._waiting.pop(0)
                self._events.put(JobEvent("begins", waiting.job, text="once more, alone"))
                self._carefully(number, waiting.job, functools.partial(self._again, number, waiting))
        finally:
            self._drop_bench(number)
            self._events.put(None)

    def _next(self) -> GradingJob | None:
        """The next job, when there is room for another one; None if there is none left."""
        with self._turn:
            while not self._stop.is_set() and not self._todo.empty():
                if self._running < self.crowd.now:
                    self._running += 1
                    return self._todo.get_nowait()
                self._turn.wait(0.2)
        return None

    def _carefully(self, number: int, job: GradingJob, act: Callable[[], tuple[dict[str, Any], bool] | None]) -> None:
        """Grade one job, come what may. `act` gives its result and whether that was there already; None: it waits."""
        try:
            found = act()
        except Cancelled:
            return
        except Exception as error:
            self._drop_bench(number)
            again = False
            try:
                found = self.run.save(ours(self._task(job, "broken"), *_what_broke(error))), again
            except Exception as another:  # a full disk
                why = shortage(another) or f"{type(another).__name__}: {another}"
                text = f"the result could not be saved: {why}. The same command again grades it."
                self._events.put(JobEvent("breaks", job, text=text))
                return
        if found is not None:
            self._events.put(JobEvent("ends", job, result=found[0], again=found[1]))

    def _first(self, number: int, job: GradingJob) -> tuple[dict[str, Any], bool] | None:
        """The job's result, and whether it existed already; None if it is tried once more later. Raises Cancelled."""
        begun = time.monotonic()
        copy = self.run.work / str(next(self._copies))
        waits = False
        try:
            graded: Graded
            try:
                submission = take_submission(
                    job.path, copy / "submission", student=job.student, assignment=job.assignment.name
                )
            except SubmissionError as problem:
                task = self._task(job, f"refused: {problem}")
                if done := self.run.finished(task):
                    return done, True
                graded = refuse(task, str(problem))
            else:
                task = self._task(job, submission.hash)
                done = self.run.finished(task, again=self.again)
                if done:
                    return done, True
                taken = time.monotonic() - begun
                self.run.check_room()
                self._shower(job)(Progress("waiting for a lab"))
                grading = Grading(task, submission, self._shower(job), taken, known=self.run.known(task))
                grading.go(self._bench(number))
                waits = grading.open
                with self._turn:
                    self.crowd.learn(suffered(grading.reports))
                    if waits:
                        self._waiting.append(_Waiting(job, grading, copy))
                if waits:
                    self._events.put(JobEvent("waits", job, text="some checks are undecided; once more at the end"))
                    return None
                graded = grading.graded()
            return self.run.save(graded, task.versions), False
        finally:
            if not waits:
                shutil.rmtree(copy, ignore_errors=True)

    def _again(self, number: int, waiting: _Waiting) -> tuple[dict[str, Any], bool]:
        """The result after what was undecided was tried once more. Raises Cancelled, LabError."""
        try:
            try:
                while waiting.grading.open:
                    waiting.grading.go(self._bench(number))
            except LabError:  # then it stays as it was; the lab is another one's business
                self._drop_bench(number)
            graded = waiting.grading.graded()
            return self.run.save(graded, waiting.grading.task.versions), False
        finally:
            shutil.rmtree(waiting.copy, ignore_errors=True)

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
        )

    def _shower(self, job: GradingJob) -> Callable[[Progress], None]:
        return lambda progress: self._events.put(JobEvent("goes on", job, progress=progress))

    def _bench(self, number: int) -> Bench:
        """The worker's bench, made when it is first needed. Raises LabError."""
        with self._lock:
            if number in self._benches:
                return self._benches[number]
        bench = self.place.bench()
        with self._lock:
            self._benches[number] = bench
        if self._stop.is_set():
            bench.cancel()
        return bench

    def _drop_bench(self, number: int) -> None:
        with self._lock:
            bench = self._benches.pop(number, None)
        if bench is not None:
            with contextlib.suppress(Exception):  # the place sweeps up what is left when it is closed
                bench.close()


def _started(threads: list[threading.Thread]) -> int:
    """Start as many as this machine has room for; how many. Raises SetupError if that is none."""
    for number, thread in enumerate(threads):
        try:
            thread.start()
        except RuntimeError as error:
            if not number:
                raise SetupError(f"no worker can be started: {shortage(error) or error}") from None
            return number
    return len(threads)


def _what_broke(error: Exception) -> tuple[str, str]:
    """What is told of an error that is ours or the machine's, and the log that is kept of it."""
    if isinstance(error, LabError):
        return f"The lab broke: {error}", ""
    if why := shortage(error):
        return f"This machine could not do its part: {why}.", traceback.format_exc()
    return "The grader broke; the log says how.", traceback.format_exc()
