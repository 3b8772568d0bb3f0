### GIVEN TO STUDENTS
"""What every program of this assignment promises the shell: its exit status, its one line of complaint, its end.

You get this file unchanged. It holds no socket; the handout's page "The process contract" says the same in words.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import NoReturn

#: Exit statuses. 0 is success, as everywhere.
SERVER_SAID_ERROR = 1  #: the server answered `error REASON`
USAGE = 2  #: the command line is wrong, or names a file that cannot be sent
CANNOT_CONNECT = 3  #: a client cannot connect, a server cannot listen
BROKEN_PROTOCOL = 4  #: the peer broke the protocol: a reset, an end inside a frame, an invalid reply
GAVE_UP = 5  #: nobody answered in time


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


def count(text: str) -> int:
    """A positive whole number from the command line."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def write_out(data: bytes) -> None:
    """Write bytes to standard output, unmodified and at once (a pipe is buffered until it is flushed)."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def announce(address: object) -> None:
    """Tell whoever started this server that clients may come. Without the flush, a pipe would keep the line."""
    print(f"listening on {address}", flush=True)


def end_on_sigterm() -> None:
    """Make SIGTERM raise SystemExit(0) in the main thread, wherever it waits, so that `finally` clauses run."""

    def end(_signum: int, _frame: object) -> NoReturn:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
