"""Hostile submissions, graded for real: none gains a point, stays undecided, or harms who comes after it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.redteam.attacks import ATTACKS

ROOT = Path(__file__).resolve().parents[2]
#: The one script that a page has, ours: it sorts and filters the class.
OUR_SCRIPT = b"<script>" + (ROOT / "grader/reports/templates/class.js").read_bytes() + b"</script>"
HONEST = ROOT / "examples" / "class" / "ada" / "blocking"

pytestmark = [pytest.mark.docker, pytest.mark.slow]

#: A program may give itself a name of any bytes, where the kernel tells what it uses.
NAME = b"import ctypes\nctypes.CDLL(None).prctl(15, b'\\xff\\xfe', 0, 0, 0)\n"


@dataclass(frozen=True)
class Run:
    """What came of one run over all submissions."""

    folder: Path
    said: str
    status: int
    left: list[str]  #: containers that are still there

    def result(self, student: str) -> dict[str, Any]:
        """The result of one of them."""
        text = (self.folder / student / "blocking" / "result.json").read_text()
        result: dict[str, Any] = json.loads(text)
        return result


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All attacks, and honest work after them in a lab that has had half of them."""
    submitted, out = tmp_path_factory.mktemp("in"), tmp_path_factory.mktemp("run") / "out"
    attacks = {name: attack["files"] for name, attack in ATTACKS.items()}
    for name, files in {**attacks, "empty": {"README": b"nothing"}}.items():
        folder = submitted / name / "blocking"
        folder.mkdir(parents=True)
        for file, contents in files.items():
            (folder / file).write_bytes(contents)
    honest = submitted / "zoe" / "blocking"
    honest.mkdir(parents=True)
    for file in ("daytime_client.py", "net.py"):
        shutil.copy(HONEST / file, honest)
    (honest / "daytime_server.py").write_bytes(NAME + (HONEST / "daytime_server.py").read_bytes())
    command = ["-m", "grader.cli", "run", str(submitted), "--out", str(out), "--lab", "docker"]
    process = subprocess.Popen(
        [sys.executable, *command, "--workers", "6"],  # so that the last one is honest work after and beside attacks
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said, _ = process.communicate(timeout=600)
    label = f"label=socketlab.pid={process.pid}"
    left = subprocess.run(["docker", "ps", "-aq", "--filter", label], capture_output=True, text=True)
    return Run(out, said, process.returncode, left.stdout.split())


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_worth_what_nothing_is_worth(run: Run, name: str) -> None:
    result = run.result(name)
    assert (result["points"], result["undecided"]) == (run.result("empty")["points"], 0), result["notes"]
    assert result["state"] in ("graded", "refused")
    assert "Traceback" not in result["log"]


def test_honest_work_after_them_is_unharmed(run: Run) -> None:
    result = run.result("zoe")
    assert result["state"] == "graded", result["notes"]
    assert [stage["points"] for stage in result["stages"]] == [15, 15, 15, 0, 0, 0]


def test_the_run_ends_well_and_leaves_nothing(run: Run) -> None:
    assert run.status == 0, run.said
    assert "Traceback" not in run.said
    assert run.left == []


def test_nothing_that_is_shown_is_more_than_text(run: Run) -> None:
    assert not [line for line in run.said.splitlines() if line.lstrip().startswith("::") or "\x1b" in line]
    for page in run.folder.rglob("*.html"):
        text = page.read_bytes().replace(OUR_SCRIPT, b"", 1)
        assert not [bad for bad in (b"<script", b"<img", b"\x1b", b"\0") if bad in text], page
