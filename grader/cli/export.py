"""`grader export`: a saved result in the formats of others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from grader.cli.app import app
from grader.export.convert import result_of
from grader.export.saved import load_result
from grader.reports.view import instructor_view, student_view
from harness.cli import written
from harness.errors import UsageError
from harness.formats.choose import FORMATS, wanted


@app.command(rich_help_panel="Grade")
def export(
    run: Annotated[Path, typer.Argument(help="folder of a run, that of `grader run --out`")],
    student: Annotated[str, typer.Argument(help="the student's folder in it")],
    assignment: Annotated[str, typer.Argument(help="the assignment")],
    format_: Annotated[
        str, typer.Option("--format", metavar="FORMAT[=FILE]", help=f"one of {', '.join(FORMATS)}")
    ] = "text",
    instructor: Annotated[
        bool, typer.Option("--instructor", help="everything, hidden checks too; default: what the student may see")
    ] = False,
    leaderboard: Annotated[
        bool, typer.Option("--leaderboard", help="gradescope: compare students in public by their points")
    ] = False,
) -> None:
    """A saved result in another format; what a student may not see is left out."""
    chosen = wanted(format_)
    if leaderboard and chosen.name != "gradescope":
        raise UsageError(f"{chosen.name} has no leaderboard. Leave --leaderboard out, or write --format gradescope.")
    saved = load_result(run, student, assignment)
    view = instructor_view(saved) if instructor else student_view(saved)
    try:
        now = datetime.fromisoformat(saved["graded_at"])
    except (KeyError, TypeError, ValueError):
        now = datetime.now(UTC)
    context = replace(written.context_now(leaderboard=leaderboard), now=now)
    written.write(result_of(view, student=student), [chosen], context)
