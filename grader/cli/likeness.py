"""`grader likeness`: which submissions are alike, as hints for a person."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from grader import course as courses
from grader.cli.app import app, console
from grader.course_file import course_of
from grader.likeness.whole import MOST_PAIRS, find_hints
from grader.record.record import run_of
from grader.record.run_folder import RunFolder
from grader.reports.text import line, no_command


@app.command(rich_help_panel="Grade")
def likeness(
    run: Annotated[Path, typer.Argument(help="the folder of a run, or of a course")],
    assignment: Annotated[str, typer.Argument(help="which assignment")],
    most: Annotated[int, typer.Option(min=1, max=500, help="how many pairs are told")] = MOST_PAIRS,
    wait: Annotated[float, typer.Option(help="seconds to wait for another one who writes into the run")] = 0.0,
) -> None:
    """Say which submissions are alike: hints for a person, by compare50 in a container; never a verdict."""
    course = courses.this_course()
    file = course_of(run, course.names())
    course.load(assignment)
    with RunFolder(run_of(run, file), course=file, new=False, wait=wait) as folder:
        page, rows = find_hints(course, folder, assignment, _dim, most=most)
    for row in rows[:5]:
        _say(f"{row['one']} and {row['other']}: {len(row['passages'])} passages")
    _say(f"{len(rows)} pairs, hints for a person: {page}")


def _say(text: str, style: str = "") -> None:
    console().print(Text(no_command(line(text)), style=style))


def _dim(text: str) -> None:
    _say(text, "dim")
