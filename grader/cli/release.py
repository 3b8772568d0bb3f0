"""`grader release` and `grader images`: what students get, and what they are graded in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from grader import course as courses
from grader.bench.choose import make_images, tools_of_images
from grader.cli import app as program
from grader.cli.app import app
from grader.course import Course
from grader.course_file import the_course_of
from grader.export import autograder as autograders
from grader.release import repository
from grader.release.starters import differences, write_starters
from harness.course.languages import DEFAULT, Grader
from harness.errors import UsageError, cause_of
from harness.lab.tools import in_words


@app.command(rich_help_panel="What students get")
def release(
    out: Annotated[Path | None, typer.Option(help="write the whole student repository into this folder")] = None,
    check: Annotated[bool, typer.Option("--check", help="only list what is out of date in assignments/")] = False,
    gradescope: Annotated[Path | None, typer.Option(help="write an autograder for Gradescope into this ZIP")] = None,
    classroom50: Annotated[
        Path | None, typer.Option(help="write an autograder for Classroom 50 into this new folder")
    ] = None,
    assignment: Annotated[str | None, typer.Option(help="for which assignment the autograder is")] = None,
    of: Annotated[
        Path | None, typer.Option("--course", help="a course's folder: its languages, and its secret for --hidden")
    ] = None,
    hidden: Annotated[
        bool, typer.Option("--hidden", help="--gradescope: with the hidden checks; read docs/ci.md first")
    ] = False,
) -> None:
    """Make assignments/ from reference/ and the public tests; with --out, the repository that students clone."""
    console = program.console()
    course = courses.this_course()
    if bool(gradescope or classroom50) != bool(assignment) or (hidden and not gradescope):
        raise UsageError("an autograder needs --assignment NAME, and without one it has no place; --hidden likewise.")
    if gradescope or classroom50:
        for line in _write_autograders(course, assignment or "", gradescope, classroom50, hidden=hidden, of=of):
            console.print(Text(line), soft_wrap=True)
        return
    if check:
        stale = [line for name in course.names() for line in differences(course, name)]
        if stale:
            console.print(Text("\n".join([*stale, "To make it fresh: grader release"])))
            raise typer.Exit(1)
        console.print(Text(f"assignments/ is fresh: {', '.join(course.names()) or 'nothing in it'}"))
        return
    if out is not None:
        languages = _languages(of)
        files = repository.build(course, Grader(languages=languages, tools=tools_of_images(languages)))
        repository.write(files, out)
        console.print(Text(f"{len(files)} files in {out}, searched for answers, hidden tests and private files"))
        return
    for name in course.names():
        for path in write_starters(course, name):
            console.print(Text(path))


def _write_autograders(
    course: Course, assignment: str, gradescope: Path | None, classroom50: Path | None, *, hidden: bool, of: Path | None
) -> Iterator[str]:
    """Write the autograders that were asked for; what to do with each. Raises CommandError."""
    if gradescope is not None:
        secret = _secret(course, of) if hidden else ""
        files = autograders.gradescope(course, assignment, hidden=hidden, secret=secret, languages=_languages(of))
        data = autograders.archive_of(files)
        try:
            gradescope.write_bytes(data)
        except OSError as error:
            raise UsageError(f"{gradescope} cannot be written: {cause_of(error)}.") from None
        described = course.load(assignment)
        points = described.points if hidden else sum(check.points for check in described.checks_of(suite="public"))
        yield f"{gradescope}: upload it as the autograder of {assignment}, which gives up to {points:g} points"
        if hidden and not secret:
            yield (
                "Made again it has other hidden data: with --course COURSE, or $SOCKETLAB_SECRET, everybody's stay as "
                "they are."
            )
    if classroom50 is not None:
        repository.write(autograders.classroom50(course, assignment), classroom50)
        yield f"{classroom50}: put it into the classroom's repository as CLASSROOM/autograders/ASSIGNMENT/"


@app.command(rich_help_panel="What students get")
def images(folder: Annotated[Path | None, typer.Argument(help="the course, for its languages")] = None) -> None:
    """Make the Docker lab's images now instead of at the first grading, and say what is in them."""
    console = program.console()
    made = make_images(lambda text: console.print(Text(text, style="dim")), _languages(folder))
    for image in made:
        took = "was there" if image.made_in is None else f"made in {image.made_in:.0f} s"
        what = f": {in_words(image.tools)}" if image.tools else ""
        console.print(Text(f"{image.name}  {image.size / 1e6:,.0f} MB, {took}{what}"), soft_wrap=True)


def _secret(course: Course, folder: Path | None) -> str:
    """The secret that hidden data derive from; empty if nothing says it. Raises UsageError, SetupError."""
    told = os.environ.get("SOCKETLAB_SECRET")
    return told or (the_course_of(folder, course.names()).read_secret() if folder else None) or ""


def _languages(folder: Path | None) -> tuple[str, ...]:
    """The languages of the course in a folder. Raises UsageError (it is none), SetupError."""
    return DEFAULT if folder is None else the_course_of(folder, courses.this_course().names()).languages
