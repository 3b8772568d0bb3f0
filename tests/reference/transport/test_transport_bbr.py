"""A model of the path: what it learns, what it does when, and what comes of it on a link."""

from __future__ import annotations

from typing import Any

import pytest

from tests.reference.loading import load
from tests.reference.transport.flows import CEILING, DELAY, Result, carry, jain
from tests.reference.transport.pairs import module

bbr, congestion, rate = load("transport", "bbr").bbr, module("congestion"), module("rate")
SEGMENT, State = congestion.SEGMENT, bbr.State

RTT, BANDWIDTH = 0.05, 1_000_000.0  #: of the path that `Path` plays, seconds and bytes per second
BDP = int(RTT * BANDWIDTH)


class Path:
    """A sender and its path in one: every round trip the controller hears how much came, and how fast."""

    def __init__(self) -> None:
        self.controller = bbr.Bbr()
        self.now, self.delivered = 0.0, 0

    def round_trip(
        self, bandwidth: float, *, in_flight: int = 0, rtt: float = RTT, app_limited: bool = False, lost: int = 0
    ) -> Any:
        """One round trip later."""
        before, came = self.delivered, int(bandwidth * rtt)
        self.now += 1.01 * rtt  # longer than a phase has to be
        self.delivered += came
        sample = rate.RateSample(came, rtt, app_limited, before, self.delivered)
        if lost:
            self.controller.on_more_lost(lost, now=self.now)
        news = congestion.Acknowledged(came, came, in_flight, True, rtt, sample)
        self.controller.on_acknowledged(news, now=self.now)
        return self.controller.state

    def begin(self) -> Path:
        """Through STARTUP and DRAIN."""
        for bandwidth in (BANDWIDTH / 4, BANDWIDTH / 2, *[BANDWIDTH] * 4):
            self.round_trip(bandwidth, in_flight=2 * BDP)
        assert self.round_trip(BANDWIDTH, in_flight=0) is State.PROBE_BW
        return self

    def cycle(self, **options: Any) -> list[float]:
        """The pacing rates of the next eight round trips, as shares of the bandwidth."""
        found = []
        for _ in range(8):
            self.round_trip(BANDWIDTH, in_flight=2 * BDP, **options)
            found.append(round(self.controller.pacing_rate / BANDWIDTH, 2))
        return found


# -- alone ---------------------------------------------------------------------------------------------------------


def test_the_initial_window_is_not_paced() -> None:
    controller = bbr.Bbr()
    assert (controller.window, controller.pacing_rate) == (10 * SEGMENT, None)


def test_startup_goes_on_while_the_rate_grows_and_ends_after_three_rounds_without() -> None:
    path = Path()
    for bandwidth in (BANDWIDTH / 8, BANDWIDTH / 4, BANDWIDTH / 2, BANDWIDTH):
        assert path.round_trip(bandwidth, in_flight=BDP) is State.STARTUP
    assert path.controller.pacing_rate == pytest.approx(bbr.HIGH_GAIN * BANDWIDTH)
    states = [path.round_trip(BANDWIDTH, in_flight=2 * BDP) for _ in range(3)]
    assert states == [State.STARTUP, State.STARTUP, State.DRAIN]
    assert path.controller.pacing_rate == pytest.approx(BANDWIDTH / bbr.HIGH_GAIN)


def test_an_application_that_has_nothing_to_send_does_not_end_startup_or_lower_the_rate() -> None:
    path = Path()
    path.round_trip(BANDWIDTH)
    for _ in range(20):
        assert path.round_trip(BANDWIDTH / 2, app_limited=True) is State.STARTUP
    assert path.controller.bandwidth == pytest.approx(BANDWIDTH)


def test_drain_ends_when_the_queue_is_gone() -> None:
    path = Path()
    for _ in range(4):
        path.round_trip(BANDWIDTH, in_flight=2 * BDP)
    assert path.round_trip(BANDWIDTH, in_flight=2 * BDP) is State.DRAIN
    assert path.round_trip(BANDWIDTH, in_flight=BDP) is State.PROBE_BW


def test_a_cycle_is_one_up_one_down_and_six_even() -> None:
    gains = Path().begin().cycle() * 2
    up = gains.index(1.25)
    assert gains[up : up + 8] == [1.25, 0.75, 1, 1, 1, 1, 1, 1]


def test_a_rate_is_forgotten_after_ten_rounds() -> None:
    path = Path().begin()
    for _ in range(bbr.BANDWIDTH_ROUNDS - 1):
        path.round_trip(BANDWIDTH / 2, in_flight=BDP)
    assert path.controller.bandwidth == pytest.approx(BANDWIDTH)
    path.round_trip(BANDWIDTH / 2, in_flight=BDP)
    assert path.controller.bandwidth == pytest.approx(BANDWIDTH / 2)


def test_the_window_is_twice_what_the_path_holds() -> None:
    path = Path().begin()
    path.cycle()
    assert path.controller.window == pytest.approx(2 * BDP, abs=4 * SEGMENT)


def test_a_round_trip_that_has_not_been_as_short_for_ten_seconds_is_measured_again() -> None:
    path = Path().begin()
    states = [path.round_trip(BANDWIDTH, in_flight=2 * BDP, rtt=2 * RTT) for _ in range(110)]
    assert State.PROBE_RTT in states
    assert path.controller.window <= 4 * SEGMENT or states[-1] is not State.PROBE_RTT
    while path.round_trip(BANDWIDTH, in_flight=4 * SEGMENT) is State.PROBE_RTT:
        assert path.controller.window == 4 * SEGMENT
    assert path.controller.least_rtt == pytest.approx(RTT)
    assert path.controller.state is State.PROBE_BW


def test_what_the_path_loses_is_sent_on_top_but_not_on_top_of_a_queue() -> None:
    path = Path().begin()
    tenth = int(BDP / 9)  # one byte in ten
    for _ in range(6):
        gains = path.cycle(lost=tenth)
    assert gains.count(pytest.approx(1 / 0.9, abs=0.02)) >= 6
    path.round_trip(BANDWIDTH, in_flight=2 * BDP, rtt=1.5 * RTT)
    path.cycle(lost=tenth, rtt=1.5 * RTT)
    assert set(path.cycle(lost=tenth, rtt=1.5 * RTT)) == {1.25, 0.75, 1}


def test_there_is_an_end_to_what_is_sent_on_top() -> None:
    path = Path().begin()
    for _ in range(20):
        gains = path.cycle(lost=BDP)
    assert max(gains) == pytest.approx(1.25 / (1 - bbr.MOST_LOSS), abs=0.01)


def test_losses_of_the_phase_that_goes_up_are_those_of_a_short_queue_and_not_sent_on_top() -> None:
    path = Path().begin()
    gains: list[float] = [0.0, 0.0]
    for _ in range(80):
        went_up = 1.25 in gains[-2:]
        path.round_trip(BANDWIDTH, in_flight=2 * BDP, lost=BDP // 4 if went_up else 0)
        gains.append(round(path.controller.pacing_rate / BANDWIDTH, 2))
    assert set(gains[2:]) == {1.25, 0.75, 1}


def test_a_timeout_leaves_one_segment_and_what_is_delivered_brings_the_window_back() -> None:
    path = Path().begin()
    path.controller.on_timeout(BDP, now=path.now)
    assert path.controller.window == SEGMENT
    path.cycle()
    assert path.controller.window > BDP


# -- on a link -----------------------------------------------------------------------------------------------------


def fill(**changes: Any) -> Result:
    return carry("model", seconds=12, **changes)


def test_a_clean_link_is_filled_and_its_queue_is_not() -> None:
    result = fill()
    assert result.shares[0] > 0.95
    assert result.queued < 0.5 * 2 * DELAY


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("loss", [0.01, 0.05, 0.1])
def test_what_is_lost_by_chance_costs_nothing_else(loss: float, seed: int) -> None:
    result = fill(loss=loss, seed=seed)
    assert result.shares[0] > 0.92  # the loss comes before the queue, so this is of the whole rate
    assert result.queued < 0.5 * 2 * DELAY


def test_a_queue_of_three_packets_is_not_flooded() -> None:
    result = fill(limit=11)
    lost = sum(1 for p in result.simulation.packets if p.fate == "overflowed" and p.sent > 2)
    sent = sum(1 for p in result.simulation.packets if p.direction == "up" and p.sent > 2)
    assert result.shares[0] > 0.9
    assert lost / sent < 0.06


def test_a_rate_that_drops_to_a_fourth_is_found() -> None:
    result = fill(rate=1_000_000)
    assert result.shares[0] * CEILING > 0.85 * 1_000_000 / 8 * 1200 / 1262


def test_two_flows_both_live() -> None:
    assert jain(carry("model", "model", seconds=16).shares) > 0.8
