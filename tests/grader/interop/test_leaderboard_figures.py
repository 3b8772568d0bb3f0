"""The leaderboard's figures of the course's own are those that bench/ measures in its own way, within 2 %."""

from __future__ import annotations

import math

import pytest

from bench.transport_goodput import SEEDS, ours
from harness.actors.story import Story
from harness.course.assignment import load_assignment
from harness.lab.local.lab import LocalNode
from harness.transport.checks.meeting import GoodputCheck, goodput_of_own
from harness.transport.checks.simulation import transport_of
from harness.transport.segments import load_wire
from harness.transport.simulation.meetings import GOODPUT_RUNS, bottleneck
from tests.harness.transport.pairs import REFERENCE

pytestmark = pytest.mark.slow


def mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def test_the_benchs_seeds_are_the_boards() -> None:
    assert GOODPUT_RUNS[0.01] == SEEDS
    assert bottleneck(0.01).client.sends == 10_000_000


@pytest.mark.parametrize("loss", [0.0, pytest.param(0.01, marks=pytest.mark.audit)])
def test_the_courses_own_is_as_fast_as_in_the_bench(loss: float) -> None:
    wire = load_wire(REFERENCE / "term.toml")
    board = [goodput_of_own(REFERENCE, wire, loss, seed) for seed in GOODPUT_RUNS[loss]]
    bench = [ours(None)(loss, seed, False) for seed in GOODPUT_RUNS[loss]]
    assert mean([one["share"] for one in board]) == pytest.approx(mean([one.share for one in bench]), rel=0.02)
    queued = mean([one.queued for one in bench])
    assert mean([one["queued"] for one in board]) == pytest.approx(queued, rel=0.02, abs=2e-4)


def test_behind_a_guest_it_is_the_same_to_the_last_digit() -> None:
    assignment = load_assignment(REFERENCE / "assignment.toml")
    node = LocalNode(REFERENCE, assignment.limits)
    told: list[dict[str, float]] = []
    try:
        assert node.build(None, timeout=60) is None
        node.fresh()
        transport = transport_of(node, Story(lambda: 0.0), assignment, assignment.programs, seed=1, reference=REFERENCE)
        GoodputCheck(transport, 0.01, 1, lambda facts: told.append(dict(facts)), size=400_000).measures()
        transport.dismiss()
    finally:
        node.close()
    wire = load_wire(REFERENCE / "term.toml")
    assert told == [goodput_of_own(REFERENCE, wire, 0.01, 1, size=400_000)]
