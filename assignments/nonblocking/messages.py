"""What is inside the lines of the chat protocol.

    request   = "nick" SP name / "join" SP room / "part" SP room / "say" SP room SP text / "quit"
    reply     = "ok" / "error" SP reason
    broadcast = room SP name SP text
    notice    = "dropped" SP number
    name      = 1*32( letter / digit / "." / "_" / "-" )      room = name       text = 1*( any character but LF )

Pure: text in, text out. Lines are in framing.py.
"""

from __future__ import annotations

import re
from typing import NamedTuple

NAME = re.compile(r"[A-Za-z0-9._-]{1,32}")
#: How many words follow each command; the last word of `say` is the rest of the line.
WORDS = {"nick": 1, "join": 1, "part": 1, "say": 2, "quit": 0}


class BadRequest(Exception):
    """The request is none of the five, or cannot be granted; the text is the reason for the `error` reply."""


class Request(NamedTuple):
    """One request."""

    command: str  #: "nick", "join", "part", "say" or "quit"
    name: str = ""  #: of a person for nick, of a room for join, part and say
    text: str = ""  #: for say


def parse_request(line: str) -> Request:
    """Read a line. Raises BadRequest."""
    raise NotImplementedError(
        "stage 3: split at single spaces, as many words as the command has; look at the name"
    )
