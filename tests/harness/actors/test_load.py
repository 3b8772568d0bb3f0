"""The load generator against servers that serve everybody and servers that do not."""

from __future__ import annotations

import resource
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.actors.load.generator import Schedule
from harness.actors.load.load import allow_files, echo_exchange
from harness.actors.load.machine import Clocks, Machine, machine
from harness.actors.load.traffic import Traffic, Waiting
from harness.actors.story import Broken
from harness.lab.interface import LabError
from harness.tester.scene import Scene
from tests.harness.tester.local_scene import MakeScene, local_scenes


@pytest.fixture(scope="module")
def scenes() -> Iterator[MakeScene]:
    with local_scenes(Path(__file__).parent / "load_submission", {"server": ["python3", "echo.py"]}) as make:
        yield make


@pytest.fixture
def lab(scenes: MakeScene) -> Scene:
    return scenes()


def story(lab: Scene) -> str:
    return "\n".join(step.what for step in lab.story.steps)


# -- a server that does all that is asked ----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("at", ["0.0.0.0:0", "[::]:0", "unix:echo.sock"])
def test_everybody_is_served(lab: Scene, at: str) -> None:
    server = lab.serves("server", at=at)
    load = lab.clients.load(server, idle=60, active=20)
    assert load.count == 84
    traffic = load.drives(seconds=0.4, rate=5.0)
    assert 30 <= traffic.messages <= 45
    assert traffic.bystander.count >= 30
    assert 0 < traffic.bystander.p50 <= traffic.bystander.p99 <= traffic.bystander.worst
    traffic.stays_fair(at_most=1.0)
    assert traffic.own_cpu > 0 and traffic.own_lateness >= 0
    load.all_answer()
    assert "another answer on each of 84 connections" in story(lab)
    before = lab.kernel.usage().open_files
    load.closes()
    assert load.count == 0
    assert lab.waits_until(lambda: lab.kernel.usage().open_files == before - 84)


@pytest.mark.slow
def test_a_fair_server_stays_fair_beside_greedy_clients(lab: Scene) -> None:
    load = lab.clients.load(lab.serves("server"), idle=0, active=5)
    traffic = load.drives(seconds=0.6, greedy=4)
    assert traffic.greedy_bytes > 1_000_000
    traffic.stays_fair(at_most=0.25)
    assert load.count == 9  # the greedy ones have left


def test_a_storm_of_resets_is_survived(lab: Scene) -> None:
    server = lab.serves("server")
    before = lab.kernel.usage()
    load = lab.clients.load(server, idle=200, bystanders=0)
    load.resets()
    lab.kernel.finds_all_given_back(before)
    server.keeps_running()


def test_another_protocol(lab: Scene) -> None:
    load = lab.clients.load(
        lab.serves("server"), idle=3, bystanders=0, exchange=lambda n, turn: (b"%d:%d" % (n, turn),) * 2
    )
    load.all_answer()
    assert load.count == 3


# -- servers that do not ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "seen"),
    [("swaps", "other bytes came"), ("closes", "the program ended the connection"), ("silent", "were answered")],
)
def test_who_is_not_served_is_found(lab: Scene, fault: str, seen: str) -> None:
    server = lab.serves("server", fault)
    with pytest.raises(Broken) as broken:
        lab.clients.load(server, idle=50, within=1.0)
    assert seen in str(broken.value.seen)


def test_an_accept_queue_is_no_server(lab: Scene) -> None:
    """The kernel accepts for a program that never will: only an answer counts."""
    server = lab.serves("server")
    server.signal(19)  # SIGSTOP
    with pytest.raises(Broken) as broken:
        lab.clients.load(server, idle=10, within=0.5)
    assert broken.value.verdict == "timeout"
    assert broken.value.seen == "0 were answered"


def test_a_server_that_ends_is_named(lab: Scene) -> None:
    server = lab.serves("server")
    load = lab.clients.load(server, idle=10)
    server.signal(9)
    server.exits(-9)
    with pytest.raises(Broken, match="ended, but it should have gone on"):
        load.all_answer(within=2.0)


@pytest.mark.slow
def test_a_stalled_server_is_unfair(lab: Scene) -> None:
    load = lab.clients.load(lab.serves("server", "stalls"), idle=0, active=2)
    traffic = load.drives(seconds=1.0, greedy=1)
    assert traffic.bystander.p99 > 0.4
    with pytest.raises(Broken) as broken:
        traffic.stays_fair(at_most=0.25)
    assert "250 ms" in str(broken.value.expected)


@pytest.mark.slow
def test_a_server_that_drains_one_client_first_is_unfair(scenes: MakeScene) -> None:
    """The same work for the same greedy clients, in turns and until nothing more comes from one of them."""
    for fault in ("works", "drains"):
        lab = scenes()
        load = lab.clients.load(lab.serves("server", fault), idle=0, active=0)
        traffic = load.drives(seconds=1.0, greedy=2)
        if fault == "works":
            traffic.stays_fair(at_most=0.25)
    with pytest.raises(Broken):
        traffic.stays_fair(at_most=0.25)


# -- whose fault it is -----------------------------------------------------------------------------------------------


def traffic(p99: float, **what: Any) -> Traffic:
    waiting = Waiting(count=100, p50=p99 / 2, p99=p99, worst=p99)
    return Traffic(
        seconds=1.0,
        messages=1,
        skipped=0,
        clients=waiting,
        bystander=waiting,
        greedy_bytes=0,
        own_cpu=0.0,
        own_lateness=0.0,
        machine=Machine(**what),
    )


def test_a_machine_without_time_makes_it_inconclusive() -> None:
    traffic(0.2).stays_fair(at_most=0.25)
    with pytest.raises(Broken):
        traffic(0.3).stays_fair(at_most=0.25)
    with pytest.raises(LabError, match="no CPU to give"):
        traffic(0.3, factor=1.5, queued=0.4).stays_fair(at_most=0.25)
    with pytest.raises(LabError, match="timers were up to 100 ms late"):
        traffic(0.3, late=0.1).stays_fair(at_most=0.25)
    with pytest.raises(Broken):
        traffic(2.0, factor=1.5, queued=0.4, late=0.1).stays_fair(at_most=0.25)
    with pytest.raises(Broken):  # it waited, but for moments only, and slept all the rest
        traffic(0.5, factor=3.0, queued=0.01).stays_fair(at_most=0.25)


def clocks(wall: float, cpu: float = 0.0, queued: float = 0.0, stolen: float = 0.0) -> Clocks:
    return Clocks(wall, cpu, queued, stolen, 2 * wall)


def test_what_a_machine_did() -> None:
    def did(after: Clocks, **what: Any) -> Machine:
        facts = {"late": 0.0, "stamped": True, "queued": 0.0, "used": 1.0, "threads": 1, **what}
        return machine(clocks(0.0), after, **facts)

    assert did(clocks(4.0, cpu=3.0)) == Machine()
    assert did(clocks(4.0), queued=1.0, used=2.0) == Machine(factor=1.5, queued=1.0)
    # Threads that wait for each other are the submission's own doing, unless it hardly runs.
    assert did(clocks(4.0), queued=9.0, used=4.0, threads=9) == Machine()
    assert did(clocks(4.0), queued=9.0, used=1.0, threads=9).factor == 10.0
    assert did(clocks(4.0, stolen=4.0)).factor == 2.0
    # Where the kernel does not time the answers, the generator's own waits are in them.
    assert did(clocks(4.0, cpu=1.0, queued=1.0)) == Machine()
    assert did(clocks(4.0, cpu=1.0, queued=1.0), stamped=False) == Machine(factor=2.0, queued=1.0)
    assert did(clocks(4.0), queued=None) == Machine()
    assert Machine(factor=3.0, queued=4.0).was_too_slow(5.0)
    assert not Machine(factor=3.0, queued=0.4).was_too_slow(5.0)


def test_too_few_descriptors_are_ours() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allow_files(100)
    if hard != resource.RLIM_INFINITY:
        with pytest.raises(LabError, match="ulimit"):
            allow_files(hard + 1)


def test_turns_are_spread_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 10.0)
    clients: Any = ["a", "b", "c", "d"]
    turns = Schedule(clients, rate=4.0)
    assert list(turns.due(10.0)) == ["b"]
    assert list(turns.due(10.125)) == ["c", "d"]
    assert list(turns.due(10.25)) == ["a", "b"]
    assert len(list(turns.due(99.0))) == 1  # far behind: begun anew, no burst


def test_every_client_and_turn_says_something_else() -> None:
    exchange = echo_exchange(16, 7)
    words = {exchange(number, turn)[0] for number in range(300) for turn in range(10)}
    assert len(words) == 3000
    assert exchange(3, 4) == exchange(3, 4)


def test_waits_while_an_answer_is_missing_are_counted(lab: Scene) -> None:
    """A client that is kept waiting for a second missed its turns: each of them waited as well."""
    listener = socket.create_server(("127.0.0.1", 0))
    server: Any = lab.serves("server")
    load = lab.clients.load(server, idle=0, bystanders=1)
    timer = threading.Timer(0.5, server.signal, (18,))  # SIGCONT
    server.signal(19)
    timer.start()
    traffic = load.drives(seconds=0.6, bystander_rate=50.0)
    timer.join()
    listener.close()
    assert traffic.bystander.count >= 25
    assert traffic.bystander.worst > 0.4
    assert traffic.bystander.p50 > 0.1
