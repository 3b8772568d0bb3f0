"""What every program of this assignment promises the shell: its exit status, its one line of complaint, its end.

You get this file unchanged. It holds no socket; stage 8 of the handout says the same in words.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import NoReturn

#: Exit statuses. 0 means that both streams are whole.
BROKEN_OUTPUT = 1  #: nobody reads what this program writes
USAGE = 2  #: the command line is wrong
CANNOT_CONNECT = 3  #: no connection: nobody answers, or a reset does; or the address is not ours to listen on
BROKEN_PROTOCOL = 4  #: the peer reset the connection
GAVE_UP = 5  #: the peer of an open connection is silent
TERMINATED = 128 + signal.SIGTERM  #: as a shell says it of a program that SIGTERM ended


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


def announce(address: object) -> None:
    """Tell whoever started this program that a peer may come. On standard error: standard output carries the data."""
    print(f"listening on {address}", file=sys.stderr, flush=True)
