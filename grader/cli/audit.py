"""`grader audit`: how often is a verdict wrong?"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from grader import course as courses
from grader.audit.audit import Audit, shares
from grader.audit.load import Load
from grader.audit.parts import Batch, Options, batches_of
from grader.audit.specimen import PARTS
from grader.audit.summary import Line
from grader.campaign.campaign import JobEvent
from grader.campaign.estimate import Estimate, in_words
from grader.campaign.progress import Display
from grader.cli import app as program
from grader.cli.app import LabKind, LinkEngine, app
from grader.reports.text import line
from harness.errors import UsageError
from harness.lab.signals import end_tidily
from harness.text.nearest import nearest


@app.command(rich_help_panel="Grade")
def audit(
    parts: Annotated[list[str] | None, typer.Argument(help=f"of {', '.join(PARTS)}; all, if none is named")] = None,
    out: Annotated[Path, typer.Option(help="folder of this audit; the same one again finishes what is left")] = Path(
        "runs/audit"
    ),
    assignment: Annotated[list[str] | None, typer.Option(help="only this assignment (may be given again)")] = None,
    only: Annotated[str, typer.Option(help="only specimens with this in their name")] = "",
    sample: Annotated[int, typer.Option(min=0, help="generated mutants of each assignment")] = Options.sample,
    rounds: Annotated[int, typer.Option(min=1, help="gradings of each correct program")] = Options.rounds,
    load: Annotated[list[Load] | None, typer.Option(help="what the machine does besides, in repetition")] = None,
    lab: Annotated[
        LabKind, typer.Option(help="auto: mutants and alternates local, attacks in Docker, repetition in both")
    ] = LabKind.auto,
    engine: Annotated[LinkEngine, typer.Option(help="what impairs the link, in Docker")] = LinkEngine.auto,
    workers: Annotated[int, typer.Option(min=0, max=64, help="labs side by side at most; 0: as many as fit")] = 0,
    seed: Annotated[str, typer.Option(help="what is drawn, and what the gradings derive theirs from")] = Options.seed,
    whole: Annotated[bool, typer.Option("--all", help="every check and every generated mutant: days")] = False,
    minutes: Annotated[float | None, typer.Option(min=0.1, help="stop after so long, with what was seen")] = None,
    against: Annotated[
        Path | None, typer.Option(help="repeat this audit (its folder or audit.json), and tell what is other")
    ] = None,
) -> None:
    """Grade known bugs, known good programs and attacks, and say how often the verdict was wrong.

    The exit status is 1 if any of it was.
    """
    console = program.console()
    end_tidily()
    published = _published(against)
    options = Options(
        parts=tuple(_part(name) for name in parts or PARTS),
        assignments=tuple(assignment or ()),
        only=only,
        sample=sample,
        rounds=rounds,
        loads=tuple(load or [Load.quiet]),
        lab=lab.value,
        engine=engine.value,
        seed=seed,
        whole=whole,
    )
    if published is not None:
        options = _same(published, options)

    def say(text: str) -> None:
        console.print(Text(line(text), style="dim"))

    course = courses.this_course()
    batches = batches_of(course, options, say)
    if not batches:
        raise UsageError("there is nothing to grade: no specimen has that in its name. Leave --only out.")
    run = Audit(course, out.absolute(), options, say, workers)
    interrupted = _grade(console, run, batches, minutes)
    found, lines = run.written(shlex.join(["grader", *sys.argv[1:]]), against=published)
    _show(console, lines, found, run)
    if interrupted:
        raise typer.Exit(130)
    raise typer.Exit(0 if all(one.met for one in lines) and not (found["drift"] or {}).get("verdicts") else 1)


def _grade(console: Console, run: Audit, batches: list[Batch], minutes: float | None) -> bool:
    """Grade all batches; whether somebody interrupted."""

    def watch(events: Iterator[JobEvent], estimate: Estimate, batch: Batch) -> None:
        count = len(batch.specimens)
        console.print(Text(f"{batch.part}, {batch.condition}: {count} gradings, {in_words(estimate.left())}"))
        with Display(console, count, estimate) as display:
            for event in events:
                display.see(event)

    for batch, until in shares(batches, minutes):
        try:
            run.grade(batch, watch, until)
        except KeyboardInterrupt:
            return True
    return False


def _show(console: Console, lines: list[Line], found: dict[str, Any], run: Audit) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("", "what", "seen", "with 95 %", "should be"):
        table.add_column(heading, justify="right" if heading == "seen" else "left")
    for one in lines:
        sign = Text("✓", style="green") if one.met else Text("✗", style="red")
        table.add_row(sign, one.what, str(one.share), one.bound, one.goal)
    console.print(table)
    for finding in run.findings:
        if not finding.well:
            where = f"{finding.assignment}, {finding.name} ({finding.condition})"
            console.print(Text(line(f"{finding.verdict}: {where}: {finding.told or finding.about}"), style="yellow"))
    for what, there, here in (found["drift"] or {}).get("machine", ()):
        console.print(Text(line(f"{what}: {there} there, {here} here"), style="dim"))
    for name, there, here in (found["drift"] or {}).get("verdicts", ()):
        console.print(Text(line(f"changed: {name}: {there} there, {here} here"), style="yellow"))
    if run.left:
        console.print(Text(f"{run.left} were not graded; the same command again does them.", style="yellow"))
    console.print(Text(line(f"Report: {run.out / 'audit.html'}")))


def _part(name: str) -> Any:
    if name not in PARTS:
        raise UsageError(f'an audit has no part "{name}". {nearest(name, PARTS)}')
    return name


def _published(path: Path | None) -> dict[str, Any] | None:
    """The audit.json to compare with. Raises UsageError."""
    if path is None:
        return None
    file = path / "audit.json" if path.is_dir() else path
    try:
        found = json.loads(file.read_bytes())
        Options.from_json(found["options"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file} is not an audit: {error}. Give the folder that `grader audit --out` named.") from None
    assert isinstance(found, dict)
    return found


def _same(published: dict[str, Any], typed: Options) -> Options:
    """The options of a published audit; of what was typed, where it runs."""
    kept = Options.from_json(published["options"]).to_json()
    return Options.from_json({**kept, "lab": typed.lab if typed.lab != "auto" else kept["lab"], "engine": typed.engine})
