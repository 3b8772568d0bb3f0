"""The line of a program that a failure speaks of. Pure.

Rule: only a file that was handed in is named. A program may print what it likes, so a place is where to look first, and
nothing is decided by it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from harness.formats.result import Place

#: How Python's tracebacks, the look for forbidden names, and compilers name a line.
_FORMS = re.compile(
    r'File "(?P<traceback>[^"\n]{1,400})", line (?P<at>\d{1,7})'
    r"|(?P<told>[\w./-]{1,200}), line (?P<line>\d{1,7})"
    r"|(?P<compiler>[\w./-]{1,200}\.\w{1,8}):(?P<number>\d{1,7})(?=[:\s]|$)"
)
#: Characters of a text that are looked through, from its end: the last line named is the innermost one.
_MOST = 20_000


def place_in(texts: Iterable[str], files: Collection[str], folder: str = "") -> Place | None:
    """The last line named in the first of the texts that names one; `files` are relative to `folder`.

    >>> place_in(['File "/tmp/x/server.py", line 12, in main'], ["server.py"], "blocking")
    Place(file='blocking/server.py', line=12)
    """
    for text in texts:
        for found in reversed(list(_FORMS.finditer(text[-_MOST:]))):
            name = found["traceback"] or found["told"] or found["compiler"]
            number = int(found["at"] or found["line"] or found["number"])
            file = _known(name, files)
            if file and number:
                return Place(f"{folder}/{file}" if folder else file, number)
    return None


def _known(name: str, files: Collection[str]) -> str:
    """The longest end of a path that is one of the files; empty if none is."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    ends = ("/".join(parts[begin:]) for begin in range(len(parts)))
    return next((end for end in ends if end in files), "")
