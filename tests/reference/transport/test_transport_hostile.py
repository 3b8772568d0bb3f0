"""A peer that says anything: nothing breaks, nothing grows without bound, time goes on."""

from __future__ import annotations

import random

import pytest

from tests.reference.transport.pairs import Segment, State, Talk, decode, encode


def anything(source: random.Random, talk: Talk, sent: int) -> object:
    """A segment with numbers near those that mean something, or far away."""

    def near(base: int, reach: int) -> int:
        return (base + source.choice([0, 0, 1, -1, source.randint(-5, reach), source.getrandbits(32)])) % 2**32

    return Segment(
        near(talk.PEER_ISN + 1, 3000),
        near(talk.ISN + 1, sent),
        source.choice([0, 1, 100, 5000, 65536, 2**32 - 1]),
        syn=source.random() < 0.1,
        ack=source.random() < 0.9,
        fin=source.random() < 0.03,
        rst=source.random() < 0.02,
        sack=tuple((near(talk.ISN, sent), near(talk.ISN, sent)) for _ in range(source.randint(0, 3))),
        payload=source.randbytes(source.choice([0, 0, 1, 50, 1200])),
    )


@pytest.mark.parametrize("seed", [*range(150), 2568])
def test_no_segment_breaks_it(seed: int) -> None:
    source = random.Random(seed)
    talk = Talk(source.choice(["client", "server"]), receive_buffer=source.choice([1, 500, 5000]))
    if source.random() < 0.7:
        talk = Talk.established(receive_buffer=source.choice([1, 500, 5000]))
    connection = talk.connection
    for step in range(200):
        if connection.state is State.CLOSED:
            break
        if source.random() < 0.2:
            connection.send(source.randbytes(source.choice([1, 3000, 20_000])))
        if source.random() < 0.1:
            connection.read(source.choice([1, 100, 10_000]))
        if step == 150:
            connection.end()
        connection.receive_datagram(encode(anything(source, talk, 40_000)), now=talk.now)
        sent = talk.hear()
        assert len(sent) < 2000
        for segment in sent:
            assert segment is not None
        if source.random() < 0.3:
            talk.wait(source.choice([0.01, 0.3, 2.0]))
    while connection.state is not State.CLOSED and connection.next_timer() is not None and talk.now < 1e4:
        talk.wait(100)


@pytest.mark.parametrize("seed", range(20))
def test_no_datagram_breaks_it(seed: int) -> None:
    source = random.Random(seed)
    talk = Talk.established()
    for _ in range(100):
        talk.connection.receive_datagram(source.randbytes(source.randint(0, 1300)), now=talk.now)
    assert talk.hear() == []
    talk.say(1, 1, payload=b"control")
    assert talk.connection.read(10) == b"control"
    assert decode(b"") is None
