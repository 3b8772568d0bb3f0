"""`grader release` and `grader images`: what students get, and what they are graded in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from grader import course as courses
from grader.bench.choose import make_images
from grader.cli import app as program
from grader.cli.app import app
from grader.release import repository
from grader.release.starters import differences, write_starters


@app.command()
def release(
    out: Annotated[Path | None, typer.Option(help="write the whole student repository into this folder")] = None,
    check: Annotated[bool, typer.Option("--check", help="only list what is out of date in assignments/")] = False,
) -> None:
    """Make assignments/ from reference/ and the public tests; with --out, the repository that students clone."""
    console = program.console()
    course = courses.this_course()
    if check:
        stale = [line for name in course.names() for line in differences(course, name)]
        if stale:
            console.print(Text("\n".join([*stale, "To make it fresh: grader release"])))
            raise typer.Exit(1)
        console.print(Text(f"assignments/ is fresh: {', '.join(course.names()) or 'nothing in it'}"))
        return
    if out is not None:
        files = repository.build(course)
        repository.write(files, out)
        console.print(Text(f"{len(files)} files in {out}, searched for answers, hidden tests and private files"))
        return
    for name in course.names():
        for path in write_starters(course, name):
            console.print(Text(path))


@app.command()
def images() -> None:
    """Make the Docker lab's images now instead of at the first grading."""
    console = program.console()
    made = make_images(lambda text: console.print(Text(text, style="dim")))
    console.print(Text(f"The images are there: {made}"))
