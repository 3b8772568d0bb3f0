"""The nursery of a tester node, here on this machine: a fork for each job, and a word when it has ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.tester.border.job import Job, LocalLab
from tests.harness.lab.docker import star_suite

pytestmark = pytest.mark.slow


@pytest.fixture
def nursery() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-B", "-m", "harness.tester.nursery"]
    # A tester that is killed leaves what it had there; in a lab its node goes with it.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # a submission runs as another user, and goes through it
        environment = {**os.environ, "TMPDIR": folder}
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
            assert hears(process) == {"nursery": "ready"}
            yield process
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(10) == 0


def hears(nursery: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert nursery.stdout is not None
    for line in nursery.stdout:
        if line.strip():
            row: dict[str, Any] = json.loads(line)
            return row
    raise AssertionError("the nursery ended")


def until_done(nursery: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    rows = [hears(nursery)]
    while "nursery" not in rows[-1]:
        rows.append(hears(nursery))
    return rows


def say(nursery: subprocess.Popen[bytes], command: dict[str, Any]) -> None:
    assert nursery.stdin is not None
    nursery.stdin.write(json.dumps(command).encode() + b"\n")
    nursery.stdin.flush()


def a_job(folder: Path, test: str) -> str:
    """The text of a job of one check."""
    (folder / "suite").mkdir()
    (folder / "suite" / "test_one.py").write_text(test)
    path = star_suite.write_assignment(folder, "test_one.py", ["test_one"], '[programs]\nhello = ["./hello"]\n')
    job = Job(
        lab=LocalLab(folder),
        assignment=path,
        suites={"hidden": folder / "suite"},
        checks=("test_one.py::test_one",),
        programs={"hello": ["./hello"]},
        build=False,
        seed="1",
    )
    return job.to_json().decode()


def test_one_job_after_the_other(nursery: subprocess.Popen[bytes], tmp_path: Path) -> None:
    job = a_job(tmp_path, "def test_one(lab):\n    lab.says('hello')\n")
    for _ in range(2):
        say(nursery, {"job": job})
        *_, report, _, _, _, end, done = until_done(nursery)
        assert (report["record"], report["outcome"]) == ("report", "pass")
        assert end == {"record": "end"}
        assert done == {"nursery": "done", "status": 0}


def test_a_job_that_is_none_is_said_so_and_the_next_one_runs(nursery: subprocess.Popen[bytes], tmp_path: Path) -> None:
    say(nursery, {"job": "{}"})
    trouble, end, done = until_done(nursery)
    assert '"lab" is not a table' in trouble["text"]
    assert (end, done) == ({"record": "end"}, {"nursery": "done", "status": 0})
    say(nursery, {"job": a_job(tmp_path, "def test_one(lab):\n    pass\n")})
    assert until_done(nursery)[-1] == {"nursery": "done", "status": 0}


def test_a_job_that_is_stopped_is_killed(nursery: subprocess.Popen[bytes], tmp_path: Path) -> None:
    say(nursery, {"job": a_job(tmp_path, "def test_one(lab):\n    while True: pass\n")})
    while hears(nursery)["record"] != "start":
        pass
    say(nursery, {"stop": True})
    assert until_done(nursery)[-1] == {"nursery": "done", "status": -9}
