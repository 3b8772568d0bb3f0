"""The line of a program that a failure speaks of. Pure.

Rule: only a file that was handed in is named. A program may print what it likes, so a place is where to look first, and
nothing is decided by it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from harness.formats.result import Place

#: How Python's tracebacks, the look for forbidden names, and compilers say a line, after the name of the file.
_LINE = re.compile(r'(?P<quote>"?)(?:, line |:)(?P<number>\d{1,7})(?!\d)')
_SIGNS_OF_NAMES = re.compile(r"[\w./-]")
#: Characters of a text that are looked through, from its end: the last line named is the innermost one.
_MOST = 20_000
#: Longest name of a file.
_MOST_NAME = 400


def place_in(texts: Iterable[str], files: Collection[str], folder: str = "") -> Place | None:
    """The last line named in the first of the texts that names one; `files` are relative to `folder`.

    >>> place_in(['File "/tmp/x/server.py", line 12, in main'], ["server.py"], "blocking")
    Place(file='blocking/server.py', line=12)
    """
    for text in texts:
        end = text[-_MOST:]
        for found in reversed(list(_LINE.finditer(end))):
            before = end[max(0, found.start() - _MOST_NAME) : found.start()]
            file = _known(before.rpartition('"')[2] if found["quote"] else _last_name(before), files)
            number = int(found["number"])
            if file and number:
                return Place(f"{folder}/{file}" if folder else file, number)
    return None


def _last_name(text: str) -> str:
    """What looks like the name of a file at the end of a text."""
    begin = len(text)
    while begin and _SIGNS_OF_NAMES.match(text[begin - 1]):
        begin -= 1
    return text[begin:]


def _known(name: str, files: Collection[str]) -> str:
    """The longest end of a path that is one of the files; empty if none is."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    ends = ("/".join(parts[begin:]) for begin in range(len(parts)))
    return next((end for end in ends if end in files), "")
