"""A run folder, as several commands name it, open it and speak of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from grader import course as courses
from grader.cli.app import console
from grader.course_file import CourseFile, course_of
from grader.record.record import Record, run_of
from grader.record.run_folder import RunFolder
from grader.reports.text import no_command, visible

RunOf = Annotated[Path, typer.Argument(metavar="RUN", help="the folder of a run, or of a course")]
Student = Annotated[str, typer.Argument(help="as the folder is called")]
OfAssignment = Annotated[str, typer.Argument(metavar="ASSIGNMENT")]
Wait = Annotated[float, typer.Option(help="seconds to wait for another one who writes into RUN")]


def say(text: str, style: str = "") -> None:
    """Print lines; none of them begins as a command for a CI does. An id of a test has `::` in its middle."""
    lines = [no_command(row) if row.lstrip().startswith("::") or "##[" in row else row for row in text.split("\n")]
    console().print(Text(visible("\n".join(lines)), style=style))


def the_course(path: Path) -> CourseFile | None:
    """The course that a folder is, or that has it as its run; None if there is none."""
    return course_of(path, courses.this_course().names())


def the_record(path: Path) -> Record:
    """A run, to read. Raises UsageError."""
    return Record(run_of(path, the_course(path)))


@contextlib.contextmanager
def writing(path: Path, wait: float) -> Iterator[RunFolder]:
    """A run, to write into; nobody else does meanwhile. Raises UsageError."""
    course = the_course(path)
    with RunFolder(run_of(path, course), course=course, new=False, wait=wait) as folder:
        yield folder


def the_secret(folder: RunFolder, course: CourseFile | None, typed: str | None) -> bytes:
    """The secret of a run that goes on: as typed, else $SOCKETLAB_SECRET, else the course's. Raises CommandError."""
    return folder.secret(typed or os.environ.get("SOCKETLAB_SECRET") or (course.read_secret() if course else None))
