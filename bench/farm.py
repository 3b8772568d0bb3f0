"""A class that we do not have: 10,000 submissions on 200 workers, in virtual time, through the scheduling that grades.

The steps are chosen by `grader.campaign.schedule`, groups are cut by `harness.course.groups` from the real assignments,
pushes are taken in the order of `grader.push.order`. Virtual are the clock, the workers, and how long things take: what
the checks say they take, spread as measured, and what the grader itself takes, measured first.

    .venv/bin/python bench/farm.py [SUBMISSIONS [WORKERS]]
"""

from __future__ import annotations

import heapq
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rescore import outcomes

from grader.bench.local import Elsewhere, Ended
from grader.bench.task import Task
from grader.campaign.schedule import Schedule, Step, Turn, pieces_for
from grader.course import this_course
from grader.farm.answer import Answer
from grader.farm.parcel import parcel_of
from grader.job.grading import Graded
from grader.push.order import Push, fair_order
from grader.record.run_folder import RunFolder
from grader.submission import take_submission
from harness.course.assignment import SUITES, Assignment
from harness.course.groups import cut, group_of, split
from harness.tester.border.records import line_of

#: Labs of a worker (8 GiB, two cores), as `labs_for` says.
LABS = 8
#: Seconds of a group beyond its checks: a node, a tester, a collection (bench/overhead.py, Docker, two cores, 8 labs).
GROUP = 1.3
#: How a check's time is spread around what its row says: sigma of a lognormal; and how often one runs to its time-out.
SPREAD, HANGS = 0.35, 0.01
#: A worker fails so often (seconds); half of them are noticed at once, half when nothing is heard for a minute. It is
#: there again after five minutes.
FAILS, NOTICED, BACK = 12 * 3600.0, (0.2, 60.0), 300.0
#: How often a check is undecided at first, and is tried once more at the end.
UNDECIDED = 0.001
#: Seconds until a scheduler that was started again has its workers and its grader back (tests/grader/farm).
FOUND_AGAIN = 10.0


@dataclass(eq=False)
class Work:
    """What a step does."""

    kind: str  #: "copy", "group", "save"
    seconds: float


@dataclass(eq=False)
class Worker:
    """One machine."""

    number: int
    running: dict[int, Step[Work]] = field(default_factory=dict)  #: by ticket
    queue: deque[Step[Work]] = field(default_factory=deque)  #: what waits at its gate
    apart: bool = False
    up: bool = True


@dataclass
class Costs:
    """Seconds of the grader's own processor."""

    copy: float  #: a safe copy of a submission
    group: float  #: a parcel out, an answer in
    save: float  #: result and pages


def measured() -> Costs:
    """On this machine, now, for the reference of `blocking`."""
    course = this_course()
    assignment, versions = course.load("blocking"), course.versions("blocking")
    many = 20
    with tempfile.TemporaryDirectory() as scratch:
        begun = time.process_time()
        for number in range(many):
            source = course.reference("blocking")
            copy = take_submission(source, Path(scratch) / f"c{number}", student="s", assignment="blocking")
        copied = (time.process_time() - begun) / many
        task = Task(student="s", assignment=assignment, suites={}, seed="", identity="", lab={}, submission=copy.path)
        told = outcomes(assignment, versions, "s")
        lines = [line_of(report) for report in told.reports.values()]
        answer = Answer(Ended(status=0, elsewhere=Elsewhere(seconds=1.0, crowded=0.0)), lines=lines)
        begun = time.process_time()
        for _ in range(many):
            parcel_of(task, "v").to_bytes()
            list(Answer.from_bytes(answer.to_bytes()).records())
        grouped = (time.process_time() - begun) / many
        with RunFolder(Path(scratch) / "run") as folder:
            begun = time.process_time()
            for number in range(many):
                kept = Path(scratch) / f"k{number}"
                shutil.copytree(copy.path, kept)
                folder.save(Graded(outcomes(assignment, versions, f"s{number}"), assignment, copy=kept), versions)
            saved = (time.process_time() - begun) / many
    return Costs(copied, grouped, saved)


class Farm:
    """Virtual time, workers that fail, one grader, and a real schedule."""

    def __init__(self, workers: int, costs: Costs, assignments: list[Assignment], seed: int, *, fails: bool) -> None:
        self.dice = random.Random(seed)
        self.costs, self.assignments = costs, assignments
        self.workers = [Worker(number) for number in range(workers)]
        self.lanes = workers * LABS
        self.now, self.deciding = 0.0, 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._ticket = 0
        self._grader_free = 0.0  # one processor: Python
        self.grader_busy = self.lab_busy = self.lab_lost = 0.0
        self.groups = self.failures = 0
        self.arrived: dict[int, float] = {}
        self.begun: dict[int, float] = {}
        self.ended: dict[int, float] = {}
        self._waves: dict[int, list[list[Step[Work]]]] = {}
        self._left: dict[int, int] = {}
        self.schedule: Schedule[Work] = Schedule([], 2 * self.lanes - 1, machines=workers)
        self._pushes: list[Push] = []
        self._order: deque[Push] = deque()
        self._ordered = -1.0
        self._served: dict[str, float] = {}
        for worker in self.workers if fails else ():
            self.at(self.dice.expovariate(1 / FAILS), lambda worker=worker: self._fail(worker))

    def at(self, after: float, what: Callable[[], None]) -> int:
        self._ticket += 1
        heapq.heappush(self._events, (self.now + after, self._ticket, what))
        return self._ticket

    def run(self) -> None:
        """Until every submission that arrived has its result."""
        self._choose()
        while self._events and len(self.ended) < self.submissions:
            self.now, ticket, what = heapq.heappop(self._events)
            self._current = ticket
            what()
            self._choose()

    # -- submissions -------------------------------------------------------------------------------------------------

    def class_of(self, count: int) -> None:
        """All of them are there: one `grader run`."""
        self.submissions = count
        first = [Step(number, Work("copy", self.costs.copy)) for number in range(count)]
        self.arrived = dict.fromkeys(range(count), 0.0)
        self.schedule = Schedule(first, 2 * self.lanes - 1, machines=len(self.workers))

    def pushes(self, times: list[float]) -> None:
        """They come one by one; each is from another student."""
        self.submissions = len(times)
        for number, moment in enumerate(times):
            self.at(moment, lambda number=number: self._arrive(number))

    def _arrive(self, number: int) -> None:
        self.arrived[number] = self.now
        self._pushes.append(Push(number, f"student-{number}", "a", "", "", "", self.now, self.now))

    def _take_pushes(self) -> None:
        """As many as lanes would stand idle without; in a fair order, looked at once a second."""
        while self._pushes and self.schedule.running + self._waiting() < self.lanes:
            if not self._order or self.now - self._ordered >= 1.0:
                self._order, self._ordered = deque(fair_order(self._pushes, self._served)), self.now
            push = self._order.popleft()
            self._pushes.remove(push)
            self._served[push.student] = self.now
            self.schedule.put([Step(push.id, Work("copy", self.costs.copy))])

    def _waiting(self) -> int:
        return len(self.schedule._waiting[Turn.BESIDE])

    # -- steps -------------------------------------------------------------------------------------------------------

    def _choose(self) -> None:
        begun = time.process_time()
        self._take_pushes()
        chosen = []
        while (step := self.schedule.next(self.lanes)) is not None:
            chosen.append(step)
        self.deciding += time.process_time() - begun
        for step in chosen:
            if step.what.kind == "group":
                self._graders(self.costs.group, lambda step=step: self._send(step))
            else:
                self._graders(step.what.seconds, lambda step=step: self._done(step))

    def _graders(self, seconds: float, then: Callable[[], None]) -> None:
        """The grader's processor does one thing after the other."""
        self._grader_free = max(self._grader_free, self.now) + seconds
        self.grader_busy += seconds
        self.at(self._grader_free - self.now, then)

    def _send(self, step: Step[Work]) -> None:
        """dask gives it to the worker with the least to do."""
        up = [worker for worker in self.workers if worker.up]
        if not up:
            self.at(5.0, lambda: self._send(step))
            return
        worker = min(up, key=lambda each: (len(each.running) + len(each.queue) + LABS * each.apart, each.number))
        worker.queue.append(step)
        self._gate(worker)

    def _gate(self, worker: Worker) -> None:
        """What may begin on a worker now: `grader/farm/gate.py`."""
        while worker.up and worker.queue and not worker.apart:
            alone = worker.queue[0].turn is not Turn.BESIDE
            if worker.running if alone else len(worker.running) >= LABS:
                return
            step = worker.queue.popleft()
            worker.apart = alone
            self.begun.setdefault(step.job, self.now)
            ticket = self.at(step.what.seconds, lambda worker=worker: self._back(worker))
            worker.running[ticket] = step

    def _back(self, worker: Worker) -> None:
        step = worker.running.pop(self._current, None)
        if step is None:  # it was lost meanwhile
            return
        worker.apart = False
        self.lab_busy += step.what.seconds
        self.groups += 1
        self._gate(worker)
        self._done(step)

    def _fail(self, worker: Worker) -> None:
        self.failures += 1
        lost = [*worker.running.values(), *worker.queue]
        self.lab_lost += sum(step.what.seconds / 2 for step in worker.running.values())
        worker.running, worker.queue, worker.apart, worker.up = {}, deque(), False, False
        self.at(self.dice.choice(NOTICED), lambda: [self._send(step) for step in lost] and None)
        self.at(BACK, lambda: self._up(worker))

    def _up(self, worker: Worker) -> None:
        worker.up = True
        self.at(self.dice.expovariate(1 / FAILS), lambda: self._fail(worker))

    def lose_scheduler(self) -> None:
        """All that runs is lost, and runs again when everybody has found the next one."""
        lost = [step for worker in self.workers for step in (*worker.running.values(), *worker.queue)]
        self.lab_lost += sum(step.what.seconds / 2 for worker in self.workers for step in worker.running.values())
        for worker in self.workers:
            worker.running, worker.queue, worker.apart = {}, deque(), False
        self.at(FOUND_AGAIN, lambda: [self._send(step) for step in lost] and None)

    def _done(self, step: Step[Work]) -> None:
        begun = time.process_time()
        self.schedule.ended(step)
        job = step.job
        if step.what.kind == "save":
            self.ended[job] = self.now
            self.schedule.closes(job)
        elif step.what.kind == "copy":
            self._waves[job] = self._waves_of(job)
            self._next_wave(job)
        else:
            self._left[job] -= 1
            if not self._left[job]:
                self._next_wave(job)
        self.deciding += time.process_time() - begun

    def _next_wave(self, job: int) -> None:
        waves = self._waves[job]
        wave = waves.pop(0) if waves else [Step(job, Work("save", self.costs.save))]
        self._left[job] = len(wave)
        if wave[0].turn is Turn.LAST:
            self.schedule.closes(job)
        self.schedule.put(wave)

    def _waves_of(self, job: int) -> list[list[Step[Work]]]:
        """Of a submission, as `grader/job/run.py` has them."""
        assignment = self.assignments[job % len(self.assignments)]
        waves, again, dice = [], [], random.Random(job)
        for suite in SUITES:
            beside, alone = split(assignment, suite, [check.id for check in assignment.checks])
            groups = cut(beside, pieces_for(self.lanes, max(1, self.schedule.begun + len(self._pushes))))
            waves.append([self._step(job, group.checks, Turn.BESIDE, dice) for group in groups])
            if alone:
                waves.append([self._step(job, group_of(alone).checks, Turn.ALONE, dice)])
        for check in assignment.checks:
            if dice.random() < UNDECIDED:
                again.append(check.id)
        if again:
            waves.append([self._step(job, tuple(again), Turn.LAST, dice)])
        return [wave for wave in waves if wave]

    def _step(self, job: int, checks: tuple[str, ...], turn: Turn, dice: random.Random) -> Step[Work]:
        assignment, seconds = self.assignments[job % len(self.assignments)], GROUP
        for name in checks:
            check = assignment.check(name)
            hangs = dice.random() < HANGS
            seconds += check.timeout if hangs else check.takes * dice.lognormvariate(0.0, SPREAD)
        return Step(job, Work("group", seconds), turn)


def told(farm: Farm, title: str, wall: float) -> float:
    """Print what came of it; when the last one had its result."""
    end = max(farm.ended.values())
    waits = sorted(farm.begun[job] - farm.arrived[job] for job in farm.ended)
    answers = sorted(farm.ended[job] - farm.arrived[job] for job in farm.ended)
    assert len(farm.ended) == farm.submissions and farm.schedule.running == 0

    def three(found: list[float]) -> str:
        return " / ".join(
            f"{value:,.0f}" for value in (statistics.median(found), found[int(0.95 * len(found))], found[-1])
        )

    print(f"{title}")
    print(f"  {len(farm.ended):,} results, {farm.groups:,} groups, last result after {end / 60:.1f} min (virtual)")
    print(f"  median / 95 % / longest until the first check: {three(waits)} s; until the result: {three(answers)} s")
    print(
        f"  labs used {farm.lab_busy / (farm.lanes * end):.0%}, the grader's processor {farm.grader_busy / end:.0%};"
        f" {farm.failures} workers lost, {farm.lab_lost:,.0f} s of lab work with them"
    )
    print(f"  real: {wall:.1f} s, of which the schedule {farm.deciding:.1f} s")
    return end


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    course = this_course()
    assignments = [course.load(name) for name in course.names()]
    costs = measured()
    print(
        f"the grader's processor, measured: {costs.copy * 1e3:.1f} ms a copy, {costs.group * 1e3:.1f} ms a group,"
        f" {costs.save * 1e3:.1f} ms a result; virtual: {workers} workers of {LABS} labs, all four assignments"
    )

    def play(title: str, prepare: Callable[[Farm], None], *, fails: bool = True, workers: int = workers) -> float:
        farm = Farm(workers, costs, assignments, 1, fails=fails)
        prepare(farm)
        begun = time.perf_counter()
        farm.run()
        return told(farm, title, time.perf_counter() - begun)

    whole = play("a class at once, nothing fails", lambda farm: farm.class_of(count), fails=False)
    play("a class at once, workers fail", lambda farm: farm.class_of(count))

    def lost(farm: Farm) -> None:
        farm.class_of(count)
        farm.at(whole / 2, farm.lose_scheduler)

    end = play("the same, nothing fails but the scheduler, half way", lost, fails=False)
    print(f"  a lost scheduler costs {end - whole:.0f} s, {(end - whole) / whole:.1%} of the class")
    play("a class at once on a tenth of the workers", lambda farm: farm.class_of(count), workers=max(1, workers // 10))
    dice = random.Random(2)
    # Half of a class pushes in the last 30 minutes of a day, most of them in the last ones.
    late = [86_400 - min(dice.expovariate(1 / 900), 86_400) for _ in range(count // 2)]
    burst = sorted(late + [dice.uniform(0, 86_400) for _ in range(count - count // 2)])
    play("a day of pushes that ends with a deadline", lambda farm: farm.pushes(burst))
    play("the same on a tenth of the workers", lambda farm: farm.pushes(burst), workers=max(1, workers // 10))


if __name__ == "__main__":
    main()
