"""What `lab check` saw as a result: lines of programs, stages that are complete, and formats as they are typed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import junitparser
import pytest
from rich.console import Console
from typer.testing import CliRunner

from harness.actors.story import Step
from harness.cli import check as checking
from harness.cli.check import Solution
from harness.cli.check_report import CheckReport
from harness.cli.check_result import complete_stages, result_of
from harness.cli.main import app
from harness.course.assignment import Check, load_assignment
from harness.formats.result import Place
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Built, End, Forbidden, Record, Report

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "assignments/blocking"
BLOCKING = load_assignment(FOLDER / "assignment.toml")
SOLUTION = Solution(BLOCKING, FOLDER, FOLDER / "tests")
FIRST, *OTHERS = BLOCKING.checks_of(1, "public")


def heard(*records: Record) -> CheckReport:
    report = CheckReport(
        Console(file=io.StringIO()), BLOCKING, BLOCKING.checks_of(1, "public"), 1, "lab check blocking"
    )
    for record in records:
        report.hear(record)
    return report


def passing(*checks: Check) -> list[Record]:
    return [Report(check=check.id, outcome=Outcome.PASS) for check in checks]


def test_a_failure_is_at_the_line_that_its_traceback_names_else_at_its_test() -> None:
    steps = (
        Step(0.1, "student", 'File "/tmp/x/w/sockets.py", line 30, in connect'),
        Step(0.2, "student", 'File "/usr/lib/python3.11/socket.py", line 1'),
    )
    crashed = Report(check=FIRST.id, outcome=Outcome.FAIL, message="it ended", story=steps)
    silent = Report(check=OTHERS[0].id, outcome=Outcome.FAIL, message="nothing came", story=())
    checks = result_of(heard(crashed, silent), SOLUTION, root=ROOT).checks
    assert checks[0].place == Place("assignments/blocking/sockets.py", 30)
    where = checks[1].place
    assert where is not None and where.file == f"assignments/blocking/tests/{OTHERS[0].file}"
    line = (ROOT / where.file).read_text().splitlines()[where.line - 1]
    assert line.startswith(f"def {OTHERS[0].id.partition('::')[2].partition('[')[0]}(")
    assert result_of(heard(silent), SOLUTION, root=FOLDER).checks[1].place == Place(
        f"tests/{OTHERS[0].file}", where.line
    )
    assert result_of(heard(silent), SOLUTION, root=ROOT / "docs").checks[1].place is None


def test_a_forbidden_name_is_at_its_line_and_gives_nothing() -> None:
    forbidden = Forbidden({1: "Stage 1 forbids os (sockets.py, line 3)."})
    result = result_of(heard(forbidden, *passing(FIRST, *OTHERS)), SOLUTION, root=ROOT)
    assert (result.points, result.stages[0].complete, result.stages[0].open) == (0.0, False, False)
    assert result.checks[0].place == Place("assignments/blocking/sockets.py", 3)
    assert result.stages[0].message.startswith("Stage 1 forbids os")


def test_a_failed_build_is_said_once_above_everything() -> None:
    result = result_of(heard(Built(False, "sockets.py:7: error")), SOLUTION, root=ROOT)
    assert result.message == "The build failed, so no check was run."
    assert {check.outcome for check in result.checks} == {Outcome.ERROR} and result.points == 0.0
    assert result.checks[0].place == Place("assignments/blocking/sockets.py", 7)


def test_a_stage_is_complete_when_all_of_it_has_passed_as_far_as_the_machine_can_tell() -> None:
    assert complete_stages(heard(*passing(FIRST, *OTHERS))) == [1]
    assert complete_stages(heard(*passing(*OTHERS))) == []  # one has not reported
    unmeasured = Report(check=FIRST.id, outcome=Outcome.INCONCLUSIVE, unmeasured=True)
    assert complete_stages(heard(unmeasured, *passing(*OTHERS))) == [1]
    undecided = Report(check=FIRST.id, outcome=Outcome.INCONCLUSIVE)
    assert complete_stages(heard(undecided, *passing(*OTHERS))) == []
    assert result_of(heard(undecided, *passing(*OTHERS)), SOLUTION, root=ROOT, due=[1]).broken == []


def test_formats_as_they_are_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(_: Solution, checks: Sequence[Check], __: str | None) -> Iterator[Record]:
        yield from passing(*checks[:-1])
        yield Report(check=checks[-1].id, outcome=Outcome.FAIL, message="näher", story=())
        yield End()

    monkeypatch.setattr(checking, "run_checks", said)
    monkeypatch.chdir(tmp_path)
    words = ["check", "blocking", str(FOLDER), "--stage", "1", "--format", "junit=made/out.xml", "--format", "json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1
    (suite,) = junitparser.JUnitXml.fromfile(str(tmp_path / "made/out.xml"))
    assert suite.failures == 1
    assert json.loads(done.stdout)["checks"][-1]["message"] == "näher"
    assert "public points" in done.stderr  # what people read
    for extra in (["--watch"], ["--format", "nonsense"]):
        assert CliRunner().invoke(app, [*words, *extra]).exit_code == 2
