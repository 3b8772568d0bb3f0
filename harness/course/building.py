"""What the output of a failed build says of tools that are not there. Pure.

Rule: this makes sentences only. What a build prints is its author's choice, so no state and no point hangs on it.
"""

from __future__ import annotations

import re

_NAME = r"[‘'`]?([\w.+-]{1,40})[’'`]?"
#: How make, the usual shells and env say that there is no such program.
_NOT_FOUND = (
    rf"^make(?:\[\d+\])?: {_NAME}: (?:No such file or directory|Permission denied|Command not found)$",
    rf"^\S*sh: (?:(?:line )?\d+: )?{_NAME}: (?:command )?not found$",
    rf"^(?:\S*/)?env: {_NAME}: No such file or directory$",
)


def missing_tool(log: str) -> str:
    r"""The tool that a build asked for and did not find; empty if its output names none.

    >>> missing_tool("make: rustc: No such file or directory\nmake: *** [Makefile:2: client] Error 127")
    'rustc'
    >>> missing_tool("/bin/sh: 1: cargo: not found")
    'cargo'
    >>> missing_tool("main.c:3: error: stdio.h: No such file or directory")
    ''
    """
    for pattern in _NOT_FOUND:
        if found := re.search(pattern, log, re.MULTILINE):
            return found[1]
    return ""
