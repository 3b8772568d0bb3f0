"""The gate of a worker: side by side as it carries, or one alone, and nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from grader.farm.gate import Gate, GivenUp
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Report


class Passing:
    """Someone inside, until told to leave."""

    def __init__(self, pool: ThreadPoolExecutor, gate: Gate, *, alone: bool = False) -> None:
        self.inside, self.leave = threading.Event(), threading.Event()
        self.gives_up = False
        self.future = pool.submit(self._pass, gate, alone)

    def _pass(self, gate: Gate, alone: bool) -> None:
        with gate.passed(alone=alone, given_up=lambda: self.gives_up):
            self.inside.set()
            assert self.leave.wait(20)

    def goes(self) -> None:
        assert self.inside.wait(20)
        self.leave.set()
        self.future.result(20)


@pytest.fixture
def come() -> Callable[..., Passing]:
    pool = ThreadPoolExecutor(20)
    return lambda gate, **how: Passing(pool, gate, **how)


def waits(gate: Gate, count: int) -> None:
    """Until so many wait in there."""
    while True:
        with gate._changed:
            if len(gate._changed._waiters) == count:  # type: ignore[attr-defined]
                return


def test_only_so_many_are_inside(come: Callable[..., Passing]) -> None:
    gate = Gate(2)
    first, second = come(gate), come(gate)
    assert first.inside.wait(20) and second.inside.wait(20)
    third = come(gate)
    waits(gate, 1)
    assert not third.inside.is_set()
    first.goes()
    third.goes()
    second.goes()


def test_one_that_is_alone_has_the_machine_and_its_turn(come: Callable[..., Passing]) -> None:
    gate = Gate(4)
    first = come(gate)
    assert first.inside.wait(20)
    alone = come(gate, alone=True)
    waits(gate, 1)
    later = come(gate)
    waits(gate, 2)
    assert not (alone.inside.is_set() or later.inside.is_set())
    first.goes()
    assert alone.inside.wait(20) and not later.inside.is_set()
    alone.goes()
    later.goes()


def test_who_gives_up_keeps_nobody_waiting(come: Callable[..., Passing]) -> None:
    gate = Gate(1)
    first = come(gate)
    assert first.inside.wait(20)
    alone = come(gate, alone=True)
    waits(gate, 1)
    alone.gives_up = True
    gate.look()
    with pytest.raises(GivenUp):
        alone.future.result(20)
    first.goes()
    come(gate).goes()


def test_fewer_pass_while_verdicts_suffer() -> None:
    gate = Gate(3)
    gate.learn([Report(check="x", outcome=Outcome.PASS, seconds=10.0, waited=9.0)])
    assert gate._crowd.now == 2
