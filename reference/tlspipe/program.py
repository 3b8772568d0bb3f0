### GIVEN TO STUDENTS
"""What every program of this assignment promises the shell: its exit status, its one line of complaint, its log.

You get this file unchanged. It holds no socket; the handout's page "The process contract" says the same in words.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn

#: Exit statuses. 0 is success, as everywhere; those of `--once` are in endings.py.
USAGE = 2  #: the command line is wrong, or a file on it cannot be used
CANNOT_LISTEN = 3


def fail(status: int, message: object) -> NoReturn:
    """Say in one line on standard error what happened, and end with this status."""
    say(f"{os.path.basename(sys.argv[0]).removesuffix('.py')}: {message}")
    raise SystemExit(status)


def say(line: str) -> None:
    """One line on standard error. A log that nobody reads any more is not a reason to end."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        pass


class CommandLine(argparse.ArgumentParser):
    """An argument parser that complains in one line and ends with status 2."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, allow_abbrev=False, **kwargs)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Called by argparse for every mistake on the command line."""
        fail(USAGE, message)


def seconds(text: str) -> float:
    """A positive number of seconds from the command line."""
    value = float(text)
    if not 0 < value < 1e6:
        raise ValueError
    return value


def announce(address: object) -> None:
    """Tell whoever started this program that connections may come. Without the flush, a pipe would keep the line."""
    print(f"listening on {address}", flush=True)
