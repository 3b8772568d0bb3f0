"""`lab`: what students type. No logic here: it asks the modules and prints what they say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from harness import check as checking
from harness import check_report, doctor, play
from harness.assignment import AssignmentError
from harness.lab import LabError
from harness.netem import netem_words
from harness.profile import Profile
from harness.profiles import load_profiles
from harness.programs import ProgramsError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


def _console() -> Console:
    return Console(highlight=False)


def _refuse(message: str) -> typer.Exit:
    Console(stderr=True, highlight=False).print(f"lab: {message}", markup=False, soft_wrap=True)
    return typer.Exit(2)


@app.command()
def check(
    assignment: Annotated[str, typer.Argument(help="which assignment, such as blocking")],
    path: Annotated[
        Path | None, typer.Argument(help="folder of your solution; default: the starter's own")
    ] = None,
    stage: Annotated[int | None, typer.Option(help="only this stage")] = None,
    seed: Annotated[str | None, typer.Option(help="the same random data as in an earlier run")] = None,
) -> None:
    """Run the public tests against your solution: points by stage, failures as stories, the next thing to do."""
    console = _console()
    try:
        solution = checking.find_solution(assignment, path, Path.cwd())
        numbers = [row.number for row in solution.assignment.stages]
        if stage is not None and stage not in numbers:
            raise checking.CheckError(
                f"there is no stage {stage}: {assignment} has {numbers[0]} to {numbers[-1]}."
            )
        records = _run(console, solution, stage, seed)
    except (checking.CheckError, AssignmentError, ProgramsError) as error:
        raise _refuse(str(error)) from None
    check_report.show_summary(console, solution.assignment, records, stage)
    if any(record["outcome"] != "pass" for record in records) or not records:
        raise typer.Exit(1)


def _run(
    console: Console, solution: checking.Solution, stage: int | None, seed: str | None
) -> list[dict[str, Any]]:
    """Run the checks and say each as it ends; the reports."""
    reports: list[dict[str, Any]] = []
    forbidden = checking.forbidden_by_stage(solution)
    for record in checking.run_checks(solution, stage, seed):
        if record["record"] == "report":
            row = solution.assignment.check(record["check"])
            if record["outcome"] == "pass" and (broken := forbidden.get(row.stage)):
                record = {**record, "outcome": "fail", "message": broken}
            reports.append(record)
            check_report.show_line(console, row, record)
            if record["outcome"] not in ("pass", "skipped"):
                check_report.show_story(console, row, record)
                console.print()
        elif record["record"] == "trouble" or (record["record"] == "build" and not record["ok"]):
            console.print(check_report.printable(record["text"]), style="yellow", markup=False)
    return reports


@app.command("doctor")
def doctor_() -> None:
    """What this machine can do, and for each missing thing the one command that would bring it."""
    console = _console()
    for finding in doctor.examine():
        sign = "[green]✓[/]" if finding.there else "[red]✗[/]"
        console.print(f"{sign} [bold]{finding.name}[/]: {escape(finding.what)}")
        console.print(f"    good for {finding.good_for}", style="dim")
        if finding.remedy:
            console.print(f"    to have it: {escape(finding.remedy)}")
    console.print("\n`lab check` needs none of these but Python.", style="dim")


@app.command()
def profiles() -> None:
    """The link profiles, with the reason for each."""
    console = _console()
    for profile in load_profiles().values():
        console.print(f"[bold]{profile.name}[/]: {profile.why}")
        for way, side in (("student to tester", profile.up), ("tester to student", profile.down)):
            words = str(netem_words(side)) if side != Profile() else "unchanged"
            console.print(f"    {way}: {words}", style="dim", soft_wrap=True)
    console.print("\nThe words are those of `tc qdisc add dev IF root netem ...`.", style="dim")


@app.command()
def link(
    profile: Annotated[str, typer.Argument(help="one of `lab profiles`")],
    listen: Annotated[
        str, typer.Option(help="where you connect to: HOST:PORT for TCP, udp:HOST:PORT; port 0 picks one")
    ],
    to: Annotated[str, typer.Option(help="where the program is that you want to reach")],
    up: Annotated[
        list[str] | None, typer.Option(metavar="FIELD=VALUE", help="change the way to it, such as delay=0.2")
    ] = None,
    down: Annotated[
        list[str] | None, typer.Option(metavar="FIELD=VALUE", help="change the way back, such as loss=0.1")
    ] = None,
    seed: Annotated[int, typer.Option(help="the same seed loses the same packets")] = 1,
    seconds: Annotated[float | None, typer.Option(min=0, help="end by itself after so long")] = None,
) -> None:
    """A path through an impaired link between two programs of yours, with counters; Ctrl-C ends it."""
    try:
        plan = play.make_plan(profile, listen=listen, to=to, up=up or (), down=down or (), seed=seed)
        play.play(plan, _console(), seconds=seconds)
    except (play.PlayError, LabError) as error:
        raise _refuse(str(error)) from None


def main() -> None:
    """The entry point; an interrupted run is no error of the program."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
