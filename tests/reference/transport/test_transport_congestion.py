"""How much is under way: NewReno alone, told what a sender would tell it, and at work on a link."""

from __future__ import annotations

from typing import Any

import pytest

from tests.reference.loading import load
from tests.reference.transport.flows import carry, jain
from tests.reference.transport.pairs import Talk, module

congestion = module("congestion")
SEGMENT, NewReno = congestion.SEGMENT, congestion.NewReno


def acknowledge(controller: Any, size: int, *, limited: bool = True) -> None:
    news = congestion.Acknowledged(size, size, 0, limited, 0.04, None)
    controller.on_acknowledged(news, now=1.0)


def after_a_loss(segments: int) -> Any:
    """In recovery, with so many segments under way when it began."""
    controller = NewReno()
    controller.on_loss(segments * SEGMENT, SEGMENT, now=1.0)
    return controller


# -- alone ---------------------------------------------------------------------------------------------------------


def test_it_begins_with_ten_segments() -> None:
    assert NewReno().window == 10 * SEGMENT
    assert NewReno().pacing_rate is None


def test_slow_start_adds_what_is_acknowledged_and_a_segment_at_most() -> None:
    controller = NewReno()
    acknowledge(controller, 500)
    assert controller.window == 10 * SEGMENT + 500
    acknowledge(controller, 3 * SEGMENT)
    assert controller.window == 11 * SEGMENT + 500


def test_a_window_that_was_not_used_does_not_grow() -> None:
    controller = NewReno()
    acknowledge(controller, SEGMENT, limited=False)
    assert controller.window == 10 * SEGMENT


def test_a_loss_halves_the_flight_once_for_all_that_is_lost_of_it() -> None:
    controller = after_a_loss(20)
    controller.on_more_lost(5 * SEGMENT, now=1.1)
    acknowledge(controller, SEGMENT)
    assert controller.window == 10 * SEGMENT


@pytest.mark.parametrize("flight", [1, 3])
def test_two_segments_are_the_least_after_a_loss(flight: int) -> None:
    assert after_a_loss(flight).window == 2 * SEGMENT


def test_a_lost_repetition_halves_the_window_again_and_not_the_flight_that_has_grown() -> None:
    controller = after_a_loss(20)
    controller.on_loss(30 * SEGMENT, SEGMENT, now=1.1)
    assert controller.window == 5 * SEGMENT


def test_congestion_avoidance_adds_a_segment_for_each_window() -> None:
    controller = after_a_loss(20)
    controller.on_recovery_exit(8 * SEGMENT, now=1.1)
    for _ in range(9):
        acknowledge(controller, SEGMENT)
    assert controller.window == 10 * SEGMENT
    acknowledge(controller, SEGMENT)
    assert controller.window == 11 * SEGMENT
    for _ in range(11):
        acknowledge(controller, SEGMENT)
    assert controller.window == 12 * SEGMENT


def test_a_timeout_leaves_one_segment_and_slow_start_up_to_half_the_flight() -> None:
    controller = NewReno()
    controller.on_timeout(8 * SEGMENT, now=1.0)
    assert controller.window == SEGMENT
    for _ in range(3):
        acknowledge(controller, SEGMENT)
    assert controller.window == 4 * SEGMENT
    for _ in range(3):
        acknowledge(controller, SEGMENT)
    assert controller.window == 4 * SEGMENT  # four acknowledged segments make the next one
    acknowledge(controller, SEGMENT)
    assert controller.window == 5 * SEGMENT


def test_a_pause_takes_it_back_to_the_initial_window_and_never_makes_it_larger() -> None:
    controller = NewReno()
    for _ in range(5):
        acknowledge(controller, SEGMENT)
    controller.on_idle(now=2.0)
    assert controller.window == 10 * SEGMENT
    small = after_a_loss(4)
    small.on_idle(now=2.0)
    assert small.window == 2 * SEGMENT


# -- in a connection -----------------------------------------------------------------------------------------------


def test_ten_segments_leave_before_an_answer_and_two_for_each_one_after() -> None:
    talk = Talk.established(window=1 << 20)
    talk.connection.send(bytes(100 * SEGMENT))
    assert len(talk.hear()) == 10
    talk.say(1, 1 + SEGMENT, window=1 << 20)
    assert len(talk.hear()) == 2


def test_half_the_flight_waits_until_a_loss_is_repaired() -> None:
    talk = Talk.established(window=1 << 20)
    talk.connection.send(bytes(100 * SEGMENT))
    assert len(talk.hear()) == 10
    first = 1 + SEGMENT
    for count in range(1, 4):
        talk.say(1, 1, window=1 << 20, sack=[(first, first + count * SEGMENT)])
        heard = [talk.at(segment) for segment in talk.hear()]
    assert heard == [1]  # the hole; two new ones went with the first two
    for count in range(4, 12):
        talk.say(1, 1, window=1 << 20, sack=[(first, first + count * SEGMENT)])
        heard += [talk.at(segment) for segment in talk.hear()]
    # Twelve were under way, and six may be: as eleven have come, there is room for five beside the repetition.
    assert len(heard) == 6


def test_a_clean_link_is_used() -> None:
    assert carry(None, seconds=10).shares[0] > 0.9


@pytest.mark.parametrize("apart", [0.0, 2.0])
def test_two_flows_share_a_link(apart: float) -> None:
    result = carry(None, None, seconds=16, apart=apart)
    assert jain(result.shares) > 0.9
    assert sum(result.shares) > 0.9


def test_it_believes_every_loss() -> None:
    """The reason for the other controller: a loss of 5 % by chance is taken for a full queue."""
    assert carry(None, seconds=10, loss=0.05).shares[0] < 0.5


def test_a_controller_has_what_the_protocol_asks_for() -> None:
    bbr = load("transport", "bbr")
    for each in (NewReno, bbr.bbr.Bbr):
        missing = [name for name in vars(congestion.Controller) if name.startswith("on_") and not hasattr(each, name)]
        assert not missing
