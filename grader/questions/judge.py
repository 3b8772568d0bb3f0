"""Values that came out of a student's kernel -> right or not. Pure.

Rule 1: what comes out is text of the student's making: it is read as plain data here, bounded, or it is nothing.
Rule 2: plain data is none, bool, int, float (finite), str, bytes, list, and dict with texts as keys. An object that
        is equal to everything cannot come out; what comes out is equal to what it is equal to.
Rule 3: nothing that an author's expression raises over such values is more than "not right".
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

#: The most of a value, in characters as it comes.
MOST_VALUE = 65_536
#: How deep lists and dicts may be in each other.
MOST_DEPTH = 20
#: What expressions of `holds` may use besides the values.
BUILTINS: Mapping[str, object] = {
    one.__name__: one
    for one in (
        *(abs, all, any, bool, bytes, dict, float, int, isinstance, len, list, max, min, range, reversed, round, set),
        *(sorted, str, sum, tuple, type, zip),
    )
}
#: How bytes travel in JSON.
_BYTES = "bytes in hex"
_TEXT = re.compile(r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*\"""")


class NotPlain(ValueError):
    """This is not plain data; the text says why, in words for the author of the question."""


def asking(expression: str) -> str:
    """The expression that a kernel is asked: its value is the JSON of the value of `expression`."""
    return f"__import__('json').dumps({expression}, default=lambda one: {{{_BYTES!r}: bytes.hex(one)}})"


def plain(said: str) -> Any:
    """The value in what a kernel showed of `asking`: the `repr` of a text of JSON. Raises NotPlain."""
    if len(said) > MOST_VALUE:
        raise NotPlain(f"more than {MOST_VALUE:,} characters")
    if not _TEXT.fullmatch(said):
        raise NotPlain("not a text of JSON")
    try:
        found = json.loads(ast.literal_eval(said), parse_constant=_refuse)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        raise NotPlain("not plain data") from None
    return _plain(found, MOST_DEPTH)


def _refuse(word: str) -> None:
    raise ValueError(word)


def _plain(found: Any, depth: int) -> Any:
    if depth == 0:
        raise NotPlain(f"more than {MOST_DEPTH} lists in each other")
    if isinstance(found, list):
        return [_plain(one, depth - 1) for one in found]
    if isinstance(found, dict):
        if found.keys() == {_BYTES} and isinstance(found[_BYTES], str):
            try:
                return bytes.fromhex(found[_BYTES])
            except ValueError:
                raise NotPlain("not bytes") from None
        return {key: _plain(one, depth - 1) for key, one in found.items()}
    if isinstance(found, float) and not math.isfinite(found):
        raise NotPlain("not a finite number")
    return found


def is_right(holds: Sequence[str], values: Mapping[str, Any]) -> bool:
    """Whether every expression is true over the values. The expressions are an author's, never a student's."""
    names = {"__builtins__": {}, **BUILTINS, **values}
    try:
        return all(bool(eval(compile(one, "holds", "eval"), dict(names))) for one in holds)
    except Exception:  # Rule 3: a list where a number was asked for, a key that is not there
        return False
