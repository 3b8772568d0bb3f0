"""Real submissions on two workers with local labs: check by check what one machine without a farm finds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from machines import Farm

from grader.course import this_course
from tests.grading import ROOT

pytestmark = pytest.mark.audit

#: Of the sample class: one fails many checks, of one nothing starts. None of their mistakes is a race.
STUDENTS = ("kim", "emil")


def graded(out: Path, *words: str) -> dict[str, Any]:
    """Grade them; what came of each."""
    students = [f"--student={student}" for student in STUDENTS]
    command = ["run", str(ROOT / "examples" / "class"), f"--out={out}", "--assignment=blocking", "--seed=13"]
    done = subprocess.run(
        [sys.executable, "-m", "grader.cli", *command, *students, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {student: json.loads((out / student / "blocking" / "result.json").read_text()) for student in STUDENTS}


def verdicts(result: dict[str, Any]) -> dict[str, Any]:
    """All that is decided of a submission, by check; for whom the seed is, which a failure shows; the points."""
    checks = {check["id"]: [check["outcome"], check["points"], check.get("seed")] for check in result["checks"]}
    return {**checks, "": [result["points"], result["state"], result["identity"]]}


def test_a_farm_finds_what_one_machine_finds(farm: Farm, tmp_path: Path) -> None:
    here = graded(tmp_path / "here", "--lab=local", "--workers=4")
    for name in ("one", "two"):
        worker = farm.start(
            *("-m", "grader.cli", "worker", farm.address, f"--name={name}"),
            *("--lab=local", "--trust-submissions", "--labs=2"),
        )
        worker.says("working ")
    there = graded(tmp_path / "there", "--scheduler", farm.address)
    count = len(this_course().load("blocking").checks)
    assert {student: len(result["checks"]) for student, result in there.items()} == dict.fromkeys(STUDENTS, count)
    for student in STUDENTS:
        assert verdicts(there[student]) == verdicts(here[student]), student
    assert len({result["points"] for result in there.values()}) == 2  # they are not alike
