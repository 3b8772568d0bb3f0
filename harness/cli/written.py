"""Where results in formats go, and what the machine adds to them: the time, the environment, the repository."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import UsageError, cause_of
from harness.formats.choose import Wanted
from harness.formats.result import Context, Result

#: The variables in which a CI says where the repository is.
_ROOTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")


def context_now(*, leaderboard: bool = False) -> Context:
    """The time and the environment of this process."""
    return Context(now=datetime.now(UTC), environment=dict(os.environ), leaderboard=leaderboard)


def repository() -> Path:
    """What places are relative to: the CI's checkout, else the current folder."""
    for name in _ROOTS:
        folder = os.environ.get(name, "")
        if folder and Path.cwd().is_relative_to(folder):
            return Path(folder)
    return Path.cwd()


def write(result: Result, formats: Sequence[Wanted], context: Context) -> None:
    """Write a result in each format, to its file or to standard output. Raises UsageError."""
    for one in formats:
        text = one.render(result, context)
        if one.file:
            save(Path(one.file), text)
        else:
            # As it is in a file, whatever the terminal's encoding: a reader of XML or CSV is told nothing of that.
            sys.stdout.flush()
            sys.stdout.buffer.write(text.encode("utf-8"))
            sys.stdout.buffer.flush()


def save(file: Path, text: str, *, append: bool = False) -> None:
    """Write a file as UTF-8, making its folder. Raises UsageError."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a" if append else "w", encoding="utf-8", newline="") as opened:
            opened.write(text)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {cause_of(error)}.") from None
