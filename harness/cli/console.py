"""Output of every `lab` command: one console, and one way to refuse."""

from __future__ import annotations

import typer
from rich.console import Console


def console() -> Console:
    """Where a command prints."""
    return Console(highlight=False, emoji=False)


def refuse(message: str) -> typer.Exit:
    """Print on standard error why nothing was done; returns the exception to raise."""
    Console(stderr=True, highlight=False).print(f"lab: {message}", markup=False, soft_wrap=True)
    return typer.Exit(2)
