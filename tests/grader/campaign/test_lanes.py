"""Lanes: an executor whose calls have a bench, kept for the next call unless it broke."""

from __future__ import annotations

import threading

import pytest
from fakes import FakeBench, FakePlace

from grader.campaign import lanes as module
from grader.campaign.lanes import Lanes
from harness.errors import SetupError
from harness.lab.interface import LabError


class Made:
    """A place that counts its benches."""

    def __init__(self) -> None:
        self.benches: list[FakeBench] = []
        self.place = FakePlace(self.make)

    def make(self) -> FakeBench:
        self.benches.append(FakeBench([]))
        return self.benches[-1]


def test_a_bench_is_kept_for_the_next_call_and_closed_at_the_end() -> None:
    made = Made()
    with Lanes(made.place, 1) as lanes:

        def call() -> int:
            with lanes.bench() as bench:
                return made.benches.index(bench)  # type: ignore[arg-type]

        assert [lanes.submit(call).result(20) for _ in range(3)] == [0, 0, 0]
    assert [bench.closed for bench in made.benches] == [True]


def test_one_that_broke_is_closed_and_another_one_is_made() -> None:
    made = Made()
    with Lanes(made.place, 1) as lanes:

        def breaks() -> None:
            with lanes.bench():
                raise ZeroDivisionError

        def goes() -> None:
            with lanes.bench():
                pass

        assert isinstance(lanes.submit(breaks).exception(20), ZeroDivisionError)
        assert made.benches[0].closed
        lanes.submit(goes).result(20)
        assert len(made.benches) == 2


def test_calls_run_side_by_side_each_with_a_bench_of_its_own() -> None:
    made, all_in = Made(), threading.Barrier(3)

    def call() -> None:
        with lanes.bench():
            all_in.wait(20)  # nobody passes it alone

    with Lanes(made.place, 3) as lanes:
        for future in [lanes.submit(call) for _ in range(3)]:
            future.result(20)
    assert len(made.benches) == 3


def test_benches_are_made_ahead_when_the_first_one_is_needed() -> None:
    made = Made()
    with Lanes(made.place, 4, ahead=3) as lanes:
        assert made.benches == []

        def call() -> None:
            with lanes.bench():
                pass

        lanes.submit(call).result(20)
        assert lanes._benches._ahead is not None
        lanes._benches._ahead.join(20)
        assert len(made.benches) == 3
    assert all(bench.closed for bench in made.benches)


def test_a_lab_that_cannot_be_had_is_the_calls_business() -> None:
    def none() -> FakeBench:
        raise LabError("no more memory")

    with Lanes(FakePlace(none), 2, ahead=2) as lanes:

        def call() -> None:
            with lanes.bench():
                pass

        assert isinstance(lanes.submit(call).exception(20), LabError)


@pytest.mark.parametrize("room", [0, 2])
def test_a_machine_without_room_has_fewer_lanes_or_says_so(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    class Thread(threading.Thread):
        started = 0

        def start(self) -> None:
            if Thread.started == room:
                raise RuntimeError("can't start new thread")
            Thread.started += 1
            super().start()

    monkeypatch.setattr(module.threading, "Thread", Thread)
    if not room:
        with pytest.raises(SetupError, match="no worker can be started"):
            Lanes(Made().place, 4)
        return
    with Lanes(Made().place, 4) as lanes:
        assert len(lanes) == room
