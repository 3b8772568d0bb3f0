"""Many TLS connections at once: with the reference's pipe, and with programs that serve badly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.actors.story import Broken
from harness.tester.scene import Scene
from tests.harness.tester.local_scene import MakeScene, local_scenes

HERE = Path(__file__).resolve().parent
REFERENCE = HERE.parents[2] / "reference" / "tlspipe"


@pytest.fixture(scope="module")
def good() -> Iterator[MakeScene]:
    with local_scenes(REFERENCE, {"tls_pipe": ["python3", "tls_pipe.py"]}) as make:
        yield make


@pytest.fixture(scope="module")
def odd() -> Iterator[MakeScene]:
    with local_scenes(HERE / "echoes", {"tls_pipe": ["python3", "echo_pipe.py"]}) as make:
        yield make


def story(lab: Scene) -> str:
    return "\n".join(step.what for step in lab.story.steps)


# -- a pipe that does all that is asked ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("role", ["server", "client"])
def test_everybody_is_served(good: MakeScene, role: str) -> None:
    lab = good()
    echo = lab.tls.echo(tls=role == "client")
    pipe = lab.pipes.server(backend=echo) if role == "server" else lab.pipes.client(target=echo)
    before = lab.kernel.usage()
    load = lab.tls.load(pipe, plain=role == "client", count=60, active=10)
    assert load.count == echo.count == 60
    traffic = load.drives(seconds=0.4, rate=5.0)
    assert traffic.messages >= 10 and traffic.bystander.count >= 20
    assert 0 < traffic.bystander.p50 <= traffic.bystander.p99
    traffic.stays_fair(at_most=1.0)
    load.all_answer()
    assert load.closes() == 60
    assert lab.waits_until(lambda: echo.ends.clean == 60) and echo.ends.all == 60
    assert (load.count, echo.count, echo.accepted) == (0, 0, 60)
    lab.kernel.finds_all_given_back(before)
    assert "saw 60 clean ends" in story(lab)


@pytest.mark.slow
@pytest.mark.parametrize("role", ["server", "client"])
def test_greedy_clients_beside(good: MakeScene, role: str) -> None:
    lab = good()
    echo = lab.tls.echo(tls=role == "client")
    pipe = lab.pipes.server(backend=echo) if role == "server" else lab.pipes.client(target=echo)
    load = lab.tls.load(pipe, plain=role == "client", count=8)
    traffic = load.drives(seconds=0.5, greedy=2)
    assert traffic.greedy_bytes > 1_000_000
    traffic.stays_fair(at_most=1.0)
    load.resets()
    assert lab.waits_until(lambda: echo.ends.reset > 0)


@pytest.mark.slow
def test_silent_connections_are_ended_in_time(good: MakeScene) -> None:
    lab = good()
    pipe = lab.pipes.server("--handshake-timeout", "1", backend=lab.tls.echo())
    silent = lab.tls.stays_silent(pipe, count=30)
    half = lab.tls.stays_silent(pipe, count=10, says=bytes([22, 3, 1, 2, 0, 1]))
    assert lab.tls.load(pipe, count=5).count == 5
    silent.all_end(within=3, after=0.8)
    half.all_end(within=3, after=0.8)
    assert silent.count == 0


def test_a_certificate_and_a_protocol(good: MakeScene) -> None:
    lab = good()
    zoo = lab.tls.zoo
    pipe = lab.pipes.server("--alpn", "echo", backend=lab.tls.echo(), client_ca=zoo.ca)
    assert lab.tls.load(pipe, count=5, identity=zoo.client(), alpn=["echo"]).count == 5
    with pytest.raises(Broken) as broken:
        lab.tls.load(pipe, count=5, alpn=["echo"])
    assert "client" in str(broken.value.seen)


# -- pipes that do not -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "seen"),
    [("swaps", "other bytes came"), ("quits", "without a close_notify"), ("silent", "0 were answered")],
)
@pytest.mark.parametrize("plain", [False, True])
def test_who_is_not_served_is_found(odd: MakeScene, fault: str, seen: str, plain: bool) -> None:
    lab = odd()
    there = lab.nobody()
    pipe = lab.pipes.client(fault, target=there) if plain else lab.pipes.server(fault, backend=there)
    with pytest.raises(Broken) as broken:
        load = lab.tls.load(pipe, count=10, within=0.7, plain=plain)
        load.all_answer(within=0.7)
    if plain and fault == "quits":
        seen = "the program ended the connection"
    assert seen in str(broken.value.seen)


@pytest.mark.parametrize("plain", [False, True])
def test_all_is_well(odd: MakeScene, plain: bool) -> None:
    """The control: without a fault the same programs serve."""
    lab = odd()
    there = lab.nobody()
    pipe = lab.pipes.client("none", target=there) if plain else lab.pipes.server("none", backend=there)
    load = lab.tls.load(pipe, count=20, plain=plain)
    load.all_answer()
    assert load.closes() == 20


@pytest.mark.parametrize(
    ("fault", "plain", "seen"),
    [
        ("cuts", False, "without a close_notify"),
        ("resets", False, "reset"),
        ("resets", True, "reset"),
        ("stays", False, "nothing"),
        ("stays", True, "nothing"),
    ],
)
def test_improper_ends_are_found(odd: MakeScene, fault: str, plain: bool, seen: str) -> None:
    lab = odd()
    there = lab.nobody()
    pipe = lab.pipes.client(fault, target=there) if plain else lab.pipes.server(fault, backend=there)
    load = lab.tls.load(pipe, count=10, plain=plain)
    with pytest.raises(Broken) as broken:
        load.closes(within=0.5)
    assert seen in str(broken.value.seen)


def test_a_certificate_of_strangers_is_not_believed(odd: MakeScene) -> None:
    lab = odd()
    pipe = lab.pipes.server("none", backend=lab.nobody(), identity=lab.tls.zoo.stranger("server"))
    with pytest.raises(Broken) as broken:
        lab.tls.load(pipe, count=3)
    assert "certificate verify failed" in str(broken.value.seen)


def test_who_bears_silence_for_ever_is_found(odd: MakeScene) -> None:
    lab = odd()
    silent = lab.tls.stays_silent(lab.pipes.server("silent", backend=lab.nobody()), count=5)
    assert silent.count == 5
    with pytest.raises(Broken, match="keeps connections"):
        silent.all_end(within=0.3)


def test_who_ends_the_silent_too_soon_is_found(odd: MakeScene) -> None:
    lab = odd()
    silent = lab.tls.stays_silent(lab.pipes.server("hasty", backend=lab.nobody()), count=5)
    with pytest.raises(Broken, match="before the handshake's time was over"):
        silent.all_end(within=2, after=0.5)


@pytest.mark.slow
def test_a_stalled_bystander_is_measured(odd: MakeScene) -> None:
    lab = odd()
    load = lab.tls.load(lab.pipes.server("stalls", backend=lab.nobody()), count=4, within=10)
    assert load.drives(seconds=1.0, bystander_rate=20).bystander.p99 > 0.3
