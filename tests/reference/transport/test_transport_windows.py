"""Flow control: what the peer has room for, what we have room for, and what happens when there is none."""

from __future__ import annotations

from itertools import pairwise

import pytest

from harness.link.profile import Profile
from tests.reference.transport.pairs import GOOD_END, Event, Pair, State, Talk


def sizes(talk: Talk) -> list[int]:
    return [len(segment.payload) for segment in talk.hear()]


def test_nothing_goes_beyond_the_edge() -> None:
    talk = Talk.established(window=3000)
    talk.connection.send(bytes(20_000))
    assert sizes(talk) == [1200, 1200]  # 600 more would be silly while an acknowledgement is on its way
    talk.say(1, 2401, window=3000)
    assert sizes(talk) == [1200, 1200]
    talk.say(1, 4801, window=5999)
    assert sizes(talk) == [1200, 1200, 1200, 1200]


def test_the_fin_has_to_fit_into_the_window() -> None:
    talk = Talk.established(window=5)
    talk.connection.send(b"12345")
    talk.connection.end()
    (segment,) = talk.hear()
    assert (segment.payload, segment.fin) == (b"12345", False)
    talk.say(1, 6, window=1)
    (segment,) = talk.hear()
    assert (talk.at(segment), segment.payload, segment.fin) == (6, b"", True)


def test_a_small_window_is_filled_if_nothing_is_under_way() -> None:
    talk = Talk.established(window=7)
    talk.connection.send(b"0123456789")
    assert [segment.payload for segment in talk.hear()] == [b"0123456"]
    talk.say(1, 8, window=1)
    assert [segment.payload for segment in talk.hear()] == [b"7"]


def test_a_closed_window_is_probed_for_as_long_as_probes_are_answered() -> None:
    talk = Talk.established(window=0)
    talk.connection.send(b"abc")
    assert talk.hear() == []
    times = []
    for _ in range(20):
        (segment,) = talk.wait(talk.connection.next_timer() - talk.now)
        times.append(talk.now)
        assert (talk.at(segment[1]), segment[1].payload) == (1, b"a")
        talk.say(1, 1, window=0)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert all(later == pytest.approx(min(60, 2 * earlier)) for earlier, later in pairwise(waits))
    assert talk.events() == []
    talk.say(1, 1, window=100)
    assert b"".join(segment.payload for segment in talk.hear()) == b"abc"


def test_a_closed_window_that_nobody_answers_for_is_given_up() -> None:
    talk = Talk.established(window=0)
    talk.connection.send(b"abc")
    talk.hear()
    assert [segment.payload for _, segment in talk.wait(1000)] == [b"a"] * 8
    assert talk.events() == [Event.TIMED_OUT]


def test_a_probe_may_be_the_fin() -> None:
    talk = Talk.established(window=0)
    talk.connection.end()
    assert talk.hear() == []
    ((_, segment),) = talk.wait(0.5)
    assert (segment.fin, talk.at(segment)) == (True, 1)
    talk.say(1, 2, window=0)
    assert talk.connection.state is State.FIN_WAIT_2


def test_a_probe_that_was_taken_is_not_repeated() -> None:
    talk = Talk.established(window=0)
    talk.connection.send(b"abc")
    talk.hear()
    talk.wait(1.1)
    talk.say(1, 2, window=10)
    assert [segment.payload for segment in talk.hear()] == [b"bc"]


def test_a_window_that_shrinks_stops_us_and_harms_nobody() -> None:
    talk = Talk.established(window=10_000)
    talk.connection.send(bytes(20_000))
    assert sum(sizes(talk)) >= 9600
    talk.say(1, 1201, window=1800)  # the edge moves back from 10,001 to 3,001
    assert talk.hear() == []
    ((_, segment),) = talk.wait(0.5)  # the timer
    assert (talk.at(segment), len(segment.payload)) == (1201, 1200)
    talk.say(1, 2401, window=300)  # 300 of the next segment
    (segment,) = talk.hear()
    assert (talk.at(segment), len(segment.payload)) == (2401, 300)
    talk.say(1, 2701, window=0)
    assert talk.hear() == []
    segments = talk.wait(3)
    assert segments
    assert all((talk.at(segment), len(segment.payload)) == (2701, 1) for _, segment in segments)
    talk.say(1, 2701, window=60_000)
    assert talk.at(talk.hear()[0]) == 2701


def test_an_older_segment_does_not_move_the_edge() -> None:
    talk = Talk.established(window=5000)
    talk.say(1, 1, payload=b"x", window=100)
    talk.hear()
    talk.say(1, 1, window=50_000)  # sent before the other
    talk.connection.send(bytes(3000))
    assert sizes(talk) == [100]


def test_our_window_is_what_is_left() -> None:
    talk = Talk.established(receive_buffer=5000)
    talk.say(1, 1, payload=bytes(1200))
    talk.say(1201, 1, payload=bytes(1200))
    assert talk.answer().window == 2600
    talk.say(2401, 1, payload=bytes(1200))
    talk.say(3601, 1, payload=bytes(1200))
    assert talk.answer().window == 200
    talk.say(4801, 1, payload=bytes(1200))  # of which 200 fit
    answer = talk.answer()
    assert (talk.of(answer), answer.window) == (5001, 0)
    assert talk.connection.read(1199) == bytes(1199)
    assert talk.hear() == []  # too little to speak of
    assert len(talk.connection.read(1)) == 1
    answer = talk.answer()
    assert (talk.of(answer), answer.window) == (5001, 1200)
    assert len(talk.connection.read(10_000)) == 3800


def test_a_probe_of_our_closed_window_is_answered_and_its_acknowledgement_counts() -> None:
    talk = Talk.established(receive_buffer=100)
    talk.say(1, 1, payload=bytes(100))
    assert talk.answer().window == 0
    talk.connection.send(b"abc")
    talk.hear()
    talk.say(101, 4, payload=b"?")
    answer = talk.answer()
    assert (talk.of(answer), answer.window) == (101, 0)
    assert talk.connection.next_timer() is None  # "abc" is acknowledged
    talk.say(102, 4, payload=b"beyond")
    assert talk.of(talk.answer()) == 101


def test_the_edge_never_moves_back() -> None:
    talk = Talk.established(receive_buffer=4000)
    edge = 0
    for number in range(1, 4000, 37):
        talk.say(number, 1, payload=bytes(37))
        for segment in talk.hear():
            assert talk.of(segment) + segment.window >= edge
            edge = talk.of(segment) + segment.window
        if number % 5 == 0:
            talk.connection.read(50)


def test_an_acknowledgement_waits_for_the_second_segment_or_a_fifth_of_a_second() -> None:
    talk = Talk.established()
    talk.say(1, 1, payload=b"a")
    assert talk.hear() == []
    talk.say(2, 1, payload=b"b")
    assert talk.of(talk.answer()) == 3
    talk.say(3, 1, payload=b"c")
    assert talk.hear() == []
    ((after, segment),) = talk.wait(1)
    assert (after, talk.of(segment)) == (pytest.approx(0.2), 4)
    talk.say(4, 1, payload=b"d")
    talk.connection.send(b"reply")  # and it rides on what is sent anyway
    assert talk.of(talk.answer()) == 5
    assert not [segment for _, segment in talk.wait(0.25) if not segment.payload]


@pytest.mark.parametrize("number", [1, 5, 70_000])
def test_what_is_not_new_is_acknowledged_at_once(number: int) -> None:
    talk = Talk.established()
    talk.say(1, 1, payload=b"abcdef")
    talk.hear()
    talk.say(number, 1, payload=b"ab")
    assert talk.of(talk.answer()) == 7
    assert talk.connection.read(100) == b"abcdef"


@pytest.mark.parametrize(("buffer", "size"), [(1, 40), (2, 60), (100, 5000), (1199, 20_000), (1201, 20_000)])
@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_tiny_windows(buffer: int, size: int, loss: float) -> None:
    link = Profile(delay=0.01, loss=loss)
    pair = Pair(size, size // 2, buffers=(buffer, buffer), up=link, down=link, seed=3).run(within=3000)
    assert pair.client.events == pair.server.events == GOOD_END


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_a_reader_that_sleeps(loss: float) -> None:
    link = Profile(delay=0.02, loss=loss)
    pair = Pair(200_000, 1000, up=link, down=link, reads_from=30.0)
    pair.simulation.at(30.0, lambda now: pair.server.act(now))
    pair.run()
    assert pair.done is not None
    assert 30.0 < pair.done < 60.0


def test_the_send_buffer_is_bounded() -> None:
    talk = Talk.established()
    accepted = talk.connection.send(bytes(5_000_000))
    assert accepted == 1 << 20
    assert talk.connection.send(b"x") == 0
    talk.hear()
    talk.say(1, 1201)
    assert talk.connection.send(bytes(2000)) == 1200
