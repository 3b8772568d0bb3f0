"""Each part of ours is killed and stopped while a class is graded: nobody loses a point, whichever it is.

| part | Docker lab | local lab |
|---|---|---|
| router, warden, nursery, agent, mount helper | `test_a_part_of_a_star` | none there |
| tester | `test_a_part_of_a_star` | `test_a_local_tester` |
| captures (tcpdump) | `test_a_part_of_a_star`, `test_captures_that_end_early` | none there |
| relay (a thread of the tester) | `test_a_relay` | `test_a_relay` |
| reference peer of the transport | `test_a_reference_peer` | `test_a_reference_peer` |
| process that looks through the sources | test_faults_machine.py | test_faults_machine.py |

A moment is a check: the signal comes as soon as the grader hears that it has begun. test_faults.py does the same at
random moments.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psutil
import pytest
from faulty import DUE, TESTS, graded, local_testers, make_course, nobody_lost

import docker
from grader.bench import local
from grader.bench.docker import DockerBench, DockerPlace
from grader.bench.local import Bench, LocalBench, LocalPlace, Place, closing
from grader.campaign.campaign import JobEvent
from grader.course import Course, this_course
from grader.job import run as job
from harness.lab.docker import owner
from tests.grading import ROOT, grade

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root sees the parts of a star"),
]
KILL, STOP, TERM = signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return make_course(tmp_path_factory.mktemp("course"))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "MARGIN", -1.5)  # a part that stands still is noticed after 6 s
    monkeypatch.setattr(local, "GRACE", 0.3)


def in_node(name: str) -> list[psutil.Process]:
    """The first process of a node of our stars, and its descendants."""
    engine = docker.from_env()
    rows = engine.api.containers(filters={"label": f"socketlab.owner={owner.this_owner().identity}"})
    found = []
    for row in rows:
        if row["Names"][0].rpartition("-")[2].rstrip("0123456789") == name:
            with contextlib.suppress(docker.errors.APIError, psutil.Error):
                first = psutil.Process(engine.api.inspect_container(row["Id"])["State"]["Pid"])
                found += [first, *first.children(recursive=True)]
    engine.close()
    return found


def captures() -> list[psutil.Process]:
    return [each for each in in_node("warden") if each.name() == "tcpdump"]


#: Part -> its processes.
PARTS: dict[str, Callable[[], list[psutil.Process]]] = {
    "router": lambda: in_node("link")[:1],
    "warden": lambda: in_node("warden")[:1],
    "mounts": lambda: [each for each in in_node("warden")[1:] if each.name() != "tcpdump"],
    "nursery": lambda: in_node("tester")[:1],
    "tester": lambda: in_node("tester")[1:2],
    "agent": lambda: in_node("student")[:1],
    "captures": captures,
    "one capture": lambda: captures()[1:2],
}


class Trouble:
    """A signal for a part, once, as soon as a check has begun. `when`: its number."""

    def __init__(self, victims: Callable[[], list[psutil.Process]], signum: signal.Signals, when: int) -> None:
        self._victims, self._signum, self._phase = victims, signum, f"check {when} of {len(TESTS)}"
        self.done: list[str] = []

    def __call__(self, event: JobEvent) -> None:
        if not self.done and event.progress and event.progress.phase == self._phase:
            for victim in self._victims():
                with contextlib.suppress(psutil.Error):
                    self.done.append(f"{self._signum.name} to {' '.join(victim.cmdline()[:4])}")
                    victim.send_signal(self._signum)


def nobody_loses(course: Course, out: Path, place: Place, trouble: Trouble) -> dict[str, Any]:
    """Grade ann, then the whole class without trouble and with time."""
    results = graded(course, out, place, see=trouble)
    assert trouble.done, "no process of that part was there"
    nobody_lost(results, trouble.done)
    job.MARGIN = 30.0  # the fixture puts it back
    again = graded(course, out, place, students=tuple(DUE))
    assert {name: result["points"] for name, result in again.items()} == DUE, trouble.done
    return results["ann"]


def cases(in_test: set[tuple[str, signal.Signals]], parts: list[str]) -> list[Any]:
    """Each part, signal and check; in `make test` some, at the fourth check."""
    found = []
    for part in parts:
        for signum in (KILL, STOP, TERM):
            for when in (1, 4, len(TESTS)):
                audit = (part, signum) not in in_test or when != 4
                marks = [pytest.mark.audit] if audit else []
                found.append(pytest.param(part, signum, when, marks=marks, id=f"{part}-{signum.name}-{when}"))
    return found


IN_TEST = {("agent", STOP), ("captures", KILL)}


@pytest.mark.docker
@pytest.mark.parametrize(("part", "signum", "when"), cases(IN_TEST, [*PARTS]))
def test_a_part_of_a_star(course: Course, tmp_path: Path, part: str, signum: signal.Signals, when: int) -> None:
    place = DockerPlace(course, ["small"], engine="router", say=lambda _: None)
    with closing(place):
        nobody_loses(course, tmp_path / "run", place, Trouble(PARTS[part], signum, when))


class Pause(Trouble):
    """The part stands still for 3.5 s."""

    def __call__(self, event: JobEvent) -> None:
        if not self.done:
            super().__call__(event)
            if self.done:
                threading.Timer(3.5, self._go_on, [self._victims()]).start()

    def _go_on(self, victims: list[psutil.Process]) -> None:
        for victim in victims:
            with contextlib.suppress(psutil.Error):
                victim.resume()


@pytest.mark.docker
@pytest.mark.audit
@pytest.mark.parametrize("when", [1, 3, 4, 6])
@pytest.mark.parametrize("part", [*PARTS])
def test_a_part_that_pauses(
    course: Course, tmp_path: Path, part: str, when: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "MARGIN", 20.0)
    place = DockerPlace(course, ["small"], engine="router", say=lambda _: None)
    with closing(place):
        nobody_loses(course, tmp_path / "run", place, Pause(PARTS[part], STOP, when))


@pytest.mark.parametrize(("part", "signum", "when"), cases({("tester", KILL)}, ["tester"]))
def test_a_local_tester(course: Course, tmp_path: Path, part: str, signum: signal.Signals, when: int) -> None:  # noqa: ARG001
    nobody_loses(course, tmp_path / "run", LocalPlace(ROOT), Trouble(local_testers, signum, when))


# -- what only the transport has --

SOCKETS = "test_8_real_sockets.py::test_"
#: Checks whose verdict needs a peer of ours, and those whose verdict needs what the captures hold.
WITH_A_PEER = [
    "to_the_reference",
    "from_the_reference",
    "two_megabytes_to_the_reference",
    "both_ways_with_the_reference",
]
ON_CAPTURES = ["from_the_reference", "two_megabytes_to_the_reference", "against_itself"]


def peers() -> list[psutil.Process]:
    """The reference's programs that have a socket; a submission's belong to another user."""
    found = []
    for each in (*psutil.Process().children(recursive=True), *in_node("tester")):
        with contextlib.suppress(psutil.Error, OSError):
            if each.uids().real == 0 and any("rdt_" in word for word in each.cmdline()[:4]):
                files = Path(f"/proc/{each.pid}/fd").iterdir()
                found += [each] if any(os.readlink(file).startswith("socket:") for file in files) else []
    return found


@contextlib.contextmanager
def hunted(victims: Callable[[], list[psutil.Process]], signum: signal.Signals) -> Iterator[list[str]]:
    """The first of these that are there get a signal."""
    done: list[str] = []
    over = threading.Event()

    def hunt() -> None:
        while not done and not over.wait(0.005):
            for victim in victims():
                with contextlib.suppress(psutil.Error):
                    done.append(" ".join(victim.cmdline()[:4]))
                    victim.send_signal(signum)

    thread = threading.Thread(target=hunt)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join()


def decided(bench: Bench, check: str) -> str:
    """What comes of one check of the reference as a submission."""
    found = grade(bench, this_course().reference("transport"), "transport", only=[f"{SOCKETS}{check}"])
    (report,) = found.reports.values()
    return f"{report['outcome']}: {report.get('message', '')}"


def rows(checks: list[str], *in_test: tuple[str, signal.Signals]) -> list[Any]:
    return [
        pytest.param(
            check, signum, marks=[] if (check, signum) in in_test else [pytest.mark.audit], id=f"{check}-{signum.name}"
        )
        for check in checks
        for signum in (KILL, STOP, TERM)
    ]


@pytest.mark.parametrize(("check", "signum"), rows(WITH_A_PEER, ("to_the_reference", KILL)))
def test_a_reference_peer(check: str, signum: signal.Signals) -> None:
    bench = LocalBench(ROOT)
    with hunted(peers, signum) as done:
        said = decided(bench, check)
    assert done
    assert said.startswith("inconclusive"), said
    assert "which no peer of it can do" in said


@pytest.fixture(scope="module")
def star() -> Iterator[DockerBench]:
    place = DockerPlace(this_course(), ["transport"], engine="router", say=lambda _: None)
    with closing(place):
        bench = place.bench()
        yield cast("DockerBench", bench)
        bench.close()


@pytest.mark.docker
@pytest.mark.parametrize(("check", "signum"), rows(WITH_A_PEER))
def test_a_reference_peer_in_docker(star: DockerBench, check: str, signum: signal.Signals) -> None:
    with hunted(peers, signum) as done:
        said = decided(star, check)
    assert done
    assert said.startswith("inconclusive"), said


@pytest.mark.docker
@pytest.mark.parametrize(("check", "signum"), rows(ON_CAPTURES, ("from_the_reference", KILL)))
def test_captures_that_end_early(star: DockerBench, check: str, signum: signal.Signals) -> None:
    with hunted(captures, signum) as done:
        said = decided(star, check)
    assert done
    assert said.startswith(("inconclusive", "pass")), said


#: A tester whose relay breaks after some turns of its loop.
RELAY = """
import runpy, sys
from harness.lab.relay.core import Core
do, left = Core._do_due, [{0}]
def breaks(self):
    left[0] -= 1
    if left[0] < 0:
        raise OSError(12, "Cannot allocate memory")
    do(self)
Core._do_due = breaks
sys.argv[:] = sys.argv[3:]
runpy.run_module("harness.tester.run", run_name="__main__")
"""


@pytest.mark.parametrize("turns", [40, *(pytest.param(turns, marks=pytest.mark.audit) for turns in range(5, 100, 10))])
def test_a_relay(course: Course, tmp_path: Path, turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "MARGIN", 30.0)  # a call that the relay does not answer takes 10 s
    script, python = tmp_path / "relay.py", tmp_path / "python"
    script.write_text(RELAY.format(turns))
    python.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, str(script)])} "$@"\n')
    python.chmod(0o755)
    with monkeypatch.context() as broken:
        broken.setattr(local, "sys", SimpleNamespace(executable=str(python)))
        nobody_lost(graded(course, tmp_path / "run", LocalPlace(ROOT)), turns)
    assert graded(course, tmp_path / "run", LocalPlace(ROOT))["ann"]["points"] == DUE["ann"]
