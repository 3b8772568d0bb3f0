"""`lab ci` and progress.json: what a push is told, and when it is red."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from harness.cli import check as checking
from harness.cli import check_commands, continuous, progress
from harness.cli.console import console
from harness.cli.continuous import Continuous, begun
from harness.cli.main import app
from harness.course.assignment import Check, load_assignment
from harness.errors import UsageError
from harness.formats.result import Context
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Built, End, Forbidden, Record, Report

ROOT = Path(__file__).parents[3]
BLOCKING = load_assignment(ROOT / "assignments/blocking/assignment.toml")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A student's repository with one assignment, in which a program was changed."""
    home = tmp_path / "repository"
    shutil.copytree(ROOT / "assignments/blocking", home / "blocking", ignore=shutil.ignore_patterns("__pycache__"))
    files = {path.relative_to(home).as_posix(): path for path in home.rglob("*") if path.is_file()}
    hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    (home / ".release.json").write_text(json.dumps({"schema": 1, "files": hashes}))
    (home / "progress.json").write_text("{}\n")
    monkeypatch.chdir(home)
    for name in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR", "GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(continuous, "find_assignments", lambda _: {"blocking": home / "blocking"})
    monkeypatch.setattr(checking, "find_assignments", lambda _: {"blocking": home / "blocking"})
    return home


def begin(home: Path) -> None:
    with (home / "blocking/daytime_client.py").open("a") as file:
        file.write("# mine\n")


class Push:
    """One run of `lab ci`, in which every check passes but for those of `broken` stages."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch, **environment: str) -> None:
        self.out = io.StringIO()
        self.records: list[Record] | None = None
        self.broken: dict[int, Outcome] = {}
        monkeypatch.setattr(continuous, "run_checks", lambda _, checks: self.said(checks))
        context = Context(now=datetime(2026, 11, 30, tzinfo=UTC), environment=environment)
        self.run = Continuous(home, Console(file=self.out, width=200), "./lab", context)

    def said(self, checks: Sequence[Check]) -> Iterator[Record]:
        yield from self.records or ()
        for check in checks:
            outcome = self.broken.get(check.stage, Outcome.PASS)
            yield Report(check=check.id, outcome=outcome, message="nothing came", story=(), seen="::add-mask::x")
        yield End()

    @property
    def text(self) -> str:
        return self.out.getvalue()


def test_an_unfinished_assignment_is_not_red(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(home)
    push = Push(home, monkeypatch)
    push.broken = {2: Outcome.FAIL, 3: Outcome.ERROR}
    assert push.run.run([])
    assert "was complete" not in push.text
    assert "blocking: complete, and not in progress.json: stage 1" in push.text


def test_a_stage_that_was_complete_and_is_not_any_more_is_red(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(home)
    (home / "progress.json").write_text('{"blocking": [1, 2]}')
    push = Push(home, monkeypatch)
    push.broken = {2: Outcome.TIMEOUT, 3: Outcome.FAIL}
    assert not push.run.run([])
    assert "blocking: stage 2 was complete and is not any more." in push.text
    assert "stage 3 was complete" not in push.text and "stage 1 was complete" not in push.text


def test_what_nobody_decided_breaks_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(home)
    (home / "progress.json").write_text('{"blocking": [1]}')
    push = Push(home, monkeypatch)
    push.broken = {1: Outcome.INCONCLUSIVE}
    assert push.run.run([])


@pytest.mark.parametrize(
    "record", [Built(False, "make: no rule"), Forbidden({1: "Stage 1 forbids os (x.py, line 1)."})]
)
def test_a_build_or_a_name_that_breaks_a_complete_stage_is_red(
    record: Record, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(home)
    (home / "progress.json").write_text('{"blocking": [1]}')
    push = Push(home, monkeypatch)
    push.records, push.broken = [record], {1: Outcome.ERROR if isinstance(record, Built) else Outcome.PASS}
    assert not push.run.run([])


def test_only_what_was_begun_or_is_due_is_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert begun(home, ["blocking"]) == []
    summary = home / "summary.md"
    push = Push(home, monkeypatch, GITHUB_STEP_SUMMARY=str(summary))
    assert push.run.run([]) and "Nothing was begun" in push.text
    assert summary.read_text() == "Nothing was begun: every assignment is as it was handed out.\n"
    begin(home)
    assert begun(home, ["blocking"]) == ["blocking"]
    (home / ".release.json").unlink()
    assert begun(home, ["blocking"]) == ["blocking"]  # nothing says how it was


def test_every_ci_finds_what_it_reads(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(home)
    summary = home / "summary.md"
    summary.write_text("before\n")
    push = Push(home, monkeypatch, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(summary))
    push.broken = {2: Outcome.FAIL}
    assert push.run.run([])
    assert summary.read_text().startswith("before\n## Programs that wait")
    folder = home / "lab-results/ci"
    assert (folder / "blocking.xml").read_text().startswith("<?xml")
    findings = json.loads((folder / "gl-code-quality-report.json").read_text())
    assert findings and findings[0]["location"]["path"].startswith("blocking/tests/test_")
    printed = capsys.readouterr().out
    assert printed.startswith("::warning file=blocking/tests/test_")
    assert "::add-mask" not in printed.replace("\\x3a:add-mask", "")


def test_the_log_of_a_ci_obeys_no_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    console().print("it said\n::add-mask::x\n  ##[error]y\nand ::1", markup=False)
    assert capsys.readouterr().out == "it said\n\\x3a:add-mask::x\n  \\x23#[error]y\nand ::1\n"
    monkeypatch.delenv("GITHUB_ACTIONS")
    console().print("::1", markup=False)
    assert capsys.readouterr().out == "::1\n"


# -- progress.json -----------------------------------------------------------------------------------------------------


def test_progress_only_grows_and_merges_by_line() -> None:
    grown = progress.with_stages({"blocking": [3]}, "blocking", [1, 3])
    grown = progress.with_stages(grown, "transport", [1])
    assert progress.as_text(grown) == '{\n  "blocking": [1, 3],\n  "transport": [1]\n}\n'
    assert progress.parse(progress.as_text(grown)) == grown
    assert progress.with_stages({}, "blocking", []) == {}


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": ["1"]}', '{"a": [true]}', "\x00", "[" * 100_000])
def test_a_damaged_file_is_said_and_kept(text: str, tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"progress\.json is not"):
        progress.remember(file, "blocking", [1])
    assert file.read_text() == text


def test_without_the_file_nothing_is_kept(tmp_path: Path) -> None:
    assert progress.remember(tmp_path / "progress.json", "blocking", [1]) == []
    assert not list(tmp_path.iterdir())


def checked(*words: str) -> int:
    result = CliRunner().invoke(app, ["check", "blocking", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code


def test_lab_check_keeps_a_stage_that_passes_as_a_whole(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    push = Push(home, monkeypatch)
    monkeypatch.setattr(check_commands.checking, "run_checks", lambda _, checks, *__: push.said(checks))
    monkeypatch.setattr(checking, "HOME", home)
    one = BLOCKING.checks_of(1, "public")[0].id.partition("::")[2].partition("[")[0]
    checked("--check", one)
    assert progress.read(home / "progress.json") == {}
    push.broken = {2: Outcome.FAIL}
    assert checked() == 1
    kept = progress.read(home / "progress.json")
    assert kept is not None and 1 in kept["blocking"] and 2 not in kept["blocking"]
    shutil.copytree(home / "blocking", home / "elsewhere")
    push.broken = {}
    assert checked(str(home / "elsewhere")) == 0
    assert progress.read(home / "progress.json") == kept  # another folder's work is not this repository's
