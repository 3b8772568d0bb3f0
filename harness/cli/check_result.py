"""What `lab check` saw, as what the formats are made from. It reads sources and tests for lines, and runs nothing."""

from __future__ import annotations

import ast
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.cli.check import Solution
from harness.cli.check_report import CheckReport
from harness.course.assignment import Check
from harness.formats.places import place_in
from harness.formats.result import CheckResult, Place, Result, StageResult
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Report

#: Files of a solution that a place may be in, at most; and folders inside each other.
_MOST_FILES, _MOST_DEEP = 1_000, 6
REMARK = "These are the public checks. Hidden checks look at the same rules with other data, addresses and links."


def result_of(report: CheckReport, solution: Solution, *, root: Path, due: Collection[int] | None = None) -> Result:
    """The result of a run. Places are relative to `root`; `due`: stages that have to be complete."""
    lines = Lines(solution, root)
    checks = tuple(_check(report, check, lines) for check in report.wanted)
    stages = tuple(_stages(report, checks))
    return Result(
        assignment=solution.assignment.name,
        title=solution.assignment.title,
        points=sum(check.points for check in checks),
        possible=sum(check.possible for check in checks),
        undecided=sum(check.possible for check in checks if check.open),
        message="The build failed, so no check was run." if report.broken_build else "",
        stages=stages,
        checks=checks,
        due=None if due is None else frozenset(due),
        remark=REMARK,
    )


def complete_stages(report: CheckReport) -> list[int]:
    """The stages of which every public check was run and has passed, as far as this machine can tell."""
    numbers = [stage.number for stage in report.assignment.stages]
    return [number for number in numbers if _is_complete(report, number)]


def _is_complete(report: CheckReport, number: int) -> bool:
    public = {check.id for check in report.assignment.checks_of(number, "public")}
    passed = {check for check in public if report.outcomes.get(check) is Outcome.PASS}
    unmeasured = {check for check in public if check in report.reports and report.reports[check].unmeasured}
    return bool(passed) and passed | unmeasured == public and number not in report.forbidden


def _stages(report: CheckReport, checks: Collection[CheckResult]) -> Iterator[StageResult]:
    for stage in report.assignment.stages:
        mine = [check for check in checks if check.stage == stage.number]
        if mine:
            undecided = any(check.open for check in mine)
            yield StageResult(
                number=stage.number,
                title=stage.title,
                points=sum(check.points for check in mine),
                possible=sum(check.possible for check in mine),
                complete=_is_complete(report, stage.number),
                open=undecided and not any(check.failed for check in mine),
                message=report.forbidden.get(stage.number, ""),
            )


def _check(report: CheckReport, check: Check, lines: Lines) -> CheckResult:
    outcome, said = report.outcomes.get(check.id), report.reports.get(check.id)
    told = said or Report(check=check.id, outcome=Outcome.INCONCLUSIVE)
    message = report.forbidden.get(check.stage, "") or told.message
    if report.broken_build:
        outcome, message = Outcome.ERROR, f"The build failed:\n{report.broken_build}"
    story = tuple(f"{step.at:7.3f} s  {step.who}  {step.what}" for step in told.story or ())
    texts = [message, told.seen or "", *(step.what for step in reversed(told.story or ()))]
    return CheckResult(
        id=check.id,
        suite=check.suite,
        stage=check.stage,
        section=check.section,
        rule=check.rule,
        outcome=outcome,
        points=check.points if outcome is Outcome.PASS else 0.0,
        possible=check.points,
        seconds=told.seconds,
        message=message if outcome is not Outcome.PASS else "",
        expected=told.expected or "",
        seen=told.seen or "",
        story=story,
        hint=check.hint,
        again=f"{report.command} --stage {check.stage} --seed {told.seed}" if told.seed else "",
        place=lines.place(check, texts) if outcome is not Outcome.PASS else None,
    )


@dataclass
class Lines:
    """Where in the repository a failure is: a line of the solution that it names, else the line of the test."""

    solution: Solution
    root: Path
    _tests: dict[str, dict[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._files = frozenset(_files_of(self.solution.folder))

    def place(self, check: Check, texts: list[str]) -> Place | None:
        """The place of a check that did not pass; None if it is outside the repository."""
        folder = self._shown(self.solution.folder)
        if folder is not None and (found := place_in(texts, self._files, folder)):
            return found
        tests = self._shown(self.solution.tests)
        number = self._lines_of(check.file).get(check.id.rpartition("::")[2].partition("[")[0])
        return Place(f"{tests}/{check.file}", number) if tests is not None and number else None

    def _shown(self, path: Path) -> str | None:
        try:
            return path.resolve().relative_to(self.root.resolve()).as_posix().removeprefix(".")
        except ValueError:
            return None

    def _lines_of(self, file: str) -> dict[str, int]:
        """The tests of a file -> their lines."""
        if file not in self._tests:
            try:
                tree = ast.parse((self.solution.tests / file).read_bytes())
            except (OSError, SyntaxError, ValueError):
                tree = ast.Module(body=[], type_ignores=[])
            functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
            self._tests[file] = {node.name: node.lineno for node in functions}
        return self._tests[file]


def _files_of(folder: Path) -> Iterator[str]:
    """Names of the files in a folder, as far as they are worth naming; hidden ones are left out."""
    count = 0
    for here, folders, files in os.walk(folder):
        depth = len(Path(here).relative_to(folder).parts)
        folders[:] = [] if depth >= _MOST_DEEP else sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            count += 1
            if count > _MOST_FILES:
                return
            yield (Path(here) / name).relative_to(folder).as_posix()
