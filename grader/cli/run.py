"""`grader run`: grade a class, and show how it goes."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from grader import course as courses
from grader.bench.choose import choose_place
from grader.bench.local import Place, closing
from grader.campaign.campaign import Campaign
from grader.campaign.crowd import labs_here
from grader.campaign.estimate import Estimate, in_words
from grader.campaign.plan import GradingJob, Plan, make_plan
from grader.campaign.progress import Display
from grader.campaign.shard import Shard
from grader.campaign.tasks import of_another_secret
from grader.cli import app as program
from grader.cli.app import LabKind, LinkEngine, app
from grader.course_file import CourseFile, course_of
from grader.farm import trust
from grader.farm.choose import farm_place
from grader.record.run_folder import RunFolder
from grader.reports.terminal import class_table
from grader.reports.text import line, no_command
from harness.course.languages import DEFAULT
from harness.errors import UsageError, cause_of
from harness.lab.signals import end_tidily


@app.command(rich_help_panel="Grade")
def run(
    submitted: Annotated[
        Path, typer.Argument(help="folder of submissions, SUBMITTED/<student>/<assignment>/, or of a course")
    ],
    out: Annotated[
        Path | None, typer.Option(help="folder of this run; the same one again finishes what is left")
    ] = None,
    assignment: Annotated[list[str] | None, typer.Option(help="only this assignment (may be given again)")] = None,
    student: Annotated[list[str] | None, typer.Option(help="only this student (may be given again)")] = None,
    lab: Annotated[LabKind, typer.Option(help="auto: Docker if an engine answers, else local")] = LabKind.auto,
    engine: Annotated[LinkEngine, typer.Option(help="what impairs the link")] = LinkEngine.auto,
    workers: Annotated[
        int, typer.Option(min=0, max=64, help="labs side by side at most; 0: as many as the machine carries")
    ] = 0,
    seed: Annotated[
        str | None, typer.Option(help="the course's secret; else $SOCKETLAB_SECRET, else the run's own")
    ] = None,
    trust_submissions: Annotated[
        bool, typer.Option("--trust-submissions", help="run them here without Docker")
    ] = False,
    scheduler: Annotated[str, typer.Option(help="grade on a farm: tls://HOST:8786 (docs/farm.md)")] = "",
    certificates: Annotated[Path | None, typer.Option(help="the farm's, for tls://")] = None,
    shard: Annotated[
        str, typer.Option(help="only this part of the class: 2/5 is the second of five (grader merge joins them)")
    ] = "1/1",
    reseed: Annotated[bool, typer.Option("--reseed", help="grade again what was graded with another secret")] = False,
    again: Annotated[bool, typer.Option("--again", help="run again what waits for a person")] = False,
    wait: Annotated[float, typer.Option(help="seconds to wait for another one who writes into the run")] = 0.0,
) -> None:
    """Grade a folder of submissions."""
    console = program.console()
    say = functools.partial(_say, console)
    end_tidily()
    scheduler = scheduler and trust.checked(scheduler, certificates)
    course = courses.this_course()
    file = course_of(submitted, course.names())
    if file is not None:
        out = out or file.run
        submitted = file.submitted if submitted.resolve() == file.folder.resolve() else submitted
    if out is None:
        raise UsageError("--out is missing: where results go. A folder with a course.toml has a place for them.")
    plan = make_plan(course, submitted.absolute(), assignments=assignment or [], students=student or [])
    part = Shard.read(shard)
    plan.jobs = [job for job in plan.jobs if part.has(job.student)]
    if out.resolve().is_relative_to(submitted.resolve()):
        raise UsageError(f"{out} is inside {submitted}: results among submissions. Give another folder.")
    with RunFolder(out, course=file, wait=wait) as folder:
        secret = folder.secret(_secret(file, seed))
        _refuse_another_secret(folder, secret, [] if reseed else plan.jobs)
        if scheduler:
            place, carried = farm_place(course, scheduler, certificates, say)
        else:
            place = choose_place(
                course,
                lab=lab,
                engine=engine,
                submitted=submitted,
                trusted=trust_submissions,
                assignments=sorted({job.assignment.name for job in plan.jobs}),
                say=say,
                languages=file.languages if file else DEFAULT,
            )
            carried = labs_here()
        with closing(place):
            workers = workers or carried
            campaign = Campaign(course, folder, place, secret, workers=workers, again=again)
            estimate = Estimate(plan.jobs, lambda: campaign.crowd.now, os.cpu_count() or 1)
            _begins(console, folder, len(plan.jobs), workers, estimate.left(), place)
            status = _show(console, campaign, plan, folder, estimate)
    raise typer.Exit(status)


def _say(console: Console, text: str) -> None:
    console.print(Text(line(text), style="dim"))


def _begins(console: Console, folder: RunFolder, jobs: int, workers: int, seconds: float, place: Place) -> None:
    """Say where the report will be, how much there is to do, and where it is done."""
    console.print(Text(line(f"Report: {folder.path / 'index.html'}")))
    side = f"up to {workers} labs side by side" if workers > 1 else "one lab"
    kind = f"{place.kind} lab, link engine {place.engine}"
    console.print(Text(f"{jobs} submission{'s' if jobs != 1 else ''}, {side}, {in_words(seconds)}, {kind}"))
    if place.unprotected:
        console.print(Text(place.unprotected, style="yellow"))


def _secret(file: CourseFile | None, typed: str | None) -> str | None:
    """The secret that seeds derive from; None: the run's own. Raises UsageError where two are given, SetupError."""
    told = [("--seed", typed), ("$SOCKETLAB_SECRET", os.environ.get("SOCKETLAB_SECRET"))]
    name, given = next(((name, secret) for name, secret in told if secret), ("", None))
    kept = file.read_secret() if file else None
    if file and given and kept and given != kept:
        raise UsageError(
            f"{name} is another secret than the one that {file.path} names, so nobody could repeat this grading."
            f" Leave {name} out, or put it where {file.path} says."
        )
    return given or kept


def _refuse_another_secret(folder: RunFolder, secret: bytes, jobs: Sequence[GradingJob]) -> None:
    """Raises UsageError where results would be graded again only because the secret is another one."""
    others = of_another_secret(folder, secret, [(job.student, job.assignment.name) for job in jobs])
    if others:
        raise UsageError(
            f"{len(others)} of the results in {folder.path} were graded with another secret, as that of {others[0]},"
            " and would all be graded again. Give the secret that they were graded with (--seed, $SOCKETLAB_SECRET),"
            " or another --out; if they are to be graded again: --reseed."
        )


#: Seconds between two pages of a class while it is graded, at least.
_RENEWED = 1.0


def _show(console: Console, campaign: Campaign, plan: Plan, folder: RunFolder, estimate: Estimate) -> int:
    """Run the campaign and show its progress; returns the exit status."""
    interrupted, unfinished = False, 0
    results: list[dict[str, Any]] = []
    try:
        due = 0.0
        with Display(console, len(plan.jobs), estimate) as display:
            for event in campaign.events(plan.jobs):
                display.see(event)
                if event.kind == "ends" and event.result is not None:
                    results.append(event.result)
                if event.kind != "goes on" and (begun := time.monotonic()) >= due:
                    with contextlib.suppress(OSError):  # what is full now may have room in the end
                        folder.write_index(plan.remarks, left=len(plan.jobs) - len(results), going=True)
                    took = time.monotonic() - begun
                    due = begun + max(_RENEWED, 20 * took)  # a large class takes longer, and its workers wait for it
                unfinished += event.kind == "breaks"
    except KeyboardInterrupt:
        interrupted = True
    left = len(plan.jobs) - len(results) if interrupted else 0
    index, no_index = folder.path / "index.html", ""
    try:
        folder.write_index([*plan.remarks, *plan.absent], left=left)
    except OSError as error:
        no_index = f"{index} could not be written: {cause_of(error)}. The same command again writes it."
    for name in sorted({result["assignment"] for result in results}):
        rows = [result for result in results if result["assignment"] == name]
        console.print(class_table(sorted(rows, key=lambda row: os.fsencode(row["student"]))))
    for remark in plan.remarks:
        console.print(Text(no_command(line(remark)), style="yellow"))
    for sentence in plan.absent:
        console.print(Text(no_command(line(sentence)), style="dim"))
    if interrupted:
        console.print(Text(f"Interrupted. {left} left; the same command again does the rest.", style="yellow"))
        return 130
    console.print(Text(no_index, style="yellow") if no_index else Text(line(f"Report: {index}")))
    waiting = sum(result["state"] in ("undecided", "ours") for result in results)
    return 1 if waiting or unfinished or plan.remarks or no_index else 0
