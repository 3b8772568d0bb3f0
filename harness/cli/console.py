"""How every command speaks: one console, and one place that says why a command was not carried out."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from harness.errors import CommandError


def console() -> Console:
    """Where a command prints."""
    return Console(highlight=False, emoji=False)


class Commands(TyperGroup):
    """The commands of one program. A CommandError of any of them ends it with the message and status 2."""

    speaker = "lab"  #: who says the message

    def invoke(self, ctx: Any) -> Any:
        """Carry out what was typed."""
        try:
            return super().invoke(ctx)
        except CommandError as error:
            Console(stderr=True, highlight=False).print(Text(f"{self.speaker}: {error}"), soft_wrap=True)
            raise typer.Exit(2) from None
