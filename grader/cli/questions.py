"""`grader questions`: notebooks of questions, tried by their author and graded for a class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from grader import course as courses
from grader.campaign.plan import make_plan
from grader.cli.app import GraderCommands, app, console
from grader.course_file import the_course_of
from grader.questions import cells as released
from grader.questions.result import Answered
from grader.questions.source import SOURCE, Source
from grader.questions.submitted import Cell, cells_of
from grader.record.questions import Questions
from grader.reports.text import line
from grader.verdict.scoring import number
from harness.errors import UsageError

if TYPE_CHECKING:  # what talks to Docker is brought when it is needed
    from harness.lab.docker.notebook import Notebooks

questions = typer.Typer(cls=GraderCommands, no_args_is_help=True, help="Notebooks of questions: predict, run, see.")
app.add_typer(questions, name="questions", rich_help_panel="Grade")


def _say(text: str, style: str = "") -> None:
    console().print(Text(line(text), style=style))


def _say_dim(text: str) -> None:
    _say(text, "dim")


@questions.command("try")
def attempt(
    assignment: Annotated[str, typer.Argument(help="an assignment with a questions.md in reference/")],
    times: Annotated[int, typer.Option(min=1, help="run the reference so many times")] = 1,
) -> None:
    """Run the reference's answers and an empty notebook: all points, and none."""
    from grader.campaign.notebooks import copies, notebook_image
    from harness.lab.docker.notebook import Notebooks

    source = courses.this_course().questions(assignment)
    if source is None:
        raise UsageError(f"reference/{assignment}/{SOURCE} is not there: this assignment has no questions.")
    reference = cells_of(source, released.notebook(source))
    wrong = 0
    with Notebooks(notebook_image(_say_dim)) as nodes, copies() as empty:
        for number_of in range(times):
            wrong += _tried(nodes, Path(empty), source, reference, f"the reference, run {number_of + 1}")
        nothing = cells_of(source, released.unanswered(source))
        wrong += _tried(nodes, Path(empty), source, nothing, "an empty notebook", 0)
    raise typer.Exit(1 if wrong else 0)


def _tried(nodes: Notebooks, folder: Path, source: Source, cells: Sequence[Cell], what: str, due: float = 1.0) -> int:
    """Run cells and say what came of them; how many questions have not what is due: all their points, or none."""
    from grader.job.questions import grade as graded_by

    graded = graded_by(nodes, folder, source, cells)
    _say(f"{what}: {_sum(graded.answers)}, {graded.seconds:.1f} s in cells, {graded.attempts} attempt(s)")
    wrong = 0
    for one in graded.answers:
        hand = one.outcome == "hand"
        earned = one.possible if hand else one.points
        if earned != one.possible * due:
            wrong += 1
        _say(
            f"  {one.outcome:<12} {number(one.points)}/{number(one.possible)}  {one.name}  {one.message}",
            "red" if earned != one.possible * due else "",
        )
        for name, value in one.values.items():
            _say(f"      {name} = {value!r}"[:160], "dim")
    for cell, outputs in zip(cells, graded.outputs, strict=True):
        for output in outputs:
            if output.get("kind") == "error":
                wrong += 1
                last = str(output.get("text", "")).strip().splitlines()[-1:]
                _say(f"  the cell {cell.name} raised {last}", "red")
    return wrong


def _sum(answers: Sequence[Answered]) -> str:
    points, possible = sum(one.points for one in answers), sum(one.possible for one in answers)
    undecided = sum(one.undecided for one in answers)
    waits = f", {number(undecided)} wait for a person" if undecided else ""
    return f"{number(points)} of {number(possible)} points{waits}"


@questions.command("grade")
def grade(
    folder: Annotated[Path, typer.Argument(help="the course's folder")],
    assignment: Annotated[list[str] | None, typer.Option(help="only this assignment (may be given again)")] = None,
    student: Annotated[list[str] | None, typer.Option(help="only this student (may be given again)")] = None,
    workers: Annotated[int, typer.Option(min=1, max=16, help="notebooks side by side")] = 2,
    again: Annotated[
        bool, typer.Option("--again", help="run again what waits through no fault of the student's")
    ] = False,
) -> None:
    """Grade the notebooks that were handed in, each in a node of its own. Started again, it does what is left."""
    from grader.campaign.notebooks import grade_class, notebook_image

    course = courses.this_course()
    file = the_course_of(folder, course.names())
    plan = make_plan(course, file.submitted, assignments=assignment or [], students=student or [])
    kept = Questions(file.folder)
    undecided = same = done = 0
    image = notebook_image(_say_dim)
    for name, row in grade_class(course, kept, plan.jobs, image, workers=workers, again=again):
        if row is None:
            same += 1
            continue
        done += 1
        undecided += row["state"] in ("undecided", "ours")
        _say(f"{name}: {_line_of(row)}", "yellow" if row["state"] != "graded" else "")
    _say(f"{done} graded, {same} as before: {kept.path}")
    raise typer.Exit(1 if undecided else 0)


def _line_of(row: dict[str, Any]) -> str:
    if row["state"] in ("refused", "ours", "missing"):
        return str(row["message"])
    waits = f", {number(row['undecided'])} wait for a person" if row["undecided"] else ""
    return f"{number(row['points'])} of {number(row['possible'])}{waits}"
