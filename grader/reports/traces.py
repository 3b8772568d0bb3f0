"""Tracebacks of Python in texts of unknown origin: which file of the submission they name, and which line. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_NAMED = re.compile(r'File "([^"\n]{1,400})", line (\d{1,6})')


@dataclass(frozen=True)
class Shown:
    """A file on the page of sources."""

    number: int  #: its place on the page, from 0
    lines: int  #: how many lines of it are shown

    def anchor(self, at: int) -> str:
        """The anchor of a line, counted from 1."""
        return f"f{self.number}-{at}"


@dataclass(frozen=True)
class Part:
    """A stretch of a text."""

    text: str
    anchor: str = ""  #: where it leads on the page of sources; empty: nowhere


def parts(text: str, sources: Mapping[str, Shown]) -> list[Part]:
    """The text in stretches; those that name a line that is shown lead there. Nothing is left out or added.

    >>> [part.anchor for part in parts('x File "/w/a.py", line 2 y', {"a.py": Shown(0, 9)})]
    ['', 'f0-2', '']
    """
    found: list[Part] = []
    begin = 0
    for match in _NAMED.finditer(text) if sources else ():
        shown, at = _find(match[1], sources), int(match[2])
        if shown is None or not 1 <= at <= shown.lines:
            continue
        found += [Part(text[begin : match.start()]), Part(match[0], shown.anchor(at))]
        begin = match.end()
    return [part for part in [*found, Part(text[begin:])] if part.text]


def _find(path: str, sources: Mapping[str, Shown]) -> Shown | None:
    """The file of a submission that a path in its node names: the longest end of the path that is one.

    A path into Python's own library may end like a file of the submission; where that is so nothing is linked.
    """
    if "/lib/python" in path:
        return None
    names = path.split("/")
    ends = ("/".join(names[begin:]) for begin in range(len(names)))
    return next((sources[end] for end in ends if end in sources), None)
