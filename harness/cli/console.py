"""How every command speaks: one console, and one place that says why a command was not carried out."""

from __future__ import annotations

import codecs
import os
import sys
from typing import IO, Any, TextIO, cast

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from harness.errors import CommandError, shortage
from harness.formats.words import no_command
from harness.text.printable import printable

#: Signs that older encodings lack (the consoles of Windows, a terminal of plain ASCII), and what is written instead.
_PLAIN = {"✓": "+", "✗": "x", "–": "-", "—": "-", "…": "...", "·": "-", "µ": "u", "→": "->", "←": "<-"}


#: What a message may hold besides printable characters. Names of files and folders in it must not drive a terminal.
_LAYOUT = "\n\t"


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


class _Log:
    """Standard output or standard error as the log of a CI that takes some lines for commands: none of ours is one."""

    def __init__(self, *, stderr: bool) -> None:
        self._stderr = stderr

    @property
    def _stream(self) -> TextIO:
        return sys.stderr if self._stderr else sys.stdout

    @property
    def encoding(self) -> str:
        return self._stream.encoding

    def write(self, text: str) -> int:
        return self._stream.write(no_command(text))

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()


def console(*, stderr: bool = False) -> Console:
    """Where a command prints. GitHub, Forgejo and Gitea set GITHUB_ACTIONS, and act on what is printed."""
    if os.environ.get("GITHUB_ACTIONS"):
        return Console(highlight=False, emoji=False, file=cast(IO[str], _Log(stderr=stderr)))
    return Console(highlight=False, emoji=False, stderr=stderr)


class Commands(TyperGroup):
    """The commands of one program. A CommandError of any of them ends it with the message and status 2."""

    speaker = "lab"  #: who says the message

    def invoke(self, ctx: Any) -> Any:
        """Carry out what was typed."""
        try:
            return super().invoke(ctx)
        except CommandError as error:
            said = no_command(printable(f"{self.speaker}: {error}", keep=_LAYOUT))
            Console(stderr=True, highlight=False).print(Text(said), soft_wrap=True)
            raise typer.Exit(2) from None
        except (OSError, MemoryError, RuntimeError) as error:
            if not (why := shortage(error)):
                raise
            Console(stderr=True, highlight=False).print(Text(f"{self.speaker}: {why}"), soft_wrap=True)
            raise typer.Exit(2) from None
