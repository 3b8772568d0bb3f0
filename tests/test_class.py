"""The sample class gets what it is due."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from grader.course import this_course
from tests.grading import ROOT

CLASS = ROOT / "examples/class"
EXPECTED: dict[str, dict[str, dict[str, Any]]] = tomllib.loads((CLASS / "expected.toml").read_text())


def bounds(expected: float | list[float]) -> tuple[float, float]:
    """The lowest and the highest score that is right."""
    return (expected[0], expected[1]) if isinstance(expected, list) else (expected, expected)


@pytest.mark.parametrize("assignment", EXPECTED)
def test_every_submission_has_a_row_and_every_row_a_submission(assignment: str) -> None:
    there = {folder.parent.name for folder in CLASS.glob(f"*/{assignment}") if folder.is_dir()}
    assert there == set(EXPECTED[assignment])
    stages = this_course().load(assignment).stages
    for row in EXPECTED[assignment].values():
        assert len(row["stages"]) == len(stages)
        for stage, expected in zip(stages, row["stages"], strict=True):
            low, high = bounds(expected)
            assert 0 <= low <= high <= stage.points


@pytest.mark.audit
@pytest.mark.parametrize("lab", ["local", pytest.param("docker", marks=pytest.mark.docker)])
@pytest.mark.parametrize("assignment", EXPECTED)
def test_the_class_gets_what_it_is_due(assignment: str, lab: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "grader.cli",
            "run",
            CLASS,
            "--out",
            tmp_path / "run",
            "--lab",
            lab,
            "--assignment",
            assignment,
            "--seed",
            "class",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    wrong = {}
    for student, row in EXPECTED[assignment].items():
        path = tmp_path / "run" / student / assignment / "result.json"
        assert path.is_file(), done.stdout + done.stderr
        scores = [stage["points"] for stage in json.loads(path.read_text())["stages"]]
        for score, expected in zip(scores, row["stages"], strict=True):
            low, high = bounds(expected)
            if not low <= score <= high:
                wrong[student] = f"{scores}, expected {row['stages']}"
    assert wrong == {}
