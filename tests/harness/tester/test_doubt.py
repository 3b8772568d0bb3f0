"""A failure on a link that was late is doubted, unless the submission made it late."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import MagicMock

import pytest

from harness.course.assignment import Check
from harness.lab.interface import LinkCounters
from harness.lab.node.proc import machine_queued
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Report
from harness.tester.plugin import StoryPlugin, SuiteRun

FAILED = Report(check="a", outcome=Outcome.FAIL, message="it is slow")


def doubted(
    counters: LinkCounters,
    *,
    seconds: float = 4.0,
    cpu: float = 0.1,
    waited: float = 0.0,
    crowded: float = 0.0,
    timeout: bool = False,
) -> str:
    """What becomes of a failure in a check of so many seconds.

    The submission used so much processor, the tester waited so long for one, and so long did anything on the machine.
    """
    assignment = SimpleNamespace(checks=(), limits=SimpleNamespace(cpus=1.0))
    session = SimpleNamespace(assignment=assignment, outcomes={}, network=SimpleNamespace(engine="router"))
    plugin = StoryPlugin(cast(SuiteRun, session), lambda _: None)
    plugin._crowd = machine_queued() - crowded
    plugin._began = (0.0, time.monotonic() - seconds)
    failed = replace(FAILED, used=cpu, waited=waited, outcome=Outcome.TIMEOUT if timeout else Outcome.FAIL)
    return plugin._doubted(failed, counters).outcome.value


@pytest.mark.parametrize("fault", [{"engine_drops": 1}, {"late_p99": 0.06}])
def test_a_link_that_was_late_excuses_who_was_quiet(fault: dict[str, Any]) -> None:
    assert doubted(LinkCounters(**fault)) == "inconclusive"
    assert doubted(LinkCounters(**fault, data_up=10_000, data_down=2_500)) == "inconclusive"
    assert doubted(LinkCounters(**fault, data_up=40_000, data_down=40_000)) == "inconclusive"  # it answers what comes


@pytest.mark.parametrize("fault", [{"engine_drops": 1}, {"late_p99": 0.06}])
def test_it_does_not_excuse_who_floods_it_or_spins(fault: dict[str, Any]) -> None:
    assert doubted(LinkCounters(**fault, data_up=20_000, data_down=2_500)) == "fail"
    assert doubted(LinkCounters(**fault), cpu=2.5) == "fail"


@pytest.mark.parametrize("fault", [{"engine_drops": 1}, {"late_p99": 0.06}])
def test_nor_who_sends_more_than_anybody_reads_however_slowly(fault: dict[str, Any]) -> None:
    """On a busy machine a flood gets as far as its processor: 40 MB in 30 s are few packets a second."""
    flood = LinkCounters(**fault, data_up=40_000, data_down=100, bytes_up=40_000_000)
    assert doubted(flood, seconds=30.0) == "fail"
    assert doubted(flood, seconds=30.0, waited=20.0, timeout=True) == "timeout"
    assert doubted(replace(flood, bytes_down=20_000_000), seconds=30.0) == "inconclusive"  # it answers what comes
    assert doubted(replace(flood, bytes_up=20_000_000), seconds=30.0) == "inconclusive"


def test_a_link_as_asked_excuses_nobody() -> None:
    assert doubted(LinkCounters(late_p99=0.01)) == "fail"


def test_a_machine_without_time_excuses_who_timed_out_and_nobody_else() -> None:
    clean = LinkCounters()
    assert doubted(clean, waited=1.0, timeout=True) == "inconclusive"
    assert doubted(clean, waited=0.5, timeout=True) == "timeout"
    assert doubted(clean, crowded=3.9, timeout=True) == "inconclusive"
    assert doubted(clean, crowded=3.9) == "fail"
    assert doubted(clean, waited=1.0) == "fail"
    assert doubted(clean, waited=1.0, timeout=True, cpu=2.5) == "timeout"  # it has taken the time itself


def test_a_program_that_was_ended_for_its_output_is_excused_by_no_machine() -> None:
    assert with_scene((0.1, 0.1), flooded=False) == "inconclusive"
    assert with_scene((0.1, 0.1), flooded=True) == "timeout"


def test_nor_one_that_has_reached_its_own_limits() -> None:
    assert with_scene((0.1, 0.1), flooded=False, trouble="its memory was full") == "timeout"


@pytest.mark.parametrize(("used", "outcome"), [((1.5, 1.5), "inconclusive"), ((0.1, 2.5), "timeout")])
def test_a_pair_is_as_loud_as_the_louder_of_the_two(used: tuple[float, float], outcome: str) -> None:
    """One processor is for each of two nodes: together they may use half of what there is for one, and more."""
    assert with_scene(used, flooded=False) == outcome


def with_scene(used: tuple[float, float], *, flooded: bool, trouble: str | None = None) -> str:
    """What becomes of a time-out on a machine without time, of a submission with two nodes."""
    spent = [0.0, 0.0]
    nodes = [SimpleNamespace(usage=lambda nth=nth: SimpleNamespace(cpu_seconds=spent[nth])) for nth in range(2)]
    network = SimpleNamespace(engine="router", counters=LinkCounters, capture=lambda *_: None)
    assignment = SimpleNamespace(checks=(), limits=SimpleNamespace(cpus=1.0))
    session = SimpleNamespace(assignment=assignment, outcomes={}, network=network, node=nodes[0], second=nodes[1])
    plugin = StoryPlugin(cast(SuiteRun, session), lambda _: None)
    plugin._cpu, plugin._began = plugin._cpu_used(), (0.0, time.monotonic() - 4.0)
    spent[:] = used
    scene = MagicMock(network=network, link_name="clean", node=MagicMock(trouble=lambda: trouble))
    scene.crashes.return_value, scene.doubt.return_value, scene.flooded.return_value = [], None, flooded
    report = replace(FAILED, outcome=Outcome.TIMEOUT, waited=1.0)
    check = cast(Check, SimpleNamespace(id="a", suite="hidden", rule=""))
    return plugin._with_scene(report, check, scene).outcome.value
