"""What came back from the node -> pairs and passages. Pure, and the only door: nothing of it is believed unread.

Rule: the node has read hostile source, so what it says is numbers of lines in files that we know, or it is not taken.
The text beside them is ours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: Passages of a pair that are shown.
MOST_PASSAGES = 60


@dataclass(frozen=True)
class Passage:
    """Lines of two files that match; from and to are counted from 1, both included."""

    one: str  #: name in the node
    one_lines: tuple[int, int]
    other: str
    other_lines: tuple[int, int]


@dataclass(frozen=True)
class Hint:
    """Two that are alike."""

    one: int  #: place among the submissions
    other: int
    score: float  #: compare50's; it says nothing by itself, and orders the pairs
    passages: tuple[Passage, ...]
    shares: tuple[float, float]  #: of each one's compared lines, those that are in a passage


def hint_of(row: object, texts: Sequence[Mapping[str, str]]) -> Hint | None:
    """A line of the node; None if it is not one. `texts`: of each submission, name in the node -> text."""
    if not isinstance(row, dict) or not isinstance(row.get("pair"), list) or len(row["pair"]) != 2:
        return None
    places = [int(each) for each in row["pair"] if isinstance(each, str) and each.isascii() and each.isdecimal()]
    score = row.get("score")
    if len(places) != 2 or places[0] == places[1] or not all(place < len(texts) for place in places):
        return None
    if isinstance(score, bool) or not isinstance(score, int | float) or not math.isfinite(score) or score <= 0:
        return None
    found = row.get("passages") if isinstance(row.get("passages"), list) else []
    passages = [one for each in found or () if (one := _passage(each, texts[places[0]], texts[places[1]])) is not None]
    shares = (
        _share(texts[places[0]], [(one.one, one.one_lines) for one in passages]),
        _share(texts[places[1]], [(one.other, one.other_lines) for one in passages]),
    )
    longest = sorted(passages, key=lambda one: one.one_lines[0] - one.one_lines[1])[:MOST_PASSAGES]
    return Hint(places[0], places[1], float(score), tuple(longest), shares)


def _passage(row: object, one: Mapping[str, str], other: Mapping[str, str]) -> Passage | None:
    if not isinstance(row, list) or len(row) != 2:
        return None
    left, right = _lines(row[0], one), _lines(row[1], other)
    if left is None or right is None:
        return None
    return Passage(left[0], left[1], right[0], right[1])


def _lines(row: object, texts: Mapping[str, str]) -> tuple[str, tuple[int, int]] | None:
    if not isinstance(row, list) or len(row) != 3 or not isinstance(row[0], str) or row[0] not in texts:
        return None
    first, last = row[1], row[2]
    if type(first) is not int or type(last) is not int:
        return None
    return (row[0], (first, last)) if 1 <= first <= last <= texts[row[0]].count("\n") + 1 else None


def _share(texts: Mapping[str, str], spans: Sequence[tuple[str, tuple[int, int]]]) -> float:
    lines = {(name, line) for name, (first, last) in spans for line in range(first, last + 1)}
    return len(lines) / max(1, sum(len(text.splitlines()) for text in texts.values()))


def view_of(hints: Sequence[Hint], students: Sequence[str], files: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """The pairs as pages show them, the most alike first."""
    rows = sorted(hints, key=lambda hint: -hint.score)
    return [
        {
            "number": number,
            "one": students[hint.one],
            "other": students[hint.other],
            "places": (hint.one, hint.other),
            "score": round(hint.score, 1),
            "shares": hint.shares,
            "passages": [
                {
                    "one": (files[hint.one][each.one], each.one, each.one_lines),
                    "other": (files[hint.other][each.other], each.other, each.other_lines),
                }
                for each in hint.passages
            ],
        }
        for number, hint in enumerate(rows, 1)
    ]
