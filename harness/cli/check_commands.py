"""`lab check` and `lab ci`: the public checks for a person, and for a CI. No logic here."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from harness.cli import check as checking
from harness.cli import progress, written
from harness.cli.check_report import CheckReport
from harness.cli.check_result import complete_stages, result_of
from harness.cli.console import console
from harness.errors import UsageError
from harness.formats.choose import FORMATS, wanted
from harness.text.printable import printable

#: What was typed to get here: the release's own starter script says so.
COMMAND = os.environ.get("LAB_COMMAND", "lab")

FormatWords = Annotated[
    list[str] | None,
    typer.Option(
        "--format",
        metavar="FORMAT[=FILE]",
        help=f"the result as {', '.join(FORMATS)}; what people read goes to stderr then (may be given again)",
    ),
]


def check(
    assignment: Annotated[str, typer.Argument(help="which assignment, such as blocking")],
    path: Annotated[Path | None, typer.Argument(help="folder of your solution; default: the starter's own")] = None,
    stage: Annotated[int | None, typer.Option(help="only this stage")] = None,
    check: Annotated[
        list[str] | None, typer.Option(help="only this check, the name of its test (may be given again)")
    ] = None,
    seed: Annotated[str | None, typer.Option(help="the same random data as in an earlier run")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="the result as JSON; what people read goes to stderr")
    ] = False,
    formats: FormatWords = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="again whenever a file is saved, the failing check first; Ctrl-C ends it")
    ] = False,
) -> None:
    """Run the public tests against your solution: points by stage, failures as stories, the next thing to do."""
    chosen = [wanted(word) for word in formats or ()]
    solution = checking.find_solution(assignment, path, Path.cwd())
    checks = checking.checks_to_run(solution.assignment, stage, check or ())
    report = CheckReport(
        console=console(stderr=as_json or any(not one.file for one in chosen)),
        assignment=solution.assignment,
        wanted=checks,
        stage=stage,
        command=" ".join([COMMAND, "check", assignment, *([shlex.quote(str(path))] if path else [])]),
    )
    report.begin(checking.where_programs_are(solution))
    if watch:
        if as_json or chosen:
            raise UsageError("--watch goes on until it is ended, so it has no result to write. Leave --format out.")
        _watch(solution, report, seed)
        return
    trouble = _run(solution, report, seed)
    if as_json:
        print(json.dumps(report.as_data(), indent=1))
    if chosen:
        written.write(result_of(report, solution, root=written.repository()), chosen, written.context_now())
    if trouble:
        console().print(printable(trouble), style="yellow", markup=False)
    if not report.passed:
        raise typer.Exit(1)


def ci(
    assignments: Annotated[
        list[str] | None, typer.Argument(help="which assignments; default: those in which you have changed something")
    ] = None,
) -> None:
    """The public checks for a CI: its summary, annotations and reports, and status 1 if a complete stage broke."""
    from harness.cli.continuous import Continuous

    run = Continuous(checking.HOME, console(), COMMAND, written.context_now())
    if not run.run(assignments or ()):
        raise typer.Exit(1)


#: In the order in which `lab --help` shows them.
COMMANDS = (check, ci)


def _run(solution: checking.Solution, report: CheckReport, seed: str | None) -> str:
    """Run the checks of a report and print it; what could not be kept of them, if anything."""
    results = checking.Results(Path.cwd(), solution.assignment.name)
    for record in checking.run_checks(solution, report.wanted, seed):
        report.hear(record, results.keep(record))
    report.summary()
    _remember(solution, report)
    return results.trouble


def _remember(solution: checking.Solution, report: CheckReport) -> None:
    """Keep which stages are complete, where the repository keeps that."""
    if solution.folder != solution.tests.parent.resolve():
        return
    name = solution.assignment.name
    new = progress.remember(checking.HOME / progress.NAME, name, complete_stages(report))
    if new:
        what = f"stage {new[0]} is" if len(new) == 1 else f"stages {', '.join(map(str, new))} are"
        report.console.print(
            f"[dim]{progress.NAME} says now that {what} complete: commit it with your work.[/]", soft_wrap=True
        )


def _watch(solution: checking.Solution, report: CheckReport, seed: str | None) -> None:
    from harness.cli.watch import Watcher, watch

    for round_ in watch(solution, report, Watcher(solution.folder), seed):
        _remember(solution, round_)
