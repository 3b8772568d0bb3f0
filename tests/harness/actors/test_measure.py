"""Every measurement catches the server it is for, and leaves the one alone that does all that is asked."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.actors import measure
from harness.actors.story import Broken, Story
from harness.lab.interface import LabError, NotMeasured, Usage
from harness.lab.local import processes
from harness.lab.node import proc
from harness.tester.scene import Scene
from tests.harness.tester.local_scene import MakeScene, local_scenes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs are measured through /proc here")


@pytest.fixture(scope="module")
def scenes() -> Iterator[MakeScene]:
    with local_scenes(
        Path(__file__).parent / "load_submission", {"server": ["python3", "echo.py"], "wrapped": ["./wrapped"]}
    ) as make:
        yield make


@pytest.fixture
def lab(scenes: MakeScene) -> Scene:
    return scenes()


# -- busy loops ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_server_that_waits_is_idle(lab: Scene) -> None:
    server = lab.serves("server")
    lab.clients.load(server, idle=50)
    lab.kernel.finds_idle(server, for_=0.3)
    assert "finds server idle" in lab.story.steps[-1].what


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "seen"), [("busy", "of a processor"), ("polling", "wake-ups a second")])
def test_a_busy_loop_is_found(lab: Scene, fault: str, seen: str) -> None:
    server = lab.serves("server", fault)
    with pytest.raises(Broken, match="busy while there is nothing to do") as broken:
        lab.kernel.finds_idle(server, for_=0.3)
    assert seen in str(broken.value.seen)


def test_a_dead_server_is_not_idle(lab: Scene) -> None:
    server = lab.serves("server")
    server.signal(9)
    server.exits(-9)
    with pytest.raises(Broken, match="it should have gone on"):
        lab.kernel.finds_idle(server, for_=0.05)
    with pytest.raises(Broken, match="it should have gone on"):
        lab.kernel.finds_one_thread(server)


# -- hidden threads --------------------------------------------------------------------------------------------------


def test_one_thread_is_one(lab: Scene) -> None:
    server = lab.serves("server")
    with lab.kernel.measures(every=0.02) as seen:
        lab.clients.load(server, idle=20)
    lab.kernel.finds_one_thread(server)
    seen.one_thread(server)
    assert (seen.processes, seen.threads) == (1, 1)


@pytest.mark.parametrize(("fault", "why"), [("threads", "has threads beside"), ("forks", "more than one process")])
def test_a_helper_is_found(lab: Scene, fault: str, why: str) -> None:
    server = lab.serves("server", fault)
    with lab.kernel.measures(every=0.02) as seen:
        lab.clients.load(server, idle=5)
        with pytest.raises(Broken, match=why):
            lab.kernel.finds_one_thread(server)
    with pytest.raises(Broken, match=why):
        seen.one_thread(server)


def used(threads: int, runtimes: Sequence[str], **more: Any) -> Usage:
    facts = {"processes": len(runtimes), "open_files": 5, "memory_bytes": 0, "cpu_seconds": 0.0, **more}
    return Usage(threads=threads, runtimes=runtimes, **facts)


def test_a_runtime_has_threads_of_its_own() -> None:
    assert measure.too_many_threads("server", used(9, ["go"])) is None
    assert measure.too_many_threads("server", used(200, ["go"])) is not None
    assert measure.too_many_threads("server", used(2, ["native"])) is not None
    assert measure.too_many_threads("server", used(2, ["shell", "python"])) is None  # a script that starts it
    assert measure.too_many_threads("server", used(2, ["python", "python"])) is not None


def test_go_is_known_by_its_linkers_note(tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.write_bytes(b"\x7fELF" + bytes(3992) + b"\x04\0\0\0\x53\0\0\0\x04\0\0\0Go\0\0")
    assert proc.what_is("server", str(program), 1) == "go"
    program.write_bytes(b"\x7fELF" + bytes(3992) + b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0")
    assert proc.what_is("server", str(program), 1) == "native"


def test_a_program_of_the_submission_is_not_what_it_is_called(tmp_path: Path) -> None:
    """A compiled one that is called java would be allowed 64 threads."""
    program = tmp_path / "java"
    program.write_bytes(b"\x7fELF")
    if os.getuid() == 0:
        os.chown(program, 4711, 4711)
    assert proc.what_is("java", str(program), program.stat().st_uid) == "native"
    assert proc.what_is("java", str(program), 815) == "java"  # somebody installed it


def test_what_is_executed_is_known() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as python:
        assert python.stdout is not None
        python.stdout.readline()  # before it the interpreter still opens the files of what it imports
        assert proc.runtimes([python.pid]) == ["python"]
        python.communicate()
    with subprocess.Popen(["sh", "-c", "read line"], stdin=subprocess.PIPE) as shell:
        assert proc.runtimes([shell.pid]) == ["shell"]
        shell.communicate()
    assert proc.runtimes([shell.pid]) == ["native"]  # ended: what allows the least


def test_a_program_that_sleeps_wakes_up_and_one_that_does_not_does_not() -> None:
    me = os.getpid()
    before = proc.wakeups([me])
    for _ in range(20):
        time.sleep(0.001)
    assert proc.wakeups([me]) - before >= 20
    assert (proc.queued([me]) or 0) >= 0
    assert proc.open_files([me]) == len(os.listdir("/proc/self/fd")) - 1


# -- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_bounded_buffers_stay_bounded(lab: Scene) -> None:
    server = lab.serves("server")
    with lab.kernel.measures(every=0.05) as seen:
        _, taken = lab.clients.misbehaving(server, receive_buffer=4096).never_reads(bytes(40_000_000), quiet=0.2)
    assert taken < 20_000_000
    seen.memory_stays_within(4_000_000, what="a client never reads")


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["unbounded", "leaks"])
def test_an_unbounded_buffer_is_found(lab: Scene, fault: str) -> None:
    server = lab.serves("server", fault)
    with lab.kernel.measures(every=0.05) as seen:
        peer, _ = lab.clients.misbehaving(server, receive_buffer=4096).never_reads(bytes(20_000_000), quiet=0.2)
        if fault == "leaks":  # it keeps what it has sent already
            peer.reads(2_000_000)
    limit = 4_000_000 if fault == "unbounded" else 500_000
    with pytest.raises(Broken, match="memory grows without bound") as broken:
        seen.memory_stays_within(limit, what="a client never reads")
    assert "MB a second" in str(broken.value.seen)
    assert seen.memory_slope > 0


def test_memory_per_client(lab: Scene) -> None:
    server = lab.serves("server")
    before = lab.kernel.usage()
    load = lab.clients.load(server, idle=400, bystanders=0)
    assert 0 < load.memory_per_client(before) < 20_000


def test_a_slope_is_a_slope() -> None:
    assert measure.slope([]) == measure.slope([(1, 5)]) == 0.0
    assert measure.slope([(0, 0), (1, 10), (2, 20), (3, 30)]) == pytest.approx(10)
    assert measure.slope([(7, 1), (7, 2)]) == 0.0


# -- descriptors -----------------------------------------------------------------------------------------------------


def test_descriptors_come_back_or_do_not(scenes: MakeScene) -> None:
    lab = scenes()
    server = lab.serves("server")
    before = lab.kernel.usage()
    lab.clients.load(server, idle=30, bystanders=0).closes()
    lab.kernel.finds_all_given_back(before)
    lab = scenes()
    server = lab.serves("server", "forgets")
    before = lab.kernel.usage()
    lab.clients.load(server, idle=30, bystanders=0).closes()
    with pytest.raises(Broken, match="open files are not given back"):
        lab.kernel.finds_all_given_back(before, within=0.2)
    server.signal(9)
    server.exits(-9)
    with pytest.raises(Broken, match="should have gone on"):
        lab.kernel.finds_all_given_back(before)


# -- where nothing is told -------------------------------------------------------------------------------------------


class Silent:
    """A node on a system that tells nothing."""

    def usage(self) -> Usage:
        raise NotMeasured("nothing is told here")


def test_where_nothing_is_told_nothing_is_judged() -> None:
    node: Any = Silent()
    server: Any = type("Server", (), {"name": "server"})
    story = Story(time.monotonic)
    kernel = measure.Kernel(node, story)
    kernel.finds_idle(server, for_=0.0, at_most=0.0)
    kernel.finds_one_thread(server)
    with kernel.measures(every=0.01) as seen:
        pass
    seen.memory_stays_within(0)
    seen.one_thread(server)
    assert [("nothing is told here" in step.what) for step in story.steps] == [True] * 3
    with pytest.raises(LabError):
        _ = seen.memory_growth


# -- macOS -----------------------------------------------------------------------------------------------------------


def test_what_is_told_elsewhere_is_told_here_too() -> None:
    """The way of macOS, where only psutil is asked, beside that of Linux."""
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as python:
        assert python.stdout is not None
        python.stdout.readline()  # before it the interpreter still opens the files of what it imports
        found = [psutil.Process(python.pid)]
        there, here = processes._elsewhere(found), processes._linux(found)
        python.communicate()
    assert (there["open_files"], there["runtimes"]) == (here["open_files"], here["runtimes"])
    assert 0 < here["memory_bytes"] <= there["memory_bytes"]


def test_an_executable_is_known_by_its_name_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = "/opt/homebrew/Cellar/python@3.12/Python.app/Contents/MacOS"
    exes = iter([f"{folder}/Python", "/bin/zsh", "/work/echo", ""])
    monkeypatch.setattr(psutil.Process, "exe", lambda _: next(exes))
    named = processes._elsewhere([psutil.Process() for _ in range(4)])["runtimes"]
    assert named == ["python", "shell", "native", "native"]


def test_who_may_not_be_looked_at_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil.Process, "as_dict", lambda _, names: dict.fromkeys(names))
    with pytest.raises(NotMeasured, match=f"process {os.getpid()}"):
        processes._facts_of([psutil.Process()], ["num_fds"])
