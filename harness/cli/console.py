"""How every `lab` command speaks: one console, and one way to refuse."""

from __future__ import annotations

import codecs
import sys

import typer
from rich.console import Console

#: Signs that older encodings lack (the consoles of Windows, a terminal of plain ASCII), and what is written instead.
_PLAIN = {"✓": "+", "✗": "x", "–": "-", "—": "-", "…": "...", "·": "-", "µ": "u", "→": "->", "←": "<-"}


def _in_plain_signs(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(sign, "?") for sign in lacking), error.end


codecs.register_error("plain signs", _in_plain_signs)


def tolerate_any_encoding() -> None:
    """From now on no sign that standard output or error cannot encode ends the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="plain signs")


def console() -> Console:
    """Where a command prints."""
    return Console(highlight=False, emoji=False)


def refuse(message: str) -> typer.Exit:
    """Say on standard error why nothing was done; to be raised."""
    Console(stderr=True, highlight=False).print(f"lab: {message}", markup=False, soft_wrap=True)
    return typer.Exit(2)
