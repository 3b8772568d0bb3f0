"""Whose fault it is that calls take long, on a clock and with figures of the kernel that the test sets."""

from __future__ import annotations

import pytest

from harness.actors.story import Broken
from harness.lab.interface import LabError, Usage
from harness.transport.calls import meter as meter_module
from harness.transport.calls.meter import LEAST_BUDGET, Meter


class Kernel:
    """What it says; and how often it was asked."""

    def __init__(self) -> None:
        self.cpu = self.queued = 0.0
        self.longest: float | None = None
        self.asked = 0

    def usage(self) -> Usage:
        self.asked += 1
        return Usage(
            processes=1,
            threads=1,
            open_files=1,
            memory_bytes=1,
            cpu_seconds=self.cpu,
            queued_seconds=self.queued,
            queued_longest=self.longest,
        )


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def meter(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> Meter:
    monkeypatch.setattr(meter_module, "queued_here", lambda: 0.0)
    return Meter(kernel.usage, clock=lambda: 0.0)


def calls(meter: Meter, kernel: Kernel, count: int, seconds: float, *, cpu: float = 0.0, queued: float = 0.0) -> None:
    for _ in range(count):
        kernel.cpu += cpu
        kernel.queued += queued
        meter.called(seconds, received=True)


def nothing() -> float:
    return 0.0


def test_quick_simulations_do_not_bother_the_kernel(meter: Meter, kernel: Kernel):
    for _ in range(20):
        meter.begin(nothing)
        calls(meter, kernel, 50, 0.0001, cpu=0.00005)
        meter.end()
    assert kernel.asked <= 2


def test_many_quick_simulations_are_not_one_slow_one(meter: Meter, kernel: Kernel):
    """Each used 0.09 s of its 2 s; that they add up to 9 s is nobody's fault."""
    for _ in range(100):
        meter.begin(nothing)
        calls(meter, kernel, 10, 0.01, cpu=0.009)
        meter.end()
    meter.begin(nothing)
    calls(meter, kernel, 30, 0.01, cpu=0.009)
    meter.end()


def test_too_much_of_the_processor(meter: Meter, kernel: Kernel):
    meter.begin(nothing)
    with pytest.raises(Broken, match=r"one simulation took too much of the processor: 2.* s") as told:
        calls(meter, kernel, 1000, 0.01, cpu=0.01)
    assert told.value.verdict == "timeout"


def test_five_times_the_peer(meter: Meter, kernel: Kernel):
    meter.begin(lambda: 1.0)
    calls(meter, kernel, 490, 0.01, cpu=0.01)
    meter.end()
    meter.begin(lambda: 1.0)
    with pytest.raises(Broken, match=r"the peer 1\.0 s"):
        calls(meter, kernel, 1000, 0.01, cpu=0.01)


def test_a_nap_in_every_call(meter: Meter, kernel: Kernel):
    meter.begin(nothing)
    calls(meter, kernel, 50, 0.01, cpu=0.0001)
    with pytest.raises(Broken, match="a call sleeps"):
        meter.end()


def test_a_busy_machine_is_no_nap(meter: Meter, kernel: Kernel):
    meter.begin(nothing)
    calls(meter, kernel, 50, 0.01, cpu=0.0001, queued=0.0095)
    meter.end()


def test_a_few_long_calls_are_no_habit(meter: Meter, kernel: Kernel):
    meter.begin(nothing)
    calls(meter, kernel, 100, 0.0002, cpu=0.0001)
    calls(meter, kernel, 10, 0.1)
    meter.end()


def test_a_call_that_waits_is_given_up(meter: Meter):
    meter.waiting(0.25)
    meter.waiting(4.0)
    with pytest.raises(Broken, match="must not sleep or wait"):
        meter.waiting(4.5)


def test_what_was_lost_between_calls_before_is_no_waiting(meter: Meter, kernel: Kernel):
    meter.begin(nothing, least=99.0)
    calls(meter, kernel, 10_000, 0.0005, cpu=0.0001)
    for tenth in range(1, 40):
        meter.waiting(tenth / 10)


def test_a_call_that_computes_is_given_up_by_its_processor_time(meter: Meter, kernel: Kernel):
    kernel.cpu = LEAST_BUDGET - 0.1
    meter.waiting(2.0)
    kernel.cpu = LEAST_BUDGET + 0.1
    with pytest.raises(Broken, match="this check took too much"):
        meter.waiting(2.5)


def test_a_machine_without_a_processor_to_give_is_not_the_submissions_fault(meter: Meter, kernel: Kernel):
    for second in range(1, 30):
        kernel.queued = float(second)
        meter.waiting(float(second))
    kernel.queued = 31.0
    with pytest.raises(LabError, match="too busy"):
        meter.waiting(31.0)


def test_threads_that_wait_for_each_other_are_no_busy_machine(meter: Meter, kernel: Kernel):
    """Fifty of them, of which one at a time runs for a moment: that makes an hour of waiting of a minute of sleep."""
    with pytest.raises(Broken, match="must not sleep or wait"):
        for tenth in range(1, 300):
            kernel.cpu = 0.005 * tenth
            kernel.queued, kernel.longest = 0.2 * tenth, 0.01 * tenth
            meter.waiting(tenth / 10)


def test_many_calls_outside_of_a_simulation_may_take_their_time(meter: Meter, kernel: Kernel):
    calls(meter, kernel, 5000, 0.0012, cpu=0.001)
    with pytest.raises(Broken, match="this check"):
        calls(meter, kernel, 5000, 0.01, cpu=0.01)


def test_where_nothing_can_be_measured_the_clock_decides():
    def unable() -> Usage:
        raise LabError("not here")

    meter = Meter(unable, clock=lambda: 0.0)
    meter.begin(nothing)
    for _ in range(100):
        meter.called(0.1, received=True)
    meter.end()
    meter.waiting(9.0)
    with pytest.raises(Broken, match="did not answer within 10 s"):
        meter.waiting(11.0)
