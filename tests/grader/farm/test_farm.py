"""A class on a farm of real processes: whatever becomes of a worker or the scheduler, nothing is lost or doubled."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fakes import ALL, READS, Runs, hand_in
from machines import Farm

from grader.farm.place import FarmPlace
from harness.errors import SetupError


@pytest.fixture(autouse=True)
def _no_secret_leaves(runs: Runs) -> None:
    runs.secret = "the course's secret"


@contextmanager
def on_the_farm(runs: Runs, farm: Farm, **options: Any) -> Iterator[FarmPlace]:
    said: list[str] = []
    place = FarmPlace(runs.course, farm.address, None, say=said.append, **options)
    runs.place = place  # type: ignore[assignment]
    try:
        yield place
    finally:
        place.close()


def graded(runs: Runs, place: FarmPlace, *students: str) -> None:
    """Every student's submission is graded, once, in full."""
    rows = [json.loads(row) for row in (runs.out / "journal.jsonl").read_text().splitlines()]
    assert sorted(row["student"] for row in rows) == sorted(students)
    for student in students:
        result = runs.result(student)
        assert (result["state"], result["points"], result["lab"]["kind"]) == ("graded", 15, place.kind)
        assert [check["outcome"] for check in result["checks"]] == ["pass"] * len(ALL)


def test_a_class_is_graded_on_a_farm_and_the_result_does_not_tell(runs: Runs, farm: Farm) -> None:
    for student in ("ann", "bob", "cleo"):
        hand_in(runs.submitted, student)
    farm.worker("one", labs=2)
    farm.worker("two", labs=3)
    with on_the_farm(runs, farm) as place:
        assert (place.machines, place.labs, place.image) == (2, 5, "image-1")
        runs.go(workers=place.labs)
        graded(runs, place, "ann", "bob", "cleo")
    here = runs.result("ann")["identity"]
    with on_the_farm(runs, farm):
        runs.go()
    assert runs.result("ann")["identity"] == here  # nothing ran again


@contextmanager
def while_graded(runs: Runs, place: FarmPlace) -> Iterator[None]:
    """The class is graded in the background, and has been at the end."""
    failed: list[BaseException] = []

    def go() -> None:
        try:
            runs.go(workers=place.labs)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=go)
    thread.start()
    yield
    thread.join(60)
    assert not thread.is_alive() and not failed


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.audit)])
def test_what_a_lost_worker_had_runs_elsewhere(runs: Runs, farm: Farm, how: signal.Signals) -> None:
    hand_in(runs.submitted, "ann")
    hand_in(runs.submitted, "bob")
    one = farm.worker("one", holds=True)
    with on_the_farm(runs, farm) as place, while_graded(runs, place):
        assert READS in one.says("runs ")
        two = farm.worker("two")
        one.kill(how)
        assert READS in two.says("runs ")
    graded(runs, place, "ann", "bob")


@pytest.mark.audit
def test_what_a_worker_had_that_stands_still_runs_elsewhere(runs: Runs, farm: Farm) -> None:
    hand_in(runs.submitted, "ann")
    farm.scheduler(lost_after=2)
    one = farm.worker("one", holds=True)
    with on_the_farm(runs, farm) as place, while_graded(runs, place):
        one.says("runs ")
        two = farm.worker("two")
        one.kill(signal.SIGSTOP)
        two.says("runs ")
        one.kill(signal.SIGCONT)  # and what it says too late does no harm
    graded(runs, place, "ann")


def test_a_scheduler_that_is_lost_is_found_again(runs: Runs, farm: Farm) -> None:
    hand_in(runs.submitted, "ann")
    first = farm.scheduler()
    one = farm.worker("one", holds=True)
    with on_the_farm(runs, farm) as place, while_graded(runs, place):
        one.says("runs ")
        first.end()
        one.says("was ended")  # nobody waits for it any more
        one.end()
        farm.scheduler(farm.address)
        farm.worker("two").says("runs ")
    graded(runs, place, "ann")


def test_what_nobody_waits_for_is_ended_on_its_worker(runs: Runs, farm: Farm) -> None:
    hand_in(runs.submitted, "ann")
    one = farm.worker("one", holds=True)
    with on_the_farm(runs, farm) as place:
        bench = place.bench()
        task = runs.task("ann")
        ended: list[Any] = []
        thread = threading.Thread(target=lambda: ended.append(bench.run(task, lambda _: None)))
        thread.start()
        one.says("runs ")
        bench.cancel()
        thread.join(20)
        assert [each.cancelled for each in ended] == [True]
        one.says("was ended")


def test_workers_of_another_version_are_named_and_not_used(runs: Runs, farm: Farm) -> None:
    hand_in(runs.submitted, "ann")
    other = farm.worker("other", image="image-2", holds=True)
    said: list[str] = []
    (runs.course.suites("blocking")["hidden"] / "helpers.py").write_text("# newer than the worker's\n")
    with pytest.raises(SetupError, match="not used, since their tests, image or lab are others: tcp://"):
        FarmPlace(runs.course, farm.address, None, say=said.append, patience=0)
    (runs.course.suites("blocking")["hidden"] / "helpers.py").unlink()
    farm.worker("one")
    farm.worker("two")
    place = FarmPlace(runs.course, farm.address, None, say=said.append)
    runs.place = place  # type: ignore[assignment]
    assert (place.image, place.machines, len(said)) == ("image-1", 2, 1)
    runs.go(workers=6)  # more than there are: dask asks no other one for all that
    place.close()
    graded(runs, place, "ann")
    other.kill(signal.SIGTERM)
    assert other.process.communicate()[0] == ""  # it was asked for nothing


def test_without_a_scheduler_or_worker_it_says_so(runs: Runs, farm: Farm) -> None:
    with pytest.raises(SetupError, match="no scheduler answers"):
        FarmPlace(runs.course, "tcp://127.0.0.1:9", None, say=print, patience=1)
    with pytest.raises(SetupError, match="no worker of the farm is there"):
        FarmPlace(runs.course, farm.address, None, say=print, patience=0)
