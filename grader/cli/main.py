"""All of `grader`."""

from __future__ import annotations

import sys

from grader.cli import audit as _audit
from grader.cli import course as _course
from grader.cli import export as _export
from grader.cli import farm as _farm
from grader.cli import grade as _grade
from grader.cli import gradebook as _gradebook
from grader.cli import hook as _hook
from grader.cli import interop as _interop
from grader.cli import likeness as _likeness
from grader.cli import merge as _merge
from grader.cli import questions as _questions
from grader.cli import record as _record
from grader.cli import release as _release
from grader.cli import rerun as _rerun
from grader.cli import run as _run
from grader.cli import term as _term
from grader.cli.app import app
from harness.lab.signals import hear_all_signals

__all__ = ["app", "main"]
_COMMANDS = (
    _run,
    _merge,
    _farm,
    _interop,
    _likeness,
    _record,
    _rerun,
    _grade,
    _audit,
    _questions,
    _export,
    _term,
    _gradebook,
    _hook,
    _course,
    _release,
)  # importing them has hung them on


def main() -> None:
    """The entry point; an interrupt before anything has begun is not an error."""
    hear_all_signals()
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
