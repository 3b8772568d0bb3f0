"""`lab check --watch`: when it runs, and what first."""

from __future__ import annotations

import io
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from rich.console import Console

from harness.cli import watch
from harness.cli.check import Solution
from harness.cli.check_report import CheckReport
from harness.course.assignment import Check, load_assignment
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import End, Record, Report

ROOT = Path(__file__).parents[3]
BLOCKING = load_assignment(ROOT / "assignments/blocking/assignment.toml")
PUBLIC = [check.id for check in BLOCKING.checks_of(suite="public")]


def touch(file: Path, at: int) -> None:
    file.write_text(str(at))
    os.utime(file, ns=(at, at))


def test_a_file_that_is_saved_is_seen_and_what_tools_leave_is_not(tmp_path: Path) -> None:
    touch(tmp_path / "server.py", 1)
    before = watch.snapshot(tmp_path)
    for name in (
        ".git/index",
        "__pycache__/server.cpython-311.pyc",
        "lab-results/a.json",
        ".server.py.swp",
        "server.py~",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        touch(tmp_path / name, 2)
    assert watch.snapshot(tmp_path) == before
    touch(tmp_path / "server.py", 3)
    assert watch.snapshot(tmp_path) != before


def test_it_waits_until_an_editor_is_done(tmp_path: Path) -> None:
    touch(tmp_path / "server.py", 1)
    steps = iter(range(2, 5))
    pauses = 0

    def pause(_: float) -> None:
        nonlocal pauses
        pauses += 1
        if (at := next(steps, None)) is not None:
            touch(tmp_path / "server.py", at)

    watch.Watcher(tmp_path, pause).wait()
    assert pauses == 4  # one for each step of the editor, and one in which nothing happened


class Script:
    """A tester that fails the checks of the moment, and a person who saves a file whenever it is waited for."""

    def __init__(self, folder: Path, rounds: list[set[str]]) -> None:
        self.folder, self.rounds = folder, rounds
        self.ran: list[list[str]] = []
        self.closed = 0
        self.saves = 100
        touch(folder / "server.py", self.saves)

    def run_checks(self, _: Solution, checks: list[Check], __: str | None) -> Generator[Record, None, None]:
        failing = self.rounds.pop(0)
        self.ran.append([check.id for check in checks])
        try:
            for check in checks:
                yield Report(check=check.id, outcome=Outcome.FAIL if check.id in failing else Outcome.PASS, story=())
            yield End()
        finally:
            self.closed += 1

    def pause(self, _: float) -> None:
        if not self.rounds:
            raise KeyboardInterrupt
        self.saves += 1
        if self.saves % 2:
            touch(self.folder / "server.py", self.saves)


def watched(script: Script, monkeypatch: pytest.MonkeyPatch) -> str:
    out = io.StringIO()
    template = CheckReport(
        Console(file=out, width=160), BLOCKING, BLOCKING.checks_of(suite="public"), None, "lab check"
    )
    monkeypatch.setattr(watch, "run_checks", script.run_checks)
    solution = Solution(BLOCKING, script.folder, script.folder / "tests")
    with pytest.raises(KeyboardInterrupt):
        list(watch.watch(solution, template, watch.Watcher(script.folder, script.pause)))
    return out.getvalue()


def test_the_failing_check_runs_first_and_the_others_once_it_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = PUBLIC[-1]
    script = Script(tmp_path, [{bad}, {bad}, set(), set()])
    said = watched(script, monkeypatch)
    needed = [check.id for check in watch.first_to_run(BLOCKING, BLOCKING.checks_of(suite="public"), bad)]
    assert script.ran == [PUBLIC, needed, needed, PUBLIC]
    assert len(needed) < len(PUBLIC) and needed[-1] == bad
    assert "Waiting for a file to be saved" in said


def test_a_save_ends_the_run_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "INTERVAL", 0.0)
    touch(tmp_path / "server.py", 1)
    watcher = watch.Watcher(tmp_path, lambda _: None)
    script = Script(tmp_path, [set()])
    watcher.changed()
    checks = BLOCKING.checks_of(suite="public")
    seen = 0
    for _ in watcher.until_changed(script.run_checks(None, list(checks), None)):  # type: ignore[arg-type]
        seen += 1
        if seen == 2:
            touch(tmp_path / "server.py", 999)
    assert (seen, watcher.interrupted, script.closed) == (2, True, 1)
