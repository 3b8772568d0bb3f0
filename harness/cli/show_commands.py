"""`lab show`: the course's vocabulary, each word with a demonstration that runs. No logic here."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from harness.cli.console import console
from harness.show.index import GROUPS, find
from harness.show.telling import WIDTH, Kind, Line, Sink

#: How each kind of line looks, where there are colours; no meaning is in them alone.
_STYLES: Mapping[Kind, str] = {
    "title": "bold",
    "ask": "bold yellow",
    "head": "bold",
    "step": "cyan",
    "note": "dim",
    "seen": "green",
}

#: Columns that prose has at least; a narrower terminal wraps it once more.
LEAST = 40


def show(
    concept: Annotated[str, typer.Argument(help="such as half-close; none: list all")] = "",
    pause: Annotated[bool, typer.Option("--pause", help="wait for Enter before each step: predict first")] = False,
) -> None:
    """A concept on one page, with a demonstration that runs while you read: real sockets, the kernel's own tables."""
    terminal = console()
    if not concept:
        _list(terminal)
        return
    found = find(concept)
    from harness.show import pages  # its demonstrations need a moment to load

    pages.show(found, _sink(terminal, pause=pause), width=max(LEAST, min(WIDTH, terminal.width)))


def _list(terminal: Console) -> None:
    for group, concepts in GROUPS.items():
        terminal.print(Text(f"\n{group}", "bold"))
        for concept in concepts:
            terminal.print(Text(f"  {concept.name:<24}{concept.title}"), soft_wrap=True)
    terminal.print("\n`lab show half-close` shows one; --pause waits before each step.", style="dim")


def _sink(terminal: Console, *, pause: bool) -> Sink:
    def printed(line: Line) -> None:
        if pause and (line.kind == "step" or line.text.startswith("What you saw")):
            _wait(terminal)
        terminal.print(Text(line.text, _STYLES.get(line.kind, "")), soft_wrap=True)

    return printed


def _wait(terminal: Console) -> None:
    """Until Enter; at the end of the input nobody is there to wait for."""
    terminal.print("     [dim]Enter ...[/]", end="\r")
    sys.stdin.readline()


#: In the order in which `lab --help` shows them.
COMMANDS = (show,)
