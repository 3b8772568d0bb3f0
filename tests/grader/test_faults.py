"""A machine that breaks at any moment takes no points from anybody: real testers, ended and stopped at random.

| faults | where |
|---|---|
| any part of ours is ended or stopped, at a random moment | here |
| each part by name, at three moments; captures, relay, reference peer | test_faults_parts.py |
| too few descriptors, processes, ports, too little memory and disk; a clock that steps | test_faults_machine.py |
| an engine that is wrong, gone, started again, stopped, full | test_faults_engine.py |
| what whoever starts the grader leaves to it; two runs at once; a hang-up | test_faults_surroundings.py |
"""

from __future__ import annotations

import contextlib
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from faulty import local_testers

import docker
from grader.bench import local
from grader.bench.docker import DockerPlace
from grader.bench.local import LocalPlace, Place, closing
from grader.campaign.campaign import Campaign
from grader.campaign.plan import make_plan
from grader.course import Course
from grader.job import run as job
from grader.record.run_folder import RunFolder
from harness.lab.docker import owner
from tests.grading import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")]
CHECKS = 6
TOML = """[assignment]
schema = 1
name = "small"
title = "Small"
handout = "handout.md"
[programs]
client = ["python3", "client.py"]
[limits]
seconds = 6
[[stages]]
number = 1
title = "One"
points = 6
section = "1"
programs = ["client"]
"""
CHECK = """[[checks]]
id = "test_1.py::test_{0}"
suite = "public"
stage = 1
points = 1
section = "1"
rule = "It prints {0}."
timeout = 3
"""
TEST = """
def test_{0}(lab):
    program = lab.runs("client", "{0}")
    program.prints(b"{0}")
    lab.pauses(0.05)
"""
#: What each submission is due.
DUE = {"ann": 6.0, "bob": 3.0}
SOURCES = {
    "ann": "import sys\nprint(sys.argv[1], end='')\n",
    "bob": "import sys\nprint(int(sys.argv[1]) % 3, end='')\n",
}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGSTOP)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    root = tmp_path_factory.mktemp("course")
    (root / "reference/small").mkdir(parents=True)
    numbers = range(CHECKS)
    (root / "reference/small/assignment.toml").write_text(TOML + "".join(CHECK.format(n) for n in numbers))
    for suite in ("public", "hidden"):
        (root / "grader/suites/small" / suite).mkdir(parents=True)
    (root / "grader/suites/small/public/test_1.py").write_text("".join(TEST.format(n) for n in numbers))
    for student, source in SOURCES.items():
        (root / "in" / student / "small").mkdir(parents=True)
        (root / "in" / student / "small/client.py").write_text(source)
    return Course(root)


def graded(course: Course, out: Path, place: Place, *, again: bool = False) -> dict[str, dict[str, Any]]:
    """Run the class; what came of each submission in this call."""
    found = {}
    with RunFolder(out) as folder:
        campaign = Campaign(course, folder, place, folder.secret("secret"), again=again)
        for event in campaign.events(make_plan(course, course.root / "in").jobs):
            if event.kind == "ends" and event.result is not None:
                found[event.job.student] = event.result
    return found


def parts_of_stars() -> list[psutil.Process]:
    """Everything of ours in the nodes of our stars: router, warden, nursery and tester, agents, captures."""
    label = f"socketlab.owner={owner.this_owner().identity}"
    engine = docker.from_env()
    found = []
    for container in engine.containers.list(filters={"label": label}):
        with contextlib.suppress(docker.errors.APIError, psutil.Error):
            first = psutil.Process(engine.api.inspect_container(container.id)["State"]["Pid"])
            found += [first, *(each for each in first.children() if each.uids().real == 0)]
    return found


@contextmanager
def trouble(dice: random.Random, victims: Callable[[], list[psutil.Process]], most: int) -> Iterator[list[str]]:
    """Some of the victims get a signal at random moments; what was done."""
    done: list[str] = []
    over = threading.Event()

    def makes() -> None:
        while not over.wait(dice.uniform(0.05, 0.9)) and len(done) < most:
            with contextlib.suppress(psutil.Error, IndexError):
                found = victims()
                victim, signum = dice.choice(found), dice.choice(SIGNALS)
                name = " ".join(victim.cmdline()[:6])
                victim.send_signal(signum)
                done.append(f"{signum.name} to {name}")

    thread = threading.Thread(target=makes)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join()


def nobody_loses(course: Course, out: Path, place: Place, disturbed: Any) -> None:
    """Grade the class while it is disturbed: what is decided is right, and a second call decides the rest."""
    with disturbed as done:
        results = graded(course, out, place)
    assert set(results) == set(DUE)
    for student, result in results.items():
        told = f"{student} after {done}: {result['state']}, {result['points']}, {result['notes']}"
        assert result["points"] <= DUE[student] <= result["points"] + result["undecided"], told
        assert result["state"] != "graded" or result["points"] == DUE[student], told
    job.MARGIN = 30.0  # the fixture puts it back
    again = graded(course, out, place, again=True)
    assert {student: (result["state"], result["points"]) for student, result in again.items()} == {
        student: ("graded", points) for student, points in DUE.items()
    }


def seeds(in_test: int, in_audit: int) -> list[Any]:
    return [*range(in_test), *(pytest.param(seed, marks=pytest.mark.audit) for seed in range(in_test, in_audit))]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "MARGIN", -1.5)  # a tester that stands still is noticed after 6 s
    monkeypatch.setattr(local, "GRACE", 0.3)


@pytest.mark.parametrize("seed", seeds(4, 60))
def test_nobody_loses_a_point(course: Course, tmp_path: Path, seed: int) -> None:
    disturbed = trouble(random.Random(seed), local_testers, 3)
    nobody_loses(course, tmp_path / "run", LocalPlace(ROOT), disturbed)


@pytest.mark.docker
@pytest.mark.parametrize("seed", seeds(2, 40))
def test_nobody_loses_a_point_in_docker(course: Course, tmp_path: Path, seed: int) -> None:
    place = DockerPlace(course, ["small"], engine="router", say=lambda _: None)
    with closing(place):
        nobody_loses(course, tmp_path / "run", place, trouble(random.Random(seed), parts_of_stars, 2))
