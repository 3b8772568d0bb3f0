"""The output of `lab check`: points by stage, failures as stories, the next thing to do. Records in, rich text out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from harness.actors.story import Step
from harness.course.assignment import Assignment, Check
from harness.course.building import missing_tool
from harness.show.index import page_for
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Built, Forbidden, Record, Report, Trouble
from harness.text.printable import printable

#: The sign, colour and name of each outcome.
SIGNS = {
    Outcome.PASS: ("✓", "green", "passed"),
    Outcome.FAIL: ("✗", "red", "failed"),
    Outcome.TIMEOUT: ("✗", "red", "took too long"),
    Outcome.ERROR: ("✗", "red", "did not start"),
    Outcome.INCONCLUSIVE: ("?", "yellow", "could not be decided, which is not your fault"),
    Outcome.SKIPPED: ("–", "dim", "not run, because a check that it builds on did not pass"),
}
#: A program under test must not drive the terminal.
_shown = partial(printable, keep="\n")
_WHO = {"tester": "tester ", "student": "program", "link": "link   "}


@dataclass
class CheckReport:
    """Prints each record as it comes, and the summary at the end."""

    console: Console
    assignment: Assignment
    wanted: Sequence[Check]  #: the checks that were asked for, and those they need
    stage: int | None  #: the stage that was asked for, None for all
    command: str  #: what was typed, without options: `lab check blocking`
    forbidden: Mapping[int, str] = field(default_factory=dict)  #: stage -> what it forbids and the solution uses
    outcomes: dict[str, Outcome] = field(default_factory=dict)  #: check -> outcome, so far
    reports: dict[str, Report] = field(default_factory=dict)  #: check -> what the tester said of it
    broken_build: str = ""  #: what a failed build said: no check has seen the programs then

    @property
    def passed(self) -> bool:
        """Whether every check that was asked for has passed, but for those that this system cannot measure."""
        passed = [check for check in self.wanted if self.outcomes.get(check.id) is Outcome.PASS]
        return bool(passed) and len(passed) + len(self._unmeasured) == len(self.wanted)

    @property
    def _unmeasured(self) -> list[Check]:
        return [check for check in self.wanted if check.id in self.reports and self.reports[check.id].unmeasured]

    def begin(self, misplaced: str = "") -> None:
        """Print what is known before anything has run; `misplaced`: of programs that are not where they should be."""
        if misplaced:
            self.console.print(_shown(misplaced), style="yellow", markup=False, soft_wrap=True)

    def _in_the_way(self) -> dict[int, str]:
        """The stages that were asked for and use what they forbid."""
        stages = {check.stage for check in self.wanted}
        return {number: message for number, message in self.forbidden.items() if number in stages}

    def hear(self, record: Record, files: Sequence[Path] = ()) -> None:
        """Print one record of the tester; `files`: what was written for its check."""
        match record:
            case Forbidden(stages):
                self.forbidden = stages
                for number, message in self._in_the_way().items():
                    checks = [check for check in self.wanted if check.stage == number]
                    silent = (
                        f"Until that is gone, nothing of its {len(checks)} public checks counts, and none is shown."
                    )
                    self.console.print(f"[red]{escape(_shown(message))}[/] {silent}", soft_wrap=True)
            case Report():
                self._report(self.assignment.check(record.check), record, files)
            case Built(ok=False, text=text):
                self.broken_build = text
                self.console.print("[red]The build failed, so no check was run.[/] It said:")
                self.console.print(_shown(text), style="yellow", markup=False, soft_wrap=True)
            case Built(text=text) if text:
                done, *warnings = _shown(text).splitlines()
                self.console.print(done, style="dim", markup=False, soft_wrap=True)
                for warning in warnings:
                    self.console.print(warning, style="yellow", markup=False, soft_wrap=True)
            case Trouble(text):
                self.console.print(_shown(text), style="yellow", markup=False)

    def _report(self, check: Check, report: Report, files: Sequence[Path]) -> None:
        outcome = report.outcome
        if outcome is Outcome.PASS and check.stage in self.forbidden:
            outcome = Outcome.FAIL
        self.outcomes[check.id] = outcome
        self.reports[check.id] = report
        if self.broken_build or check.stage in self.forbidden:
            return  # that is said once
        sign, colour, _ = SIGNS[outcome]
        row = Table.grid(padding=(0, 1))
        row.add_column(width=2, justify="right")
        row.add_column(width=7, justify="right")
        row.add_column(width=4)
        row.add_column(ratio=1)
        got = f"{check.points if outcome is Outcome.PASS else 0:g}/{check.points:g}"
        needed = "" if self.stage in (None, check.stage) else f" [dim](stage {self.stage} needs it)[/]"
        variant = f" [dim]({escape(check.id.partition('[')[2][:-1])})[/]" if check.id.endswith("]") else ""
        row.add_row(f"[{colour}]{sign}[/]", f"[dim]{got}[/]", check.section, escape(check.rule) + variant + needed)
        self.console.print(row)
        if not report.outcome.well and report.story is not None:
            self._story(check, report, report.story, files)

    def _story(self, check: Check, report: Report, story: Sequence[Step], files: Sequence[Path]) -> None:
        """Why a check failed: what was expected and seen, what happened, a hint, where to read, how to repeat."""
        say = self.console.print
        say()
        say(f"  [red]{escape(_shown(report.message))}[/]")
        for word, text in (("expected", report.expected), ("seen", report.seen)):
            if text:
                say(f"  {word:<9}{escape(_shown(text))}")
        for step in story:
            line = f"  {step.at:7.3f} s  {_WHO.get(step.who, step.who)}  {_shown(step.what)}"
            say(Text(line, style="dim"), soft_wrap=True)
        if check.hint:
            say(f"  [cyan]hint[/]     {escape(check.hint)}")
        say(f"  [cyan]read[/]     section {check.section} of the handout")
        if concept := page_for(self.assignment.name, check.section):
            typed = self.command.partition(f" check {self.assignment.name}")[0]
            say(f"  [cyan]see[/]      {escape(_shown(typed))} show {concept}")
        if report.seed:
            seed = shlex.quote(report.seed)
            say(
                f"  [cyan]again[/]    {escape(_shown(self.command))} --stage {check.stage} --seed {escape(seed)}",
                soft_wrap=True,
            )
        self._files(files)
        say()

    def _files(self, files: Sequence[Path]) -> None:
        """What there is to look at, and how."""
        command, _, rest = self.command.partition(f" check {self.assignment.name}")  # the rest: the solution's folder
        for file in files:
            if file.suffix == ".json":
                path = shlex.quote(str(file))
                beside = ", ".join(other.name for other in files if other != file)
                for word, what in (("look", f"{command} trace {path}"), ("replay", f"{command} replay {path}{rest}")):
                    self.console.print(f"  [cyan]{word:<9}[/]{escape(_shown(what))}", soft_wrap=True)
                self.console.print(f"  [dim]         beside it: {escape(_shown(beside))}[/]", soft_wrap=True)

    def as_data(self) -> dict[str, Any]:
        """The result as plain data, for programs: points, and what became of each check that was asked for."""
        rows = []
        for check in self.wanted:
            report, outcome = self.reports.get(check.id), self.outcomes.get(check.id)
            rows.append(
                {
                    "check": check.id,
                    "stage": check.stage,
                    "section": check.section,
                    "rule": check.rule,
                    "outcome": outcome.value if outcome else "no report",
                    "points": check.points if outcome is Outcome.PASS else 0.0,
                    "possible": check.points,
                    "seconds": report.seconds if report else 0.0,
                    "message": report.message if report else "",
                    "measurable": not (report and report.unmeasured),
                    "expected": report.expected if report else None,
                    "seen": report.seen if report else None,
                }
            )
        points = sum(check.points for check in self.wanted if self.outcomes.get(check.id) is Outcome.PASS)
        possible = sum(check.points for check in self.wanted)
        total = {"assignment": self.assignment.name, "points": points, "possible": possible, "passed": self.passed}
        return {**total, "checks": rows}

    def summary(self) -> None:
        """Points by stage, and the next thing to do."""
        if self.broken_build:
            self._next_build()
            return
        self._legend()
        self._points()
        self.console.print("\nHidden checks look at the same rules with other data, addresses and links.", style="dim")
        if stages := self._in_the_way():
            number, message = next(iter(stages.items()))
            self.console.print(
                f"[bold]Next:[/] {escape(_shown(message))} Do it another way (the handout's process contract says what "
                f"is forbidden), and run"
            )
            self._again(number)
        else:
            self._next()

    def _points(self) -> None:
        table = Table("stage", show_edge=False)
        table.add_column("public points", justify="right")
        table.add_column("the stage is worth", justify="right")
        total = most_total = 0.0
        for row in self.assignment.stages:
            checks = self.assignment.checks_of(stage=row.number, suite="public")
            if self.stage not in (None, row.number) or not checks:
                continue
            got = sum(check.points for check in checks if self.outcomes.get(check.id) is Outcome.PASS)
            most = sum(check.points for check in checks)
            total, most_total = total + got, most_total + most
            table.add_row(
                f"{row.number}  {row.title}",
                f"{got:g} of {most:g}",
                f"{row.points:g}",
                style="green" if got == most else "",
            )
        if self.stage is None:
            table.add_row("all", f"{total:g} of {most_total:g}", f"{self.assignment.points:g}", style="bold")
        self.console.print()
        self.console.print(table)

    def _legend(self) -> None:
        """The signs above that do not explain themselves."""
        unclear = [Outcome.INCONCLUSIVE, Outcome.SKIPPED]
        seen = set(self.outcomes.values())
        for sign, colour, means in (SIGNS[outcome] for outcome in unclear if outcome in seen):
            self.console.print(f" [{colour}]{sign}[/]  {means}")

    def _next_build(self) -> None:
        """What to do after a failed build."""
        tool = missing_tool(self.broken_build)
        if tool:
            self.console.print(
                f"[bold]Next:[/] {escape(tool)} is not installed here. The handout says what the machine that grades "
                f"has (`lab doctor` what this one has): build with that. Then run"
            )
        else:
            self.console.print("[bold]Next:[/] mend the build (what it said is above), and run")
        self._again(self.stage)

    def _again(self, stage: int | None) -> None:
        where = self.command if stage is None else f"{self.command} --stage {stage}"
        self.console.print(f"    [bold]{escape(_shown(where))}[/]", soft_wrap=True)

    def _next(self) -> None:
        open_checks = [check for check in self.wanted if self.outcomes.get(check.id) is not Outcome.PASS]
        undecided = [check for check in open_checks if self.outcomes.get(check.id) is Outcome.INCONCLUSIVE]
        failing = (Outcome.FAIL, Outcome.TIMEOUT, Outcome.ERROR)
        failed = [check for check in open_checks if self.outcomes.get(check.id) in failing]
        silent = [check for check in open_checks if check.id not in self.outcomes]
        numbers = [row.number for row in self.assignment.stages]
        if failed:
            check = failed[0]
            self.console.print(
                f"[bold]Next:[/] rule {check.section}: {escape(check.rule)} Read section {check.section} of the "
                f"handout, mend it, and run"
            )
            self._again(check.stage)
        elif len(undecided) > len(self._unmeasured):
            self.console.print(
                f"[yellow]{len(undecided)} of {len(self.wanted)} checks could not be decided on this machine, which is "
                f"not your fault; the reason stands with each. Run again; if it stays so, tell your instructor what it "
                f"said.[/]"
            )
        elif undecided:
            self.console.print(
                f"[yellow]{len(undecided)} of {len(self.wanted)} checks are not measurable on this system, and count "
                f"neither way; the reason stands with each.{' All others pass.' if self.passed else ''}[/]"
            )
        elif silent:
            self.console.print(
                f"[yellow]{len(silent)} of {len(self.wanted)} checks have not reported: the tester stopped before its "
                f"end. Run it again; what it said is above.[/]"
            )
        elif self.stage is not None and self.stage < numbers[-1]:
            self.console.print(
                f"[bold]Next:[/] all public checks of stage {self.stage} pass. Go on with stage {self.stage + 1}."
            )
        else:
            self.console.print("[bold]Next:[/] all public checks pass. Read the handout once more, and hand in.")
