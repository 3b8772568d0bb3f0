"""`grader rerun`: a grading once more, or a whole run, to see whether every verdict says the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from grader import course as courses
from grader.bench.choose import choose_place
from grader.bench.local import Place, closing
from grader.campaign.again import Difference, Rerun
from grader.campaign.crowd import labs_here
from grader.campaign.repeats import Races, Repeated, Repetition, in_all, races_of
from grader.campaign.tasks import of_another_secret
from grader.cli.app import app
from grader.cli.kept import RunOf, Wait, say, the_course, the_secret, writing
from grader.course import Course
from grader.course_file import CourseFile
from grader.record.record import Kept, check_of
from grader.record.run_folder import RunFolder
from grader.reports.pages import counted
from harness.course.languages import DEFAULT
from harness.errors import UsageError

OfStudent = Annotated[str | None, typer.Argument(help="as the folder is called; without: everybody")]
OfAssignment = Annotated[str | None, typer.Argument(metavar="[ASSIGNMENT]", help="without: all of the student's")]


@app.command(rich_help_panel="Defend a point")
def rerun(
    run: RunOf,
    student: OfStudent = None,
    assignment: OfAssignment = None,
    check: Annotated[str | None, typer.Argument(help="one check: its number, its name or its id")] = None,
    times: Annotated[int, typer.Option(min=1, max=1000, help="how often")] = 1,
    races: Annotated[
        Path | None, typer.Option(help="the class's expected.toml: where it says [low, high], luck has a say")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, max=64, help="labs side by side; 0: as many as fit")] = 0,
    seed: Annotated[str | None, typer.Option(help="the secret it was graded with, unless the run has it")] = None,
    trust_submissions: Annotated[bool, typer.Option("--trust-submissions", help="run it here without Docker")] = False,
    wait: Wait = 0.0,
) -> None:
    """Grade the same copies once more, with the same seed and link, and say whether they agree. All are kept.

    Of everybody, or of one student, what has been repeated already is not repeated: the same command again goes on.
    """
    course = courses.this_course()
    lucky = races_of(races) if races else {}
    with writing(run, wait) as folder:
        file = the_course(run)
        secret = the_secret(folder, file, seed)
        if student is not None and assignment is not None:
            kept = folder.front(student, assignment)
            with closing(_place(course, folder, file, [kept], trust_submissions)) as place:
                other = _one(Rerun(course, folder, place, secret, kept, _id_of(kept, check)), times)
        else:
            asked = [pair for pair in sorted(folder.journal.finished()) if student in (None, pair[0])]
            if not asked:
                raise UsageError(f"{folder.path} has nothing of {student or 'anybody'} to repeat. Look at: grader show")
            if others := of_another_secret(folder, secret, asked):
                raise UsageError(f"{others[0]} was graded with another secret. Give the one it was graded with: --seed")
            other = _all(
                course,
                folder,
                file,
                secret,
                [folder.front(*pair) for pair in asked],
                times,
                lucky,
                workers,
                trust_submissions,
            )
    raise typer.Exit(1 if other else 0)


def _id_of(kept: Kept, check: str | None) -> str:
    return str(check_of(kept.result, check)["id"]) if check else ""


def _place(course: Course, folder: RunFolder, file: CourseFile | None, kept: Sequence[Kept], trusted: bool) -> Place:
    """A lab as that in which some results were made."""
    return choose_place(
        course,
        lab=kept[0].result["lab"]["kind"],
        engine="auto",
        submitted=folder.path,
        trusted=trusted,
        assignments=sorted({one.result["assignment"] for one in kept}),
        say=lambda text: say(text, style="dim"),
        languages=file.languages if file else DEFAULT,
    )


def _one(again: Rerun, times: int) -> int:
    """Repeat one grading; how many repetitions say something else."""
    for remark in again.remarks():
        say(remark, style="yellow")
    other = 0
    for one in again.go(times, lambda _: None):
        other += bool(one.differences)
        say(f"{one.number} of {times}: {_agrees(one.checks, len(one.differences))} ({one.short})")
        _list(one.differences)
    return other


def _all(
    course: Course,
    folder: RunFolder,
    file: CourseFile | None,
    secret: bytes,
    kept: Sequence[Kept],
    times: int,
    races: Races,
    workers: int,
    trusted: bool,
) -> int:
    """Repeat many; how many verdicts say something else that nothing explains, or could not be repeated."""
    rows: list[Repeated] = []
    for kind in sorted({str(one.result["lab"]["kind"]) for one in kept}):
        mine = [one for one in kept if one.result["lab"]["kind"] == kind]
        pairs = [(str(one.result["student"]), str(one.result["assignment"])) for one in mine]
        with closing(_place(course, folder, file, mine, trusted)) as place:
            what = Repetition(course, folder, place, secret, pairs, times, races, workers or labs_here())
            for name in what.go():
                say(f"{name} is done", style="dim")
            rows += what.said()
    for row in sorted(rows, key=lambda row: (row.student, row.assignment)):
        if row.why:
            say(f"{row.name}: {row.why}", style="yellow")
        elif not (row.differences or row.races):
            say(f"{row.name}: {_agrees(row.verdicts, 0)}")
        else:
            say(f"{row.name}: {_agrees(row.verdicts, len(row.differences) + len(row.races))}")
        _list(row.differences)
        _list(row.races, "a race: ")
    told = in_all(rows)
    say(
        f"{counted(told['submissions'], 'submission')}, {counted(told['verdicts'], 'verdict')} repeated:"
        f" {told['agree']} agree, {told['races']} differ in stages of races, {told['differ']} differ elsewhere;"
        f" {counted(told['left'], 'submission')} left."
    )
    return int(told["differ"] + told["left"])


def _agrees(checks: int, differences: int) -> str:
    what = f"{checks} check{'s' if checks != 1 else ''}"
    return f"agrees in {what}" if not differences else f"differs in {differences} of {what}"


def _list(found: Sequence[Difference], why: str = "") -> None:
    for row in found:
        say(f"  {why}{row.check}: {row.before}, and now {row.now}", style="" if why else "yellow")
