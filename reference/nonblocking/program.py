### GIVEN TO STUDENTS
"""What every program of this assignment promises the shell: its exit status, its one line of complaint, its end.

You get this file unchanged. It holds no socket; the handout's page "The process contract" says the same in words.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn

#: Exit statuses. 0 is success, as everywhere.
NOT_ALL = 1  #: fetch_all only: at least one address did not give everything
USAGE = 2  #: the command line is wrong
CANNOT_CONNECT = 3  #: a server cannot listen


def fail(status: int, message: object) -> NoReturn:
    """Say in one line on standard error what happened, and end with this status."""
    name = os.path.basename(sys.argv[0]).removesuffix(".py")
    print(f"{name}: {message}", file=sys.stderr)
    raise SystemExit(status)


class CommandLine(argparse.ArgumentParser):
    """An argument parser that complains in one line and ends with status 2."""

    def __init__(self, description: str) -> None:
        super().__init__(description=description, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Called by argparse for every mistake on the command line."""
        fail(USAGE, message)


def seconds(text: str) -> float:
    """A positive number of seconds from the command line."""
    value = float(text)
    if not 0 < value < 1e6:
        raise ValueError
    return value


def print_line(text: str) -> None:
    """Print a line at once (a pipe is buffered until it is flushed)."""
    print(text, flush=True)


def announce(address: object) -> None:
    """Tell whoever started this server that clients may come. Without the flush, a pipe would keep the line."""
    print(f"listening on {address}", flush=True)
