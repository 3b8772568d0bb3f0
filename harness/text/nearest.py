"""The end of a message about an unknown word. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """What to say after a message about an unknown word: the nearest known one, or all of them.

    >>> nearest("bloking", ["blocking", "transport"])
    'Did you mean "blocking"?'
    >>> nearest("x", ["blocking", "transport"])
    'Known: blocking, transport.'
    """
    import difflib  # only for a message: the router's start must not wait for it

    names = sorted(known)
    if not names:
        return "There is none."
    close = difflib.get_close_matches(word, names, n=1)
    return f'Did you mean "{close[0]}"?' if close else f"Known: {', '.join(names)}."
