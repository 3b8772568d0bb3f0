"""The program `grader` that the commands are hung on, and options that several of them have."""

from __future__ import annotations

from enum import StrEnum

import typer
from rich.console import Console

from harness.cli.console import Commands


class LabKind(StrEnum):
    """Where submissions run."""

    auto = "auto"
    docker = "docker"
    local = "local"


class LinkEngine(StrEnum):
    """What impairs the link."""

    auto = "auto"
    netem = "netem"
    router = "router"


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
