"""`lab check` as it is typed: single checks, a result for programs, files that are not where they are looked for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from harness.cli.main import app

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "reference/transport"


def lab(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def first_public() -> str:
    return json.loads(lab("check", "transport", REFERENCE, "--stage", 1, "--json").stdout)["checks"][0]["check"]


@pytest.mark.slow
def test_one_check_runs_alone_with_what_it_needs() -> None:
    name = first_public().partition("::")[2].partition("[")[0]
    result = lab("check", "transport", REFERENCE, "--check", name, "--json")
    assert result.exit_code == 0
    said = json.loads(result.stdout)
    assert (said["assignment"], said["passed"], said["points"]) == ("transport", True, said["possible"])
    assert {row["check"].partition("::")[2].partition("[")[0] for row in said["checks"]} == {name}
    assert {row["outcome"] for row in said["checks"]} == {"pass"}
    assert "public points" in result.stderr  # what people read


def test_an_unknown_check_is_answered_with_the_nearest() -> None:
    name = first_public().partition("::")[2].partition("[")[0]
    result = lab("check", "transport", REFERENCE, "--check", name + "x")
    assert result.exit_code == 2
    assert f'there is no public check "{name}x". Did you mean "{name}"?' in result.stderr


@pytest.mark.slow
def test_programs_that_are_not_where_they_are_looked_for_are_the_first_line(tmp_path: Path) -> None:
    shutil.copytree(REFERENCE, tmp_path / "mine/transport", ignore=shutil.ignore_patterns("__pycache__"))
    said = lab("check", "transport", tmp_path / "mine", "--stage", 1)
    assert said.exit_code == 1
    assert "found transport/connection.py; move it up" in said.stdout.splitlines()[0]
    assert "move it up" not in lab("check", "transport", tmp_path / "mine/transport", "--stage", 1).stdout
