"""A man in the middle between real sockets: he passes on everything but what he is told to spoil."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.actors.listener import Listener
from harness.actors.peer import Peer
from harness.actors.story import Broken
from harness.tester.scene import Scene
from harness.tls.middle.middle import Middle
from harness.tls.peer.peer import TlsPeer
from harness.tls.record_layer.rules import Direction
from tests.harness.tester.local_scene import MakeScene, local_scenes

REFERENCE = Path(__file__).resolve().parents[3] / "reference" / "tlspipe"
Three = tuple[Peer, Middle, Peer]


@pytest.fixture(scope="module")
def scenes() -> Iterator[MakeScene]:
    with local_scenes(Path(__file__).parent / "echoes", {}) as make:
        yield make


@pytest.fixture
def lab(scenes: MakeScene) -> Scene:
    return scenes()


@pytest.fixture(scope="module")
def pipes() -> Iterator[MakeScene]:
    with local_scenes(REFERENCE, {"tls_pipe": ["python3", "tls_pipe.py"]}) as make:
        yield make


@pytest.fixture
def chain(pipes: MakeScene) -> Chain:
    """A pipe's client, a man in the middle, a pipe's server: what is said at one end comes out at the other."""
    return Chain(pipes())


class Chain:
    def __init__(self, lab: Scene) -> None:
        self.lab = lab
        self.behind = lab.listens()
        self.server = lab.pipes.server(backend=self.behind)
        self.middle = lab.tls.middle(self.server)
        self.client = lab.pipes.client(target=self.middle)

    def joined(self) -> tuple[Peer, Peer]:
        near = self.lab.connects(self.client)
        far = self.behind.accepts()
        near.sends(b"before")
        far.reads_exactly(b"before")
        far.sends(b"back")
        near.reads_exactly(b"back")
        return near, far


def three(lab: Scene) -> Three:
    behind = lab.listens()
    middle = lab.tls.middle(behind.address)
    near = middle.connects()
    return near, middle, behind.accepts()


def story(lab: Scene) -> str:
    return "\n".join(step.what for step in lab.story.steps)


# -- nothing is spoiled ----------------------------------------------------------------------------------------------


def test_bytes_and_half_closes_pass(lab: Scene) -> None:
    near, middle, far = three(lab)
    data = lab.random_bytes(1_000_000)
    sending = near.sends_in_background(data)
    far.reads_exactly(data)
    sending.join(5)
    near.ends()
    far.sees_end()
    far.sends(b"the other direction goes on")
    near.reads_exactly(b"the other direction goes on")
    far.ends()
    near.sees_end()
    assert middle.tap_up == data
    assert middle.tap_down == b"the other direction goes on"


def test_both_directions_full_at_once(lab: Scene) -> None:
    near, _, far = three(lab)
    data = lab.random_bytes(3_000_000)
    senders = [near.sends_in_background(data), far.sends_in_background(data)]
    far.reads_exactly(data)
    near.reads_exactly(data)
    for sender in senders:
        sender.join(5)


def test_a_reader_that_sleeps_is_not_buffered_without_end(lab: Scene) -> None:
    near, middle, far = three(lab)
    taken = near.sends_what_fits(bytes(60_000_000))
    assert taken < 40_000_000  # what the kernel and the middle hold
    assert len(middle.tap_up) <= 16 << 20
    far.reads(taken)


@pytest.mark.parametrize("who", ["near", "far"])
@pytest.mark.parametrize("after_end", [False, True])
def test_resets_pass(lab: Scene, who: str, after_end: bool) -> None:
    near, _, far = three(lab)
    one, other = (near, far) if who == "near" else (far, near)
    if after_end:
        one.ends()
        other.sees_end()
        lab.pauses(0.05)  # the middle has nothing to read from it any more
    one.resets()
    if after_end:
        with pytest.raises(Broken):
            for _ in range(100):
                other.sends(b"x", within=1)
                lab.waits_until(lambda: False, within=0.01)
    else:
        assert other.sees_reset_or_end() == "reset"


def test_several_connections(lab: Scene) -> None:
    behind = lab.listens()
    middle = lab.tls.middle(behind.address)
    for number in range(3):
        near, far = middle.connects(), behind.accepts()
        near.sends(b"%d" % number)
        far.reads_exactly(b"%d" % number)
    assert (middle.connections, middle.tap_up, middle.tap("up", 1)) == (3, b"012", b"1")


def test_nobody_behind_him(lab: Scene) -> None:
    middle = lab.tls.middle(lab.nobody())
    for _ in range(30):  # now and then the reset is there before connect() has returned
        middle.connects().sees_reset()
    assert "cannot reach the target" in story(lab)


def test_the_end_of_the_test_ends_him(lab: Scene) -> None:
    _, middle, far = three(lab)
    middle.dismiss()
    assert far.sees_reset_or_end() == "reset"
    middle.dismiss()


# -- what is not TLS can be cut and reset ------------------------------------------------------------


def test_a_cut_is_an_end_for_the_receiver_alone(lab: Scene) -> None:
    near, middle, far = three(lab)
    rule = middle.cuts("up", bytes=4)
    near.sends(b"abcdef")
    far.reads_exactly(b"abcd")
    far.sees_end()
    middle.did(rule)
    near.sends(b"into the void")
    far.sends(b"back")
    near.reads_exactly(b"back")


# -- TLS -------------------------------------------------------------------------------------------------------------


def tls(lab: Scene, behind: Listener, middle: Middle) -> tuple[TlsPeer, TlsPeer]:
    client = lab.tls.client(middle.connects(), shakes=False)
    client.openssl.begin(time.monotonic() + 5)
    server = lab.tls.server(behind.accepts(), shakes=False)
    thread = server.sends_in_background(b"welcome")
    client.handshakes()
    thread.join(5)
    client.reads_exactly(b"welcome")
    return client, server


def test_a_changed_record_ends_the_connection(lab: Scene) -> None:
    behind = lab.listens()
    middle = lab.tls.middle(behind.address)
    client, server = tls(lab, behind, middle)
    client.sends(b"before")
    server.reads_exactly(b"before")
    rule = middle.flips("up", application=2)
    client.sends(b"one")
    client.sends(b"two")
    server.reads_exactly(b"one")
    middle.did(rule)
    with pytest.raises(Broken):
        server.reads(1)
    assert rule.done == 1
    assert "flips a bit from the one who connected (application record 2)" in story(lab)


# -- between two pipes -----------------------------------------------------------------------------------------------


def test_two_pipes_do_not_notice_him(chain: Chain) -> None:
    near, far = chain.joined()
    data = chain.lab.random_bytes(200_000)
    near.sends(data)
    far.reads_exactly(data)
    near.ends()
    far.sees_end()
    far.sends(b"late")
    near.reads_exactly(b"late")
    far.ends()
    near.sees_end()
    for pipe in (chain.server, chain.client):
        chain.lab.pipes.ends_as(pipe, "closed")
    assert data[:100] not in chain.middle.tap_up and len(chain.middle.tap_up) > 200_000


@pytest.mark.parametrize("direction", ["up", "down"])
def test_two_pipes_refuse_what_he_did(chain: Chain, direction: Direction) -> None:
    near, far = chain.joined()
    sender, receiver = (near, far) if direction == "up" else (far, near)
    rule = chain.middle.flips(direction)
    sender.sends(b"one", b"two", apart=0.05, may_fail=True)
    chain.middle.did(rule)
    assert receiver.sees_reset_or_end() == "reset"
    chain.lab.pipes.ends_as(chain.server if direction == "up" else chain.client, "broken")


@pytest.mark.parametrize("direction", ["up", "down"])
def test_two_pipes_report_a_truncation(chain: Chain, direction: Direction) -> None:
    near, far = chain.joined()
    chain.middle.did(chain.middle.cuts(direction))
    assert (far if direction == "up" else near).sees_reset_or_end() == "reset"
    chain.lab.pipes.ends_as(chain.server if direction == "up" else chain.client, "truncated")
