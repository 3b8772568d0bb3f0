"""`grader likeness`: which submissions are alike, as hints for a person."""

from __future__ import annotations

from typing import Annotated

import typer

from grader import course as courses
from grader.cli.app import app
from grader.cli.kept import RunOf, Wait, say, writing
from grader.likeness.whole import MOST_PAIRS, find_hints
from grader.reports.text import line


@app.command(rich_help_panel="Grade")
def likeness(
    run: RunOf,
    assignment: Annotated[str, typer.Argument(help="which assignment")],
    most: Annotated[int, typer.Option(min=1, max=500, help="how many pairs are told")] = MOST_PAIRS,
    wait: Wait = 0.0,
) -> None:
    """Say which submissions are alike: hints for a person, by compare50 in a container; never a verdict."""
    course = courses.this_course()
    course.load(assignment)
    with writing(run, wait) as folder:
        page, rows = find_hints(course, folder, assignment, _dim, most=most)
    for row in rows[:5]:
        _say(f"{row['one']} and {row['other']}: {len(row['passages'])} passages")
    _say(f"{len(rows)} pairs, hints for a person: {page}")


def _say(text: str, style: str = "") -> None:
    say(line(text), style)


def _dim(text: str) -> None:
    _say(text, "dim")
