"""`lab run`: pieces that were written apart, together and live. No logic here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import check as checking
from harness.cli.console import console


def run(
    assignment: Annotated[str, typer.Argument(help="which assignment: capstone")] = "capstone",
    path: Annotated[Path | None, typer.Argument(help="folder of your solution; default: the starter's own")] = None,
    profile: Annotated[str, typer.Option(help="the link, one of `lab profiles`")] = "wifi-lossy",
    seed: Annotated[int, typer.Option(min=0, help="the same seed loses the same packets")] = 1,
    size: Annotated[int, typer.Option("--bytes", min=0, max=10_000_000, help="of the page")] = 3_000,
    call: Annotated[bool, typer.Option("--call", help="a remote procedure call instead of a page")] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="wait for a client of your own instead of starting one")
    ] = False,
    rows: Annotated[int, typer.Option(min=2, max=10_000, help="packets shown at most; the rest is folded")] = 60,
) -> None:
    """curl, your TLS, your transport and a web server together: what happens, and a ladder of all three layers."""
    from harness.cli import composed  # it loads the harness of three assignments

    solution = checking.find_solution(assignment, path, Path.cwd())
    what = composed.Run(solution=solution, profile=profile, seed=seed, size=size, call=call, serve=serve)
    if not composed.run(console(), what, rows=rows):
        raise typer.Exit(1)


#: In the order in which `lab --help` shows them.
COMMANDS = (run,)
