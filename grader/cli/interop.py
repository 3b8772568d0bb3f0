"""`grader interop`: the submissions of a run meet each other; the matrix, the leaderboard, each student's own row."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from grader import course as courses
from grader.bench.choose import choose_place
from grader.bench.local import closing
from grader.campaign.crowd import labs_here
from grader.campaign.estimate import in_words
from grader.cli.app import LabKind, LinkEngine, app, console
from grader.cli.kept import RunOf, Wait, say, the_course, the_record, the_secret, writing
from grader.course import Course
from grader.course_interop import InteropSettings
from grader.farm import trust
from grader.farm.choose import farm_place
from grader.interop.whole import Interop, expected
from grader.record.record import Record
from grader.reports.text import line
from harness.course.languages import DEFAULT
from harness.errors import UsageError
from harness.lab.signals import end_tidily
from harness.text.nearest import nearest


@app.command(rich_help_panel="Grade")
def interop(
    run: RunOf,
    assignment: Annotated[str | None, typer.Option(help="which, if several of them have meetings")] = None,
    peers: Annotated[int | None, typer.Option(min=1, help="how many others each submission meets")] = None,
    everybody: Annotated[bool, typer.Option("--all", help="each meets every other one")] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="only say how many meetings that is, and how long")
    ] = False,
    student: Annotated[list[str] | None, typer.Option(help="only this student (may be given again)")] = None,
    lab: Annotated[LabKind, typer.Option(help="auto: Docker if an engine answers, else local")] = LabKind.auto,
    engine: Annotated[LinkEngine, typer.Option(help="what impairs the link")] = LinkEngine.auto,
    workers: Annotated[int, typer.Option(min=0, max=64, help="labs side by side at most; 0: what fits")] = 0,
    seed: Annotated[str | None, typer.Option(help="the course's secret, unless the run has it")] = None,
    trust_submissions: Annotated[
        bool, typer.Option("--trust-submissions", help="run them here without Docker")
    ] = False,
    scheduler: Annotated[str, typer.Option(help="on a farm: tls://HOST:8786 (docs/farm.md)")] = "",
    certificates: Annotated[Path | None, typer.Option(help="the farm's, for tls://")] = None,
    wait: Wait = 0.0,
) -> None:
    """Let submissions meet each other and the course's own, and say whose doing each failure is (docs/interop.md)."""
    end_tidily()
    course = courses.this_course()
    file = the_course(run)
    settings = file.interop if file else InteropSettings()
    name = _assignment(course, assignment)
    met = None if everybody else peers or settings.peers
    workers = workers or labs_here()
    _tell_estimate(the_record(run), name, student or [], met, workers)
    if estimate:
        return
    with writing(run, wait) as folder:
        if scheduler:
            place, workers = farm_place(course, trust.checked(scheduler, certificates), certificates, _dim)
        else:
            place = choose_place(
                course,
                lab=lab,
                engine=engine,
                submitted=folder.path,
                trusted=trust_submissions,
                assignments=[name],
                say=_dim,
                languages=file.languages if file else DEFAULT,
            )
        with closing(place):
            if place.unprotected:
                _say(place.unprotected, "yellow")
            loaded, secret = course.load(name), the_secret(folder, file, seed)
            interop = Interop(
                course, folder, place, loaded, secret, settings, workers, _dim, peers=met, students=student or []
            )
            status = _show(interop)
    raise typer.Exit(status)


def _show(interop: Interop) -> int:
    """Play everything and show how it goes; returns the exit status."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    interrupted = False
    with Progress(*columns, console=console(), transient=True) as progress:
        bar = progress.add_task("meetings", total=None, left="")
        try:
            for one in interop.go():
                left = (one.all - one.done) * one.seconds / max(1, interop.meetings.crowd.now)
                told = f"{in_words(left)} left, {one.failing} cells fail"
                progress.update(bar, completed=one.done, total=one.all, left=told)
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        _say("Interrupted. What was played is kept; the same command again plays the rest.", "yellow")
        return 130
    cells = [cell for one in interop.played for cell in one.cells]
    count = {state: sum(cell.state == state for cell in cells) for state in ("well", "fails", "undecided")}
    _say(f"{len(cells)} cells: {count['well']} well, {count['fails']} fail, {count['undecided']} undecided.")
    _say(f"The matrix: {interop.folder.path / 'index.html'}")
    return 1 if count["undecided"] else 0


def _assignment(course: Course, asked: str | None) -> str:
    """Which assignment. Raises UsageError."""
    there = [name for name in course.names() if course.meeting_version(name)]
    if asked is None and len(there) == 1:
        return there[0]
    if asked is None:
        raise UsageError(f"which assignment? {', '.join(there)} have meetings: --assignment NAME")
    if asked not in there:
        raise UsageError(f'submissions of "{line(asked)}" do not meet each other. {nearest(asked, there)}')
    return asked


def _tell_estimate(record: Record, name: str, only: list[str], peers: int | None, workers: int) -> None:
    there = {
        student for student, graded in record.journal.finished() if graded == name and (not only or student in only)
    }
    meetings, seconds = expected(len(there), peers, workers)
    _say(
        f"{len(there)} submissions of {name}, {meetings} meetings at most, {in_words(seconds)}"
        f" on up to {workers} lab{'s' if workers != 1 else ''}; what was played before is not played again."
    )


def _say(text: str, style: str = "") -> None:
    say(line(text), style)


_dim = functools.partial(_say, style="dim")
