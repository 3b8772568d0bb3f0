"""How many labs run side by side, and how long that takes."""

from __future__ import annotations

import doctest
from types import SimpleNamespace
from typing import Any, cast

import pytest

from grader.campaign import crowd, estimate
from grader.campaign.campaign import JobEvent
from grader.campaign.crowd import Crowd, suffered
from grader.campaign.estimate import Estimate
from grader.campaign.plan import GradingJob
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Report


@pytest.mark.parametrize("module", [crowd, estimate])
def test_the_examples_are_true(module: Any) -> None:
    assert doctest.testmod(module).attempted and not doctest.testmod(module).failed


def test_fewer_labs_start_while_verdicts_suffer_and_more_when_they_do_not() -> None:
    labs = Crowd(3)
    for _ in range(5):
        labs.learn(suffered=True)
    assert labs.now == 1
    labs.learn(suffered=False)
    assert labs.now == 2
    labs.learn(suffered=False)
    labs.learn(suffered=True)
    assert labs.now == 1
    for _ in range(9):
        labs.learn(suffered=False)
    assert labs.now == 3


@pytest.mark.parametrize(
    ("late", "waited", "bad"), [(0.01, 1.0, False), (0.06, 0.0, True), (0.0, 4.0, True), (None, 0.0, False)]
)
def test_a_result_tells_whether_it_suffered(late: float | None, waited: float, bad: bool) -> None:
    link = None if late is None else {"late_p99": late}
    first = Report(check="a", outcome=Outcome.PASS, seconds=5.0, waited=waited, link=link)
    assert suffered([first, Report(check="b", outcome=Outcome.PASS, seconds=5.0)]) is bad


def job(name: str, assignment: str, seconds: float) -> GradingJob:
    made = SimpleNamespace(
        name=name, assignment=SimpleNamespace(name=assignment, limits=SimpleNamespace(seconds=seconds))
    )
    return cast(GradingJob, made)


def test_the_time_left_is_learnt_from_what_was_taken() -> None:
    jobs = [job(f"s{number}", "blocking", 200) for number in range(4)]
    left = Estimate(jobs, lambda: 2, cores=2)
    assert left.left() == 4 * 60 / 2
    for each in jobs:
        left.see(JobEvent("begins", each), 100.0)
    left.see(JobEvent("goes on", jobs[0]), 110.0)
    assert left.left() == 4 * 60 / 2 - 10
    left.see(JobEvent("ends", jobs[0], result={}), 120.0)
    assert left.left() == 3 * 20  # one in 20 s
    left.see(JobEvent("ends", jobs[1], result={}, again=True), 120.0)  # was there already: says nothing
    assert left.left() == 2 * 20
    for each in jobs[2:]:
        left.see(JobEvent("ends", each, result={}), 120.0)
    assert left.left() == 0.0
