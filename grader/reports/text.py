r"""Text of unknown origin, made safe to look at. Pure.

Rule: what a terminal or a browser would act on without showing it (control characters, escape sequences, marks that
change the direction of writing, bytes that are not UTF-8) becomes a visible escape such as \x1b or \u202e.
"""

from __future__ import annotations

import re
import unicodedata

#: Categories that draw nothing: control, format, surrogate, private use, line and paragraph separators.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


#: What begins a command in a GitHub Actions log. Tables wrap, so it may end up at the beginning of a line.
_COMMAND = re.compile(r":(?=:)|#(?=#\[)")


def visible(text: str, *, keep: str = "\n\t") -> str:
    r"""The text with everything invisible escaped; `keep` are the characters left as they are.

    >>> visible("a\x1b[31mb\r\n")
    'a\\x1b[31mb\\r\n'
    >>> visible("caf\udce9")
    'caf\\xe9'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char in keep else _escape(char) for char in text)


def line(text: str) -> str:
    r"""The text on one line.

    >>> line("one\ntwo")
    'one\\ntwo'
    """
    return visible(text, keep="")


def no_command(text: str) -> str:
    r"""The text without what a CI takes for a command in its log: `::` where a line begins, `##[` anywhere.

    >>> no_command("::error::x ##[group]")
    '\\x3a:error\\x3a:x \\x23#[group]'
    """
    return _COMMAND.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8, as surrogateescape keeps it
        return f"\\x{code - 0xDC00:02x}"
    if unicodedata.category(char) in _UNSEEN:
        return char.encode("unicode_escape").decode("ascii")
    return char
