"""Clumsy clients at a server that bears them, and at servers that do not."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.actors.story import Broken
from harness.tester.scene import Scene
from tests.harness.tester.local_scene import MakeScene, local_scenes


@pytest.fixture(scope="module")
def scenes() -> Iterator[MakeScene]:
    programs = {
        "server": ["python3", "echo.py"],
        "lines": ["python3", "lines.py"],
        "crashing": ["python3", "crashing.py"],
    }
    with local_scenes(Path(__file__).parent / "load_submission", programs) as make:
        yield make


@pytest.fixture
def lab(scenes: MakeScene) -> Scene:
    return scenes()


def test_one_byte_at_a_time(lab: Scene) -> None:
    peer = lab.clients.misbehaving(lab.serves("server")).drips(b"hello", apart=0.002)
    peer.reads_exactly(b"hello")
    assert any("5 writes" in step.what for step in lab.story.steps)


@pytest.mark.slow
def test_who_never_reads_is_not_read(lab: Scene) -> None:
    server = lab.serves("server")
    peer, taken = lab.clients.misbehaving(server, receive_buffer=4096).never_reads(bytes(30_000_000), quiet=0.2)
    assert 65_536 <= taken < 20_000_000
    lab.connects(server).sends(b"others are served")
    assert peer.reads(taken) == bytes(taken)


@pytest.mark.slow
def test_sips(lab: Scene) -> None:
    data = bytes(range(256))
    sipper = lab.clients.misbehaving(lab.serves("server")).sips(data, every=0.01, count=3)
    assert lab.waits_until(lambda: len(sipper.read) >= 12)
    had = sipper.stops()
    assert had == data[: len(had)]
    assert len(had) % 3 == 0 and not sipper.ended
    assert sipper.peer.reads(256 - len(had)) == data[len(had) :]


def test_a_sipper_sees_the_end(lab: Scene) -> None:
    sipper = lab.clients.misbehaving(lab.serves("lines")).sips(b"\xff\n", every=0.01)
    assert lab.waits_until(lambda: sipper.ended)
    assert sipper.stops() == b"error\n"


@pytest.mark.slow
def test_a_half_close_with_output_pending(scenes: MakeScene) -> None:
    lab = scenes()
    data = lab.random_bytes(3_000_000)
    lab.clients.misbehaving(lab.serves("server", "small"), receive_buffer=4096).half_closes_and_is_echoed(data)
    lab = scenes()
    with pytest.raises(Broken, match="lost after a half-close"):
        lab.clients.misbehaving(lab.serves("server", "cuts"), receive_buffer=4096).half_closes_and_is_echoed(data)


def test_a_storm_of_resets(lab: Scene) -> None:
    server = lab.serves("server")
    before = lab.kernel.usage()
    lab.clients.misbehaving(server).storms(60, data=b"hello")
    lab.kernel.finds_all_given_back(before)
    peer = lab.connects(server)
    peer.sends(b"still there")
    peer.reads_exactly(b"still there")


@pytest.mark.slow
def test_an_endless_line(lab: Scene) -> None:
    peer, taken = lab.clients.misbehaving(lab.serves("lines")).endless_line(20_000_000)
    assert taken < 10_000_000
    peer.sees_reset_or_end()
    _, all_of_it = lab.clients.misbehaving(lab.serves("lines", "patient")).endless_line(3_000_000)
    assert all_of_it == 3_000_000


def test_silence(lab: Scene) -> None:
    server = lab.serves("server")
    files = lab.kernel.usage().open_files
    silent = lab.clients.misbehaving(server).stay_silent(12)
    assert len(silent) == 12
    assert lab.waits_until(lambda: lab.kernel.usage().open_files == files + 12)


@pytest.mark.skipif(sys.platform != "linux", reason="how full a queue may be is Linux's")
def test_who_waits_in_the_queue_of_a_server_that_stands_still(scenes: MakeScene) -> None:
    lab = scenes()
    server = lab.serves("server")  # listen(128)
    for peer in lab.clients.queue_up(server, 120):
        peer.sends(b"here")
        peer.reads_exactly(b"here")
    with pytest.raises(Broken, match="140 clients cannot wait for server") as caught:
        lab.clients.queue_up(server, 140)
    assert caught.value.seen == "room for 129; the next one has to try again"
    peer = lab.connects(server)
    peer.sends(b"it goes on")
    peer.reads_exactly(b"it goes on")


@pytest.mark.slow
def test_floods_end_when_the_program_ends_them(lab: Scene) -> None:
    lab.clients.misbehaving(lab.serves("lines")).floods(3, b"\xff\n").are_ended(within=2)
    floods = lab.clients.misbehaving(lab.serves("server")).floods(3)
    with pytest.raises(Broken, match="3 of 3 clients that go on sending are still connected"):
        floods.are_ended(within=0.3)


def test_a_crash_is_told_with_the_last_line_of_its_traceback(lab: Scene) -> None:
    server = lab.serves("server", "no such fault")
    with server.stands_still():
        pass
    assert not server.crashed()  # nor told to end: a crash after it would be one
    crashing = lab.serves("crashing")
    lab.connects(crashing).sees_reset_or_end()
    (said,) = lab.crashes()
    assert said == "crashing ended by itself (exit status 1: RuntimeError: no luck)"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no such signal here")
def test_a_crash_at_a_signal_to_go_on_is_one_and_an_end_that_was_expected_is_not(lab: Scene) -> None:
    server = lab.serves("server", "no such fault")
    server.signal(signal.SIGHUP)
    lab.waits_until(lambda: not server.runs())
    assert lab.crashes() == ["server ended by itself (ended by SIGHUP)"]
    crashing = lab.serves("crashing")
    lab.connects(crashing).sees_reset_or_end()
    crashing.exits(1)
    assert len(lab.crashes()) == 1
