"""`lab check` as it is typed: single checks, a result for programs, files that are not where they are looked for."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from harness.cli.check_report import CheckReport
from harness.cli.main import app
from harness.course.assignment import load_assignment
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Built, Forbidden, Record, Report

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


def told(*records: Record, passes: bool = False) -> str:
    """What `lab check blocking` prints for these records; with `passes`, all that is asked for is stage 2."""
    assignment = load_assignment(ROOT / "assignments/blocking/assignment.toml")
    console = Console(width=160, record=True, file=io.StringIO())
    report = CheckReport(
        console=console,
        assignment=assignment,
        wanted=assignment.checks_of(2 if passes else None, "public"),
        stage=2 if passes else None,
        command="lab check blocking",
    )
    report.begin()
    for record in records:
        report.hear(record)
    report.summary()
    assert report.passed is passes
    return console.export_text()


def all_of_stage(number: int, outcome: Outcome) -> list[Record]:
    assignment = load_assignment(ROOT / "assignments/blocking/assignment.toml")
    checks = assignment.checks_of(number, "public")
    return [Report(check=check.id, outcome=outcome, message="something else", story=()) for check in checks]


def test_a_failed_build_is_the_one_thing_to_do() -> None:
    build = Built(False, "`make` ended with status 2:\n/bin/sh: 1: cargo: not found\n\x1b[2J")
    said = told(build, *all_of_stage(1, Outcome.ERROR))
    assert "The build failed, so no check was run." in said and said.count("cargo: not found\n\\x1b[2J") == 1
    assert "Next: cargo is not installed here." in said
    assert "something else" not in said and "hint" not in said and "✗" not in said


def test_a_forbidden_name_is_the_one_thing_to_do() -> None:
    said = told(Forbidden({2: "Stage 2 forbids asyncio (x.py, line 1)."}), *all_of_stage(2, Outcome.FAIL))
    assert said.count("Stage 2 forbids asyncio (x.py, line 1).") == 2  # on top, and as the next thing
    assert "something else" not in said and "hint" not in said and "✗" not in said
    assert "lab check blocking --stage 2" in said.splitlines()[-1]


def test_signs_that_do_not_explain_themselves_are_explained() -> None:
    assert "–  not run, because a check" in told(*all_of_stage(2, Outcome.SKIPPED))
    assert "?  could not be decided" in told(*all_of_stage(2, Outcome.INCONCLUSIVE))
    assert "not run, because" not in told(*all_of_stage(2, Outcome.FAIL))


def test_a_failing_check_names_the_page_that_explains_its_rule() -> None:
    said = told(*all_of_stage(2, Outcome.FAIL))
    assert "see      lab show time-wait\n" in said and "see      lab show listening-socket\n" in said
    assert "lab show" not in told(*all_of_stage(2, Outcome.PASS), passes=True)


def test_what_this_system_cannot_measure_counts_neither_way() -> None:
    first, *others = all_of_stage(2, Outcome.PASS)
    assert isinstance(first, Report)
    lacking = replace(first, outcome=Outcome.INCONCLUSIVE, unmeasured=True, message="not measurable here: no SIGTERM")
    said = told(lacking, *others, passes=True)
    assert "not measurable here: no SIGTERM" in said
    assert "1 of 5 checks are not measurable on this system, and count neither way" in said
    assert "Run again" in told(replace(lacking, unmeasured=False), *others)


def test_the_name_of_a_folder_does_not_drive_the_terminal(tmp_path: Path) -> None:
    hostile = tmp_path / "mine\x1b[2J\u202e"
    said = lab("check", "blocking", hostile)
    assert said.exit_code == 2 and "\x1b" not in said.output and "mine\\x1b[2J\\u202e is not a folder" in said.output
    hostile.mkdir()
    (hostile / "Makefile").write_text("all:\n\tfalse\n")
    said = lab("check", "blocking", hostile, "--stage", 1)
    assert "The build failed" in said.output and "\x1b" not in said.output and "\u202e" not in said.output
    said = lab("trace", hostile / "bundle.json")
    assert said.exit_code == 2 and "\x1b" not in said.output and "\u202e" not in said.output
