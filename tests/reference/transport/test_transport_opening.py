"""How a connection begins, and what does not begin one."""

from __future__ import annotations

import pytest

from tests.reference.transport.pairs import GOOD_END, Event, Pair, Profile, State, Talk


def test_a_client_begins_at_once_and_a_server_waits() -> None:
    syn = Talk("client").answer()
    assert (syn.syn, syn.ack, syn.sequence, syn.window) == (True, False, Talk.ISN, 65536)
    assert Talk("server").hear() == []
    assert Talk("server").connection.next_timer() is None


def test_the_server_answers_with_its_own_syn() -> None:
    talk = Talk("server")
    talk.say(0, syn=True)
    answer = talk.answer()
    assert (answer.syn, answer.ack, talk.at(answer), talk.of(answer)) == (True, True, 0, 1)
    assert talk.events() == []
    talk.say(1, 1)
    assert talk.events() == [Event.CONNECTED]
    assert talk.hear() == []  # an ACK alone needs no answer


def test_bytes_on_a_syn_are_ignored() -> None:
    talk = Talk("server")
    talk.say(0, syn=True, fin=True, payload=b"early")
    assert talk.of(talk.answer()) == 1
    talk.say(1, 1)
    assert talk.connection.read(100) == b""
    assert talk.events() == [Event.CONNECTED]


def test_the_acknowledgement_of_the_syn_may_bring_bytes() -> None:
    talk = Talk("server")
    talk.say(0, syn=True)
    talk.hear()
    talk.say(1, 1, payload=b"hello", fin=True)
    assert talk.connection.read(100) == b"hello"
    assert talk.events() == [Event.CONNECTED, Event.END_OF_STREAM]


def test_six_syns_and_then_no_more() -> None:
    talk = Talk("client")
    assert talk.answer().syn
    sent = talk.wait(1000)
    assert [(at, segment.syn) for at, segment in sent] == [(at, True) for at in (1, 3, 7, 15, 31)]
    assert talk.events() == [Event.TIMED_OUT]
    assert talk.connection.state is State.CLOSED
    assert talk.connection.next_timer() is None


def test_six_syn_acks_and_then_no_more() -> None:
    talk = Talk("server")
    talk.say(0, syn=True)
    talk.hear()
    assert len(talk.wait(1000)) == 5
    assert talk.events() == [Event.TIMED_OUT]


def test_what_was_sent_before_the_connection_is_sent_after_the_handshake() -> None:
    talk = Talk("client")
    assert talk.connection.send(b"early") == 5
    talk.connection.end()
    assert talk.answer().payload == b""
    talk.say(0, 1, syn=True)
    answer = talk.answer()
    assert (answer.payload, answer.fin, answer.syn) == (b"early", True, False)


def test_a_listener_answers_only_what_claims_a_connection() -> None:
    talk = Talk("server")
    talk.say(1, rst=True)
    talk.say(1, 1, rst=True)
    talk.say(1, payload=b"x")
    assert talk.hear() == []
    talk.say(1, 77, payload=b"x")
    answer = talk.answer()
    assert (answer.rst, talk.at(answer)) == (True, 77)
    talk.say(0, syn=True)  # and it still listens
    assert talk.answer().syn


def test_an_acknowledgement_of_something_else_is_refused_before_the_connection_is_open() -> None:
    talk = Talk("client")
    talk.hear()
    talk.say(0, 5, syn=True)
    answer = talk.answer()
    assert (answer.rst, talk.at(answer)) == (True, 5)
    talk.say(0, 5, syn=True, rst=True)
    assert talk.hear() == []
    talk.say(0, 1, syn=True)  # and the right one still counts
    assert talk.events() == [Event.CONNECTED]

    talk = Talk("server")
    talk.say(0, syn=True)
    talk.hear()
    talk.say(1, 9)
    answer = talk.answer()
    assert (answer.rst, talk.at(answer)) == (True, 9)
    assert talk.connection.state is State.SYN_RECEIVED


def test_a_refused_syn_is_a_reset_if_it_is_ours_that_was_refused() -> None:
    talk = Talk("client")
    talk.hear()
    talk.say(0, rst=True)
    talk.say(0, 2, rst=True)
    assert talk.events() == []
    talk.say(0, 1, rst=True)
    assert talk.events() == [Event.RESET]
    assert talk.hear() == []


def test_the_peers_syn_again_is_acknowledged_again() -> None:
    talk = Talk("server")
    talk.say(0, syn=True)
    talk.hear()
    talk.say(0, syn=True)
    answer = talk.answer()
    assert (answer.ack, talk.of(answer)) == (True, 1)
    talk.say(1, 1)
    assert talk.events() == [Event.CONNECTED]


def test_a_syn_on_an_open_connection_is_a_challenge() -> None:
    talk = Talk.established()
    for number in (0, 1, 500):
        talk.say(number, syn=True)
        answer = talk.answer()
        assert (answer.syn, answer.rst, talk.at(answer), talk.of(answer)) == (False, False, 1, 1)
    talk.say(1, 1, payload=b"still here")
    assert talk.connection.read(100) == b"still here"


def test_simultaneous_open_segment_by_segment() -> None:
    talk = Talk("client")
    talk.hear()
    talk.say(0, syn=True)
    answer = talk.answer()
    assert (answer.syn, answer.ack, talk.at(answer), talk.of(answer)) == (True, True, 0, 1)
    assert talk.connection.state is State.SYN_RECEIVED
    talk.say(0, 1, syn=True)  # its SYN again, with the acknowledgement of ours
    assert talk.events() == [Event.CONNECTED]
    assert talk.of(talk.answer()) == 1


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_simultaneous_open_of_a_pair(loss: float) -> None:
    link = Profile(delay=0.02, loss=loss)
    pair = Pair(5000, 3000, roles=("client", "client"), up=link, down=link).run()
    assert pair.client.events == pair.server.events == GOOD_END


@pytest.mark.parametrize("isns", [(2**32 - 1, 2**32 - 1), (2**32 - 2, 0), (0, 2**32 - 1201), (2**31, 2**31 - 1)])
def test_numbers_wrap_anywhere(isns: tuple[int, int]) -> None:
    link = Profile(delay=0.01, loss=0.1)
    pair = Pair(20_000, 20_000, isns=isns, up=link, down=link).run()
    assert pair.client.events == pair.server.events == GOOD_END


@pytest.mark.parametrize("number", range(3))
def test_each_segment_of_the_handshake_may_be_lost(number: int) -> None:
    lost = {"up": [(0,), (), (1,)], "down": [(), (0,), ()]}
    pair = Pair(
        100, 100, up=Profile(delay=0.02, drop=lost["up"][number]), down=Profile(delay=0.02, drop=lost["down"][number])
    ).run()
    assert pair.done is not None
    assert pair.done < 2.5
