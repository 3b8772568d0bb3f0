"""A machine that breaks at any moment takes no points from anybody: real testers, ended and stopped at random."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from grader import job
from grader.bench import local
from grader.bench.local import LocalPlace
from grader.campaign.campaign import Campaign
from grader.campaign.plan import make_plan
from grader.campaign.run_folder import RunFolder
from grader.course import Course
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


def graded(course: Course, out: Path) -> dict[str, dict[str, Any]]:
    """Run the class; what came of each submission in this call."""
    found = {}
    with RunFolder(out) as folder:
        campaign = Campaign(course, folder, LocalPlace(ROOT), folder.secret("secret"))
        for event in campaign.events(make_plan(course, course.root / "in").jobs):
            if event.kind == "ends" and event.result is not None:
                found[event.job.student] = event.result
    return found


@contextmanager
def trouble(dice: random.Random) -> Iterator[list[str]]:
    """Testers of this process get a signal at random moments; what was done."""
    done: list[str] = []
    over = threading.Event()

    def makes() -> None:
        while not over.wait(dice.uniform(0.05, 0.9)):
            for child in psutil.Process().children():
                signum = dice.choice(SIGNALS)
                if child.cmdline()[-1:] == ["harness.tester.run"] and len(done) < 3:
                    os.kill(child.pid, signum)
                    done.append(signum.name)

    thread = threading.Thread(target=makes)
    thread.start()
    try:
        yield done
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("seed", [*range(6), *(pytest.param(seed, marks=pytest.mark.audit) for seed in range(6, 60))])
def test_nobody_loses_a_point(course: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setattr(job, "MARGIN", -3.0)  # a tester that stands still is noticed after 4.5 s
    monkeypatch.setattr(local, "GRACE", 0.3)
    with trouble(random.Random(seed)) as done:
        results = graded(course, tmp_path / "run")
    assert set(results) == set(DUE)  # nobody is lost
    for student, result in results.items():
        told = f"{student} after {done}: {result['state']}, {result['points']}, {result['notes']}"
        assert result["points"] + result["undecided"] >= DUE[student], told
        assert result["points"] <= DUE[student], told
        if result["state"] == "graded":
            assert result["points"] == DUE[student], told
    began = time.monotonic()
    again = graded(course, tmp_path / "run")  # what was ours is graded again, what was decided is not
    assert {student: result["points"] for student, result in again.items()} == DUE
    assert {result["state"] for result in again.values()} == {"graded"}
    assert time.monotonic() - began < 60
