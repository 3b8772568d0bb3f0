r"""Text of unknown origin, made safe to look at: the only place that decides what may be printed. Pure.

Rule: what a terminal, a browser or an XML reader would act on without showing it (control characters, escape
sequences, marks that turn the direction of writing, bytes that are not UTF-8) becomes an escape such as \x1b or \u202e.
"""

from __future__ import annotations

#: The spaces other than " " (category Zs). Harmless, but a program's output may differ by one from what was due.
SPACES = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"


def printable(text: str | bytes, *, keep: str = "") -> str:
    r"""The text with everything escaped that is not printable; `keep` are the characters left as they are.

    >>> printable("a\x1b[2J\n")
    'a\\x1b[2J\\n'
    >>> printable(b"caf\xe9\n", keep="\n")
    'caf\\xe9\n'
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in keep else _escape(char) for char in text)


def _escape(char: str) -> str:
    if 0xDC80 <= ord(char) <= 0xDCFF:  # a byte that was not UTF-8, as surrogateescape keeps it
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
