"""Text of unknown origin as the reports show it. Pure. What may be printed decides harness/text/printable.py."""

from __future__ import annotations

import re
import shlex

from harness.text.printable import SPACES, printable

#: What begins a command in a GitHub Actions log. Tables wrap, so it may end up at the beginning of a line.
_COMMAND = re.compile(r":(?=:)|#(?=#\[)")


def visible(text: str, *, keep: str = "\n\t") -> str:
    r"""The text with everything invisible escaped; `keep` are the characters left as they are.

    >>> visible("a\x1b[31mb\r\n")
    'a\\x1b[31mb\\r\n'
    >>> visible("caf\udce9")
    'caf\\xe9'
    """
    return text if text.isprintable() else printable(text, keep=keep + SPACES)


def line(text: str) -> str:
    r"""The text on one line.

    >>> line("one\ntwo")
    'one\\ntwo'
    """
    return visible(text, keep="")


def shell(*words: str) -> str:
    r"""Words as one pastes them into a shell (bash, zsh, and every other since POSIX.1-2024), on one line.

    >>> shell("my run", "o'hara", "a\nb"), shell("caf\udce9")
    ('\'my run\' \'o\'"\'"\'hara\' $\'a\\nb\'', "$'caf\\351'")
    """
    return " ".join(_word(word) for word in words)


def _word(word: str) -> str:
    if line(word) == word:
        return shlex.quote(word)
    plain = {**dict(zip(b"\\'\n\t", ("\\\\", "\\'", "\\n", "\\t"), strict=True))}
    octets = word.encode("utf-8", "surrogateescape")
    return "$'" + "".join(plain.get(o) or (chr(o) if 32 <= o < 127 else f"\\{o:03o}") for o in octets) + "'"


def no_command(text: str) -> str:
    r"""The text without what a CI takes for a command in its log: `::` where a line begins, `##[` anywhere.

    >>> no_command("::error::x ##[group]")
    '\\x3a:error\\x3a:x \\x23#[group]'
    """
    return _COMMAND.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
