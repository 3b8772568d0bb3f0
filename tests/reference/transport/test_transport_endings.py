"""How a connection ends: by halves, at once, by force, or by silence."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.reference.transport.pairs import GOOD_END, Event, Pair, Profile, State, Talk, module

states = module("states")


def test_we_end_first_and_wait() -> None:
    talk = Talk.established()
    talk.connection.send(b"bye")
    talk.connection.end()
    fin = talk.answer()
    assert (fin.payload, fin.fin) == (b"bye", True)
    assert talk.connection.state is State.FIN_WAIT_1
    talk.say(1, 5)
    assert talk.connection.state is State.FIN_WAIT_2
    talk.say(1, 5, payload=b"half-close", window=99)
    assert talk.connection.read(100) == b"half-close"
    talk.say(11, 5, fin=True)
    assert talk.of(talk.answer()) == 12
    assert talk.events() == [Event.END_OF_STREAM]
    assert talk.wait(3.9) == []
    assert talk.events() == []
    talk.wait(0.2)
    assert talk.events() == [Event.CLOSED]
    assert talk.connection.next_timer() is None


def test_the_peer_ends_first_and_we_go_on() -> None:
    talk = Talk.established()
    talk.say(1, 1, fin=True)
    assert talk.of(talk.answer()) == 2
    assert talk.events() == [Event.END_OF_STREAM]
    assert talk.connection.send(b"more") == 4
    assert talk.answer().payload == b"more"
    talk.connection.end()
    assert talk.answer().fin
    assert talk.connection.state is State.LAST_ACK
    talk.say(2, 6)
    assert talk.events() == [Event.CLOSED]
    assert talk.connection.next_timer() is None


def test_simultaneous_close() -> None:
    talk = Talk.established()
    talk.connection.end()
    assert talk.answer().fin
    talk.say(1, 1, fin=True)
    assert talk.connection.state is State.CLOSING
    assert talk.of(talk.answer()) == 2
    talk.say(2, 2)
    assert talk.connection.state is State.TIME_WAIT
    talk.wait(4.1)
    assert talk.events() == [Event.END_OF_STREAM, Event.CLOSED]


def time_waiting() -> Talk:
    talk = Talk.established()
    talk.connection.end()
    talk.hear()
    talk.say(1, 2, fin=True)
    talk.hear()
    assert talk.connection.state is State.TIME_WAIT
    return talk


def test_a_fin_starts_time_wait_again_and_is_acknowledged() -> None:
    talk = time_waiting()
    talk.wait(3)
    talk.say(1, 2, fin=True)
    assert talk.of(talk.answer()) == 2
    talk.wait(3.5)
    assert talk.connection.state is State.TIME_WAIT
    talk.wait(1)
    assert talk.connection.state is State.CLOSED


def test_time_wait_is_not_cut_short_by_an_rst_nor_prolonged_by_others() -> None:
    talk = time_waiting()
    talk.wait(3)
    talk.say(2, 2, rst=True)
    talk.say(1, 2, payload=b"x")
    talk.hear()
    assert talk.connection.state is State.TIME_WAIT
    talk.wait(1.1)
    assert talk.events()[-1] is Event.CLOSED


def test_a_fin_before_its_turn_waits() -> None:
    talk = Talk.established()
    talk.say(4, 1, fin=True)
    assert talk.of(talk.answer()) == 1
    assert talk.events() == []
    talk.say(1, 1, payload=b"abc")
    assert talk.of(talk.answer()) == 5
    assert talk.events() == [Event.END_OF_STREAM]


def test_a_fin_counts_once_and_nothing_counts_behind_it() -> None:
    talk = Talk.established()
    talk.say(1, 1, payload=b"abc", fin=True)
    talk.hear()
    talk.say(1, 1, payload=b"abc", fin=True)
    assert talk.of(talk.answer()) == 5
    talk.say(5, 1, payload=b"zombie", fin=True)
    assert talk.of(talk.answer()) == 5
    assert talk.connection.read(100) == b"abc"
    assert talk.events() == [Event.END_OF_STREAM]


def test_a_fin_is_repeated_until_acknowledged_and_then_given_up() -> None:
    talk = Talk.established()
    talk.connection.end()
    assert talk.answer().fin
    sent = talk.wait(1000)
    assert [segment.fin for _, segment in sent] == [True] * 8
    waits = [later - earlier for (earlier, _), (later, _) in pairwise(sent)]
    assert all(later == pytest.approx(min(2 * earlier, 60)) for earlier, later in pairwise(waits))
    assert talk.events() == [Event.TIMED_OUT]


def test_giving_up_in_last_ack_is_a_good_end_if_only_the_fin_is_missing() -> None:
    talk = Talk.established()
    talk.say(1, 1, fin=True)
    talk.connection.end()
    talk.hear()
    talk.wait(1000)
    assert talk.events() == [Event.END_OF_STREAM, Event.CLOSED]

    talk = Talk.established()
    talk.say(1, 1, fin=True)
    talk.connection.send(b"unheard")
    talk.connection.end()
    talk.hear()
    talk.wait(1000)
    assert talk.events() == [Event.END_OF_STREAM, Event.TIMED_OUT]


def test_an_rst_counts_at_exactly_the_next_number() -> None:
    talk = Talk.established()
    for number, answers in ((0, 0), (70_000, 0), (2, 1), (65_000, 1)):
        talk.say(number, 1, rst=True)
        assert [talk.of(segment) for segment in talk.hear()] == [1] * answers
    assert talk.events() == []
    talk.say(1, 1, payload=b"unread")
    talk.say(7, rst=True)
    assert talk.events() == [Event.RESET]
    assert talk.hear() == []
    assert talk.connection.next_timer() is None
    assert talk.connection.read(100) == b"unread"
    assert talk.connection.send(b"x") == 0
    talk.say(7, 1, payload=b"x")
    assert talk.hear() == []


def test_abort_resets_and_discards() -> None:
    talk = Talk.established()
    talk.say(1, 1, payload=b"unread")
    talk.connection.send(b"unsent")
    talk.connection.abort()
    rst = talk.answer()
    assert (rst.rst, rst.ack, talk.at(rst), talk.of(rst)) == (True, True, 1, 7)
    assert talk.connection.read(100) == b""
    assert talk.connection.next_timer() is None
    assert talk.events() == []
    assert talk.connection.send(b"x") == 0
    assert talk.events() == [Event.SEND_AFTER_END]
    talk.say(7, 1, payload=b"x")  # the RST was lost, or not exact
    again = talk.answer()
    assert (again.rst, talk.at(again)) == (True, 1)
    talk.say(7, 1, rst=True)
    assert talk.hear() == []


@pytest.mark.parametrize("role", ["client", "server"])
def test_abort_before_there_is_a_peer_says_nothing(role: str) -> None:
    talk = Talk(role)
    talk.hear()
    talk.connection.abort()
    talk.connection.abort()
    assert talk.hear() == []
    assert talk.connection.state is State.CLOSED


def test_abort_reaches_the_peer_even_if_its_number_is_not_exact() -> None:
    """Bytes are under way when it is sent, so the peer answers with a challenge, and that is refused."""
    pair = Pair(100_000, up=Profile(delay=0.05), down=Profile(delay=0.05))
    pair.simulation.at(0.3, lambda _: pair.client.connection.abort())
    pair.simulation.set_links(up=Profile(delay=0.05, drop=(8,)))
    pair.simulation.run(until=20)
    assert pair.server.events == [Event.CONNECTED, Event.RESET]


def test_send_after_end_accepts_nothing() -> None:
    talk = Talk.established()
    talk.connection.end()
    talk.connection.end()
    assert talk.connection.send(b"x") == 0
    assert talk.events() == [Event.SEND_AFTER_END]
    assert talk.answer().payload == b""


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("first", range(2, 9))
def test_any_two_segments_may_be_lost(direction: str, first: int) -> None:
    links = {"up": Profile(delay=0.02), "down": Profile(delay=0.02)}
    links[direction] = Profile(delay=0.02, drop=(first, first + 1))
    pair = Pair(5000, 5000, up=links["up"], down=links["down"]).run()
    assert pair.client.events == pair.server.events == GOOD_END


def test_empty_streams() -> None:
    pair = Pair(up=Profile(delay=0.02), down=Profile(delay=0.02)).run()
    assert pair.client.events == pair.server.events == GOOD_END
    assert len(pair.simulation.packets) <= 6


def test_the_table_leads_from_every_state_to_the_end() -> None:
    table = states.TRANSITIONS
    reached = {State.CLOSED}
    for _ in State:
        reached |= {after for (before, _), after in table.items() if before in reached}
    assert reached == set(State)
    for state in set(State) - {State.CLOSED}:
        assert table[state, states.Cause.ABORT] is State.CLOSED
    assert states.follow(State.CLOSED, states.Cause.FIN) is State.CLOSED
