"""The words for TLS with the reference's pipe, and with programs that are none."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from harness.actors.peer import Peer
from harness.actors.server import Server
from harness.actors.story import Broken
from harness.course.assignment import Limits
from harness.lab.interface import LabError
from harness.lab.local.lab import local_lab
from harness.tester.scene import Scene
from harness.tls.peer.peer import TLS11, TLS12, TLS13
from tests.harness.tester.local_scene import ASSIGNMENT

HERE = Path(__file__).resolve().parent
REFERENCE = HERE.parents[2] / "reference" / "tlspipe"

SOON = 0.3  # seconds in which something is awaited in vain

Make = Callable[[], Scene]


@contextmanager
def scenes(folder: Path, program: str) -> Iterator[Make]:
    """A function that makes a fresh scene, in which tls_pipe is that program."""
    node, network, leave = local_lab(folder, Limits())
    with ExitStack() as ends:
        ends.callback(leave)
        node.build(None, timeout=10)

        def make() -> Scene:
            node.fresh()
            programs = {"tls_pipe": ["python3", program]}
            scene = Scene(node, network, assignment=ASSIGNMENT, programs=programs, seed=1)
            ends.callback(scene.close)
            return scene

        yield make


@pytest.fixture(scope="module")
def good_scenes() -> Iterator[Make]:
    with scenes(REFERENCE, "tls_pipe.py") as make:
        yield make


@pytest.fixture(scope="module")
def odd_scenes() -> Iterator[Make]:
    with scenes(HERE / "pipes", "odd_pipe.py") as make:
        yield make


@pytest.fixture
def lab(good_scenes: Make) -> Iterator[Scene]:
    scene = good_scenes()
    yield scene
    scene.close()


@pytest.fixture
def odd(odd_scenes: Make) -> Iterator[Callable[[str], tuple[Scene, Server]]]:
    """A program with that fault, started as a pipe."""
    scene = odd_scenes()
    yield lambda fault: (scene, scene.pipes.server(fault, backend=scene.nobody()))
    scene.close()


# -- a pipe that is one ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_the_server(lab: Scene, version: object) -> None:
    backend = lab.listens()
    pipe = lab.pipes.server(backend=backend)
    tls = lab.tls.client(lab.connects(pipe), versions=(version, version))
    plain = backend.accepts()
    assert len(tls.certificates) == 2
    tls.sends(b"up")
    plain.reads_exactly(b"up")
    plain.sends(b"down")
    tls.reads_exactly(b"down")
    tls.ends()
    plain.sees_end()
    plain.ends()
    tls.sees_end()
    lab.pipes.ends_as(pipe, "closed")
    lab.pipes.no_secret(pipe, lab.tls.zoo.server().key, b"up and down")
    assert "tls_pipe logged: ended: closed" in [step.what for step in lab.story.steps]


def test_the_client(lab: Scene) -> None:
    target = lab.listens()
    pipe = lab.pipes.client("--alpn", "h2", target=target)
    plain = lab.connects(pipe)
    tls = lab.tls.server(target.accepts(), alpn=["h2"])
    assert (tls.sni, tls.alpn) == ("server.example", "h2")
    tls.sends(b"the server speaks first")
    plain.reads_exactly(b"the server speaks first")
    plain.ends()
    tls.sees_close_notify()
    tls.ends()
    plain.sees_end()
    tls.sees_end()
    lab.pipes.ends_as(pipe, "closed")


def test_one_after_the_other(lab: Scene) -> None:
    backend = lab.listens()
    pipe = lab.pipes.server(backend=backend)
    tls, plain = lab.tls.client(lab.connects(pipe)), backend.accepts()
    tls.cuts()
    plain.sees_reset()
    lab.pipes.ends_as(pipe, "truncated")
    tls, plain = lab.tls.client(lab.connects(pipe)), backend.accepts()
    plain.sends(b"x")  # or the pipe may meet the reset while it connects, and call that unreachable
    tls.reads_exactly(b"x")
    plain.resets()
    assert tls.sees_reset_or_alert() in ("reset", "alert")
    lab.pipes.ends_as(pipe, "reset", count=2)
    old = lab.tls.client(lab.connects(pipe), versions=(TLS11, TLS11), shakes=False)
    assert old.handshake_fails() == "alert"
    lab.pipes.ends_as(pipe, "refused", "broken", count=3)


def test_a_stranger_as_server(lab: Scene) -> None:
    target = lab.listens()
    pipe = lab.pipes.client(target=target)
    plain = lab.connects(pipe)
    tls = lab.tls.server(target.accepts(), identity=lab.tls.zoo.stranger("server"), shakes=False)
    assert tls.handshake_fails() in ("alert", "reset")
    plain.sees_reset()
    lab.pipes.ends_as(pipe, "refused")
    plain = lab.connects(pipe)
    with pytest.raises(Broken, match="the TLS handshake failed"):
        lab.tls.server(target.accepts(), identity=lab.tls.zoo.stranger("server"))


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_both_show_certificates(lab: Scene, version: object) -> None:
    backend = lab.listens()
    gate = lab.pipes.server(backend=backend, client_ca=lab.tls.zoo.ca)
    nobody = lab.tls.client(lab.connects(gate), versions=(version, version), shakes=False)
    assert nobody.handshake_fails() in ("alert", "reset")
    lab.pipes.ends_as(gate, "refused")
    lab.tls.client(lab.connects(gate), versions=(version, version), identity=lab.tls.zoo.client())
    backend.accepts()
    target = lab.listens()
    shows = lab.pipes.client(target=target, identity=lab.tls.zoo.client())
    lab.connects(shows)
    tls = lab.tls.server(target.accepts(), client_ca=lab.tls.zoo.ca, versions=(version, version))
    assert len(tls.certificates) == 2


def test_files_are_the_users_and_may_change(lab: Scene) -> None:
    pipe = lab.pipes.server(backend=lab.nobody())
    other = lab.pipes.client(target=lab.nobody(), identity=lab.tls.zoo.client())
    words = [step.what for step in lab.story.steps if "starts tls_pipe" in step.what]
    keys = [line.split("--key ")[1].split()[0] for line in words]
    assert keys[0] != keys[1] and all(is_private(key) for key in keys)
    lab.pipes.renews(other, identity=(new := lab.tls.zoo.client("new.example")), ca=lab.tls.zoo.stranger_ca)
    assert Path(keys[1]).read_bytes() == new.key != Path(keys[0]).read_bytes()
    assert is_private(keys[1])
    assert Path(keys[1].replace("-key", "-ca")).read_bytes() == lab.tls.zoo.stranger_ca
    assert pipe is not other


def is_private(path: str) -> bool:
    return sys.platform == "win32" or Path(path).stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_much_through_it(lab: Scene) -> None:
    backend = lab.listens()
    tls, plain = lab.tls.client(lab.connects(lab.pipes.server(backend=backend))), backend.accepts()
    data = lab.random_bytes(3_000_000)
    up = tls.sends_in_background(data, ends=True)
    down = plain.sends_in_background(data[::-1])
    assert tls.reads(len(data), within=20) == data[::-1]
    assert plain.reads_to_end(within=20) == data
    up.join()
    down.join()
    lab.tls.is_private(tls.raw_in, data[-32:][::-1], data[:32])


# -- programs that are none --------------------------------------------------------------------------------------

Odd = Callable[[str], tuple[Scene, Server]]


def test_a_program_that_resets(odd: Odd) -> None:
    lab, pipe = odd("resets")
    peer = lab.connects(pipe)
    peer.sends(b"go")
    assert peer.sees_reset() in (b"some bytes", b"")
    assert any("sees a reset" in step.what for step in lab.story.steps)


@pytest.mark.slow
def test_a_program_that_ends(odd: Odd) -> None:
    lab, pipe = odd("closes")
    peer = lab.connects(pipe)
    with pytest.raises(Broken, match="ended, not reset"):
        peer.sees_reset()
    with pytest.raises(Broken, match="as 'closed'") as caught:
        lab.pipes.ends_as(pipe, "refused", "broken")
    assert (caught.value.verdict, caught.value.seen) == ("fail", "closed")
    assert caught.value.expected == "1 line that begins with 'ended: ', the last one refused or broken"
    with pytest.raises(Broken, match=r"1 ends of connections, not 2, within 0\.3 s") as caught:
        lab.pipes.ends_as(pipe, "closed", count=2, within=SOON)
    assert caught.value.verdict == "timeout"
    lab.pipes.ends_as(pipe, "closed")


@pytest.mark.slow
def test_silence(odd: Odd) -> None:
    lab, pipe = odd("silent")
    for word in (lambda: lab.pipes.ends_as(pipe, "closed", within=SOON), lambda: reset_in(lab.connects(pipe))):
        with pytest.raises(Broken) as caught:
            word()
        assert caught.value.verdict == "timeout"
    with pytest.raises(Broken, match="not complete within") as caught:
        lab.tls.client(lab.connects(pipe), within=SOON)
    assert (caught.value.verdict, caught.value.seen) == ("timeout", "nothing")


def reset_in(peer: Peer) -> None:
    peer.sees_reset(within=SOON)


def test_a_program_that_ends_without_a_word(odd: Odd) -> None:
    lab, pipe = odd("quits")
    with pytest.raises(Broken, match="0 ends") as caught:
        lab.pipes.ends_as(pipe, "closed")  # at once: nothing can come any more
    assert (caught.value.verdict, caught.value.seen) == ("fail", "none")


def test_a_program_that_tells_its_key(odd: Odd) -> None:
    lab, pipe = odd("tells")
    lab.connects(pipe).sees_reset_or_end()
    lab.pipes.ends_as(pipe, "closed")
    key = Path(next(iter(told_key(lab)))).read_bytes()
    lab.pipes.no_secret(pipe, lab.tls.zoo.client().key)
    with pytest.raises(Broken, match="something secret to its standard error"):
        lab.pipes.no_secret(pipe, key)


def told_key(lab: Scene) -> Iterator[str]:
    for step in lab.story.steps:
        if "--key " in step.what:
            yield step.what.split("--key ")[1].split()[0]


def test_a_program_that_logs_twice(odd: Odd) -> None:
    lab, pipe = odd("twice")
    lab.connects(pipe).sees_reset_or_end()
    lab.pipes.ends_as(pipe, "closed", count=3)
    with pytest.raises(Broken, match="3 ends of connections, not 1"):
        lab.pipes.ends_as(pipe, "closed")


def test_a_program_that_speaks_no_tls(odd: Odd) -> None:
    lab, pipe = odd("talks")
    with pytest.raises(Broken, match="no TLS") as caught:
        lab.tls.client(lab.connects(pipe))
    assert caught.value.seen == 'no TLS but "220 ready\\r\\n"'


def test_nowhere_to_go(lab: Scene) -> None:
    with pytest.raises(LabError):
        lab.pipes.server(backend=lab.listens_udp().address)


def test_a_handshake_that_is_tried_says_how_it_failed(lab: Scene) -> None:
    pipe = lab.pipes.server(backend=lab.nobody(), client_ca=lab.tls.zoo.ca)
    early = lab.tls.client(lab.connects(pipe), versions=(TLS12, TLS12), shakes=False)
    assert early.tries_handshake() in ("alert", "reset")
    late = lab.tls.client(lab.connects(pipe), versions=(TLS13, TLS13), shakes=False)
    assert late.tries_handshake() == ""
    assert late.handshake_fails(says=b"too late") in ("alert", "reset")


def test_a_pipe_with_few_descriptors_has_few_connections(lab: Scene) -> None:
    target = lab.listens()
    for files in (None, 34):
        pipe = lab.pipes.client(target=target, files=files)
        for _ in range(2):
            lab.connects(pipe)
        first = target.accepts()
        if files is None:
            target.accepts()
            continue
        with pytest.raises(Broken, match="no connection came"):
            target.accepts(within=SOON)
        first.resets()
        target.accepts()
