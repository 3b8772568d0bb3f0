"""kill -9 at random moments, in the Docker lab, with submissions that are built and run: the grader, and containers.

Nothing is lost, doubled, wrong or left behind. Signals to single processes are in test_faults.py and
test_faults_parts.py, the engine in test_faults_engine.py, workers of a farm in farm/.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import TimeoutExpired

import pytest
from faulty import DUE, Class, graded, make_course, nobody_lost

import docker
from grader.bench.docker import DockerPlace
from grader.bench.local import closing
from grader.course import Course
from harness.lab.docker import owner

pytestmark = [
    pytest.mark.slow,
    pytest.mark.docker,
    pytest.mark.audit,
    pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root kills whatever it wants"),
]

KINDS = ("link", "tester", "warden", "student")
EVERYBODY = tuple(DUE)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return make_course(tmp_path_factory.mktemp("course"))


@pytest.fixture
def klass(course: Course, tmp_path: Path) -> Iterator[Class]:
    (tmp_path / "out").mkdir()
    with tempfile.TemporaryDirectory() as tmp:
        yield Class(course, tmp_path / "out", Path(tmp), lab="docker", margin=30.0)


def of_process(pid: int) -> list[str]:
    """Containers and volumes that a grader of ours has on the engine."""
    label = {"label": f"socketlab.pid={pid}"}
    with contextlib.closing(docker.from_env()) as engine:
        containers = engine.api.containers(all=True, filters=label)
        volumes = engine.api.volumes(filters=label)["Volumes"] or []
        return [row["Names"][0] for row in containers] + [row["Name"] for row in volumes]


@pytest.fixture(scope="module")
def takes(course: Course, tmp_path_factory: pytest.TempPathFactory) -> float:
    """Seconds of the class, undisturbed."""
    begun, out = time.monotonic(), tmp_path_factory.mktemp("whole")
    with tempfile.TemporaryDirectory() as tmp:
        Class(course, out, Path(tmp), lab="docker", margin=30.0).all_decided(EVERYBODY)
    return time.monotonic() - begun


@pytest.mark.parametrize("seed", range(10))
def test_a_grader_that_is_killed(klass: Class, takes: float, seed: int) -> None:
    first = klass.start(students=EVERYBODY)
    with contextlib.suppress(TimeoutExpired):
        first.wait(random.Random(seed).uniform(0.15, 1.0) * takes)
    first.kill()
    first.communicate()
    before = klass.results()
    nobody_lost(before)
    klass.all_decided(EVERYBODY)  # each is graded once, over both runs
    for student, result in before.items():
        if result["state"] == "graded":
            assert klass.results()[student] == result
    assert of_process(first.pid) == []  # the second run has swept up
    klass.nothing_left()


class Kill(threading.Thread):
    """One container of a kind is killed when it has been there for a moment, chosen beforehand."""

    def __init__(self, kind: str, dice: random.Random) -> None:
        super().__init__()
        self._kind, self._after = kind, dice.uniform(0.0, 8.0)
        self.over = threading.Event()
        self.done = ""

    def run(self) -> None:
        label = f"socketlab.owner={owner.this_owner().identity}"
        with contextlib.closing(docker.from_env()) as engine:
            wait = self._after
            while not self.done and not self.over.wait(wait):
                wait = 0.01
                for row in engine.api.containers(filters={"label": label}):
                    name = row["Names"][0].rpartition("-")[2]
                    if not self.done and name.rstrip("0123456789") == self._kind:
                        with contextlib.suppress(docker.errors.APIError):  # it has ended just now
                            engine.api.kill(row["Id"])
                            self.done = name


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_a_container_that_is_killed(course: Course, tmp_path: Path, kind: str, seed: int) -> None:
    place = DockerPlace(course, ["small"], engine="router", say=lambda _: None)
    kill = Kill(kind, random.Random(f"{kind} {seed}"))
    with closing(place):
        kill.start()
        try:
            results = graded(course, tmp_path / "run", place, students=EVERYBODY)
        finally:
            kill.over.set()
            kill.join()
        assert kill.done, "the class was over before: let it be killed earlier"
        nobody_lost(results, kill.done)
        if told := [note for result in results.values() for note in result["notes"]]:
            assert any(kind in note for note in told), told  # which part it was
        again = graded(course, tmp_path / "run", place, students=EVERYBODY)
        assert {name: result["points"] for name, result in again.items()} == DUE
    assert of_process(os.getpid()) == []
