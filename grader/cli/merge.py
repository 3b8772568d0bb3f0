"""`grader merge`: what several machines graded apart, as one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from grader import course as courses
from grader.campaign.merge import merge as merge_runs
from grader.cli import app as program
from grader.cli.app import app
from grader.record.record import Record
from grader.record.run_folder import RunFolder
from grader.reports.text import line, no_command
from harness.errors import UsageError, cause_of


@app.command(rich_help_panel="Grade")
def merge(
    runs: Annotated[list[Path], typer.Argument(help="folders of runs, such as grader run --shard made them")],
    out: Annotated[Path, typer.Option(help="folder of the run that gets their results")],
) -> None:
    """Put the results of several runs together; what is there twice is taken once.

    Give all of these runs the same --seed (or $SOCKETLAB_SECRET), and this one, if it is to be gone on with.
    """
    console = program.console()
    sources = [Record(path) for path in runs]
    if out.resolve() in [path.resolve() for path in runs]:
        raise UsageError(f"{out} is one of the runs that are to be merged. Give another folder as --out.")

    def say(text: str) -> None:
        console.print(Text(no_command(line(text)), style="yellow"), soft_wrap=True)

    with RunFolder(out) as folder:
        try:
            merged = merge_runs(folder, sources, courses.this_course(), say)
            index = folder.write_index([])
        except OSError as error:
            raise UsageError(f"{out}: {cause_of(error)}. What was merged until then stays; say it again.") from None
    console.print(Text(f"{merged.taken} taken, {merged.kept} were there already, or better."))
    console.print(Text(line(f"Report: {index}")))
