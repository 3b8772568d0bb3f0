"""The program `grader` that the commands are hung on."""

from __future__ import annotations

import typer
from rich.console import Console

from harness.cli.console import Commands


class GraderCommands(Commands):
    """Those of `grader`."""

    speaker = "grader"


app = typer.Typer(cls=GraderCommands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def _grader() -> None:
    """The judge: grades submissions, and releases assignments."""


def console() -> Console:
    """Where a command of `grader` prints."""
    return Console(highlight=False, soft_wrap=True)
