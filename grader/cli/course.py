"""`grader course`: the file of a course."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from grader import course as courses
from grader.cli.app import GraderCommands, app, console
from grader.course_file import the_course_of
from grader.course_new import new_course
from grader.gradebook import settings, terms
from grader.reports.text import line, shell

course = typer.Typer(cls=GraderCommands, no_args_is_help=True, help="The file of a course, course.toml.")
app.add_typer(course, name="course", rich_help_panel="A term")


@course.command()
def new(
    folder: Annotated[Path, typer.Argument(help="the course's folder, new or there already")],
    zone: Annotated[str, typer.Option(help="the course's time zone, by its IANA name")] = "Europe/Berlin",
) -> None:
    """Write a commented course.toml, and a secret of its own."""
    names = courses.this_course().names()
    for path in new_course(folder, names, year=datetime.now().year, zone=zone):
        console().print(Text(line(str(path))))
    made = the_course_of(folder, names)  # what was written can be read
    path = settings.write_settings(made.folder, course=made.name, zone=made.zone.key, url=terms.url_of(made))
    console().print(Text(line(f"{path} (nbgrader and formgrader run with it)")))
    console().print(Text(line(f"Edit {folder / 'course.toml'}; then: grader run {shell(str(folder))}")))


@course.command()
def show(folder: Annotated[Path, typer.Argument(help="the course's folder, or one in it")]) -> None:
    """Read course.toml, and say what it decides; a mistake is named with its line."""
    found = the_course_of(folder, courses.this_course().names())
    console().print(Text(line(f"{found.title}, {found.term} ({found.zone.key})")))
    for row in found.assignments:
        due = f"due {found.local(row.due)}" if row.due else "no deadline"
        console().print(Text(line(f"  {row.name}: {due}, weight {row.weight:g}")))
    for what, path in (("submissions", found.submitted), ("results", found.run)):
        console().print(Text(line(f"{what}: {path}"), style="dim"))
