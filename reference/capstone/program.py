### GIVEN TO STUDENTS
"""What the programs of this assignment promise the shell: their exit status, their one line of complaint.

You get this file unchanged. The handout's page "The process contract" says the same in words.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import NoReturn

#: Exit statuses. 0 is success, as everywhere.
USAGE = 2  #: the command line is wrong
CANNOT_CONNECT = 3  #: or, of a server, cannot listen
ERROR = 4  #: rpc_client: the server answered with an error
NO_ANSWER = 5  #: rpc_client: the stream ended without an answer, or what came is none


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
    """Tell whoever started this program that a client may come. Without the flush, a pipe would keep the line."""
    print(f"listening on {address}", flush=True)
