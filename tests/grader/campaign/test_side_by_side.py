"""Checks of one submission side by side: what becomes of one group is nobody else's business."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from fakes import ALL, END, READS, SECRET, SERVES, SURVIVES, FakeBench, Runs, hand_in, passing, report, said

from grader.bench.local import Ended, OnRecord
from grader.bench.task import Task
from grader.campaign.campaign import Campaign
from grader.campaign.plan import make_plan
from grader.record.run_folder import RunFolder
from harness.lab.interface import LabError
from harness.tester.border.records import Forbidden

#: By the first check of a group: what its tester does, at its first and at its second try.
Plays = dict[str, list[Callable[[Task, OnRecord], Ended]]]


def passes(task: Task, on_record: OnRecord) -> Ended:
    for record in [*passing(), END]:
        if record.get("check", task.checks[0]) in task.checks:
            on_record(said(record))
    return Ended(status=0)


class Stage:
    """Benches that play by group; what was asked of them, and how many ran side by side."""

    def __init__(self, runs: Runs, plays: Plays | None = None) -> None:
        self.plays = plays or {}
        self.tasks: list[Task] = []
        self.most = 0
        self.running = 0
        self.cancelled = threading.Event()
        self._lock = threading.Lock()
        toml = runs.course.reference("blocking") / "assignment.toml"
        if "takes" not in toml.read_text():
            toml.write_text(toml.read_text().replace("rule = ", "takes = 30\nrule = "))  # each is a group of its own
        runs.place.make = lambda: Player(self)

    def tried(self) -> list[list[str]]:
        return [list(task.checks) for task in self.tasks]

    def play(self, task: Task, on_record: OnRecord) -> Ended:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.tasks.append(task)
            plays = self.plays.get(task.checks[0], [])
            act = plays.pop(0) if plays else passes
        try:
            if task.look:
                on_record(Forbidden({}))
            return act(task, on_record)
        finally:
            with self._lock:
                self.running -= 1


class Player(FakeBench):
    def __init__(self, stage: Stage) -> None:
        super().__init__([])
        self.stage = stage

    def cancel(self) -> None:
        self.stage.cancelled.set()

    def run(self, task: Task, on_record: OnRecord) -> Ended:
        return self.stage.play(task, on_record)


def outcomes(result: dict[str, Any]) -> list[str]:
    return [check["outcome"] for check in result["checks"]]


def test_groups_of_a_suite_run_side_by_side_and_no_hidden_one_before_the_public_ones_are_done(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    both = threading.Barrier(2)  # nobody passes it alone

    def meets(task: Task, on_record: OnRecord) -> Ended:
        both.wait(20)
        return passes(task, on_record)

    stage = Stage(runs, {check: [meets] for check in ALL})
    assert runs.go(workers=2)["ann"]["points"] == 15
    assert [sorted(checks) for checks in stage.tried()[:2]] in ([[READS], [SERVES]], [[SERVES], [READS]])
    assert {check for (check,) in stage.tried()[2:]} == {SECRET, SURVIVES}
    assert [task.look for task in stage.tasks].count(True) == 1  # forbidden names are looked for once
    assert all(set(task.outcomes) >= {READS, SERVES} for task in stage.tasks[2:])


@pytest.mark.parametrize("how", ["breaks", "dies", "ends", "no lab"])
def test_a_lane_that_breaks_costs_a_repetition_of_its_own_group_only(runs: Runs, how: str) -> None:
    hand_in(runs.submitted, "ann")

    def breaks(_task: Task, _on_record: OnRecord) -> Ended:
        if how == "breaks":
            raise LabError("the engine went away")
        if how == "dies":
            return Ended(status=None, died="the kernel ended the node")
        return Ended(status=-9)

    stage = Stage(runs, {SERVES: [breaks]})
    if how == "no lab":
        stage.plays, made = {}, iter([Player(stage)])

        def make() -> Player:
            try:
                return next(made)
            except StopIteration:
                raise LabError("no more memory") from None

        runs.place.make = make
    result = runs.go(workers=2)["ann"]
    assert (result["points"], result["state"]) == (15, "graded")
    counts = {check: sum(check in checks for checks in stage.tried()) for check in ALL}
    assert counts[READS] + counts[SECRET] == 2 and max(counts.values()) <= 2


def test_a_submission_that_ends_its_node_twice_gets_no_third_one_and_loses_nothing_else(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")

    def dies(_task: Task, _on_record: OnRecord) -> Ended:
        return Ended(status=None, died="the kernel ended the node, since the submission had filled its memory")

    stage = Stage(runs, {SERVES: [dies, dies, dies]})
    result = runs.go(workers=2)["ann"]
    assert outcomes(result) == ["pass", "pass", "error", "pass"]
    assert sum(SERVES in checks for checks in stage.tried()) == 2


def test_the_result_does_not_tell_which_group_came_back_first(runs: Runs) -> None:
    results = []
    for first, second in ((READS, SERVES), (SERVES, READS)):
        hand_in(runs.submitted, first[5:11])
        done = threading.Event()

        def waits(task: Task, on_record: OnRecord, done: threading.Event = done) -> Ended:
            done.wait(20)
            return passes(task, on_record)

        def goes(task: Task, on_record: OnRecord, done: threading.Event = done) -> Ended:
            on_record(said(report("nobody::asked")))
            ended = passes(task, on_record)
            done.set()
            return ended

        Stage(runs, {first: [goes], second: [waits]})
        results.append(runs.go(workers=2)[first[5:11]])
    left, right = results
    assert [check["id"] for check in left["checks"]] == [check["id"] for check in right["checks"]] == list(ALL)
    assert outcomes(left) == outcomes(right)
    assert left["notes"] == right["notes"]


def test_the_time_for_the_whole_grading_is_the_sum_over_its_groups(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    from grader.bench import local

    hand_in(runs.submitted, "ann")
    clock = iter(range(0, 10_000, 20))
    monkeypatch.setattr(local.time, "monotonic", lambda: next(clock), raising=True)
    stage = Stage(runs)
    result = runs.go(workers=1)["ann"]
    limits = [task.seconds for task in stage.tasks]
    assert limits == sorted(limits, reverse=True) and limits[0] == 30 * 1.25 + 15
    assert result["possible"] == 15


def test_an_interrupt_keeps_the_first_round_of_what_waits_for_its_second_one(runs: Runs) -> None:
    for student in ("ann", "bob"):
        hand_in(runs.submitted, student)

    def doubtful(_task: Task, on_record: OnRecord) -> Ended:
        for record in (report(READS), report(SERVES, "inconclusive"), END):
            on_record(said(record))
        return Ended(status=0)

    def goes_on(_task: Task, on_record: OnRecord) -> Ended:
        on_record(said(report(READS)))
        stage.cancelled.wait(20)
        return Ended(status=None, cancelled=True)

    stage = Stage(runs, {READS: [doubtful, goes_on]})
    plan = make_plan(runs.course, runs.submitted)
    with RunFolder(runs.out) as folder:
        events = Campaign(runs.course, folder, runs.place, folder.secret("course secret")).events(plan.jobs)
        for event in events:
            if event.job.student == "bob" and event.progress and event.progress.done:
                break
        events.close()  # type: ignore[attr-defined]
    kept = runs.result("ann")
    assert (kept["state"], kept["points"], kept["undecided"]) == ("ours", 11, 4)
    assert not (runs.out / "bob").exists()
    stage.tasks.clear()
    results = runs.go(workers=2)
    assert {name: result["points"] for name, result in results.items()} == {"ann": 15, "bob": 15}
    assert any(task.student == "ann" for task in stage.tasks)  # it was not taken for done


def test_checks_that_want_the_machine_for_themselves_get_it(runs: Runs) -> None:
    for student in ("ann", "bob"):
        hand_in(runs.submitted, student)
    stage = Stage(runs)
    toml = runs.course.reference("blocking") / "assignment.toml"
    toml.write_text(toml.read_text().replace('rule = "Survive."', 'alone = "measures idle CPU"\nrule = "Survive."'))
    beside: list[int] = []

    def counts(task: Task, on_record: OnRecord) -> Ended:
        beside.append(stage.running)
        return passes(task, on_record)

    stage.plays = {SURVIVES: [counts, counts]}
    results = runs.go(workers=4)
    assert {result["points"] for result in results.values()} == {15}
    assert beside == [1, 1]
    assert [task.checks for task in stage.tasks].count((SURVIVES,)) == 2


def test_an_interrupt_in_the_second_round_leaves_it_to_the_next_run(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")

    def doubtful(_task: Task, on_record: OnRecord) -> Ended:
        for record in (report(READS), report(SERVES, "inconclusive"), END):
            on_record(said(record))
        return Ended(status=0)

    def goes_on(_task: Task, on_record: OnRecord) -> Ended:
        on_record(said(report(SERVES)))  # but nobody can rely on it: its tester has not come to its end
        stage.cancelled.wait(20)
        return Ended(status=None, cancelled=True)

    stage = Stage(runs, {READS: [doubtful], SERVES: [goes_on]})
    plan = make_plan(runs.course, runs.submitted)
    with RunFolder(runs.out) as folder:
        events = Campaign(runs.course, folder, runs.place, folder.secret("course secret")).events(plan.jobs)
        for event in events:
            if stage.tried()[-1:] == [[SERVES]] and event.progress and event.progress.done == 4:
                break
        events.close()  # type: ignore[attr-defined]
    assert (runs.result("ann")["state"], runs.result("ann")["points"]) == ("ours", 11)
    assert runs.go(workers=2)["ann"]["points"] == 15


def test_a_run_that_has_nothing_to_do_makes_no_lab(runs: Runs) -> None:
    hand_in(runs.submitted, "ann")
    Stage(runs)
    runs.go(workers=2)
    made: list[None] = []
    make = runs.place.make
    runs.place.make = lambda: made.append(None) or make()  # type: ignore[func-returns-value]
    assert runs.go(workers=2)["ann"]["points"] == 15
    assert made == []
