"""Labels of a ladder's arrows, so that none lies on another. Pure.

Rule 1: a label lies along its arrow, from its beginning. Where that would touch another, both are level; where they
        still touch, they come from opposite sides, and each is cut to its half of the width.
Rule 2: level labels of one side never touch, since what happens on a side is at least a line apart
        (`ladder_layout.STEP`); so this ends, and no label is left out. An arrow's tooltip has the whole of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

#: The two lanes, in pixels from the left, and how far from its own a label begins.
LEFT, RIGHT = 132.0, 812.0
INSET = 13.0
#: Characters of a label, and of what happened to the packet, at most.
_MOST, _MOST_REMARK = 74, 34
#: A character's width, plain and bold, in the widest of the usual fonts (DejaVu Sans, 12 pixels).
_CHARACTER, _BOLD = 7.6, 8.4
#: A line's height.
_HEIGHT = 13.5
#: Pixels of each half of the width that a label may take.
_HALF = (RIGHT - LEFT) / 2 - INSET - 3


@dataclass(frozen=True, slots=True)
class Way:
    """An arrow, or a fold, and what is to be written at it."""

    side: Literal["left", "right", "middle"]  #: where the text begins; a fold's is in the middle
    x: float
    y: float
    fall: float  #: pixels that it goes down for each to the side
    label: str
    remark: str = ""  #: in bold, after the label


@dataclass(frozen=True, slots=True)
class Label:
    """What is written."""

    text: str
    remark: str
    tilted: bool  #: whether it lies along the arrow


def apart(ways: Sequence[Way]) -> list[Label]:
    """A label for each, so that none lies on another."""
    labels = [Label(_cut(way.label, _MOST), _cut(way.remark, _MOST_REMARK), way.side != "middle") for way in ways]
    order = sorted(range(len(ways)), key=lambda index: ways[index].y)
    while touching := _touching(ways, labels, order):
        for index in touching:
            labels[index] = _smaller(labels[index])
    return labels


def _touching(ways: Sequence[Way], labels: Sequence[Label], order: Sequence[int]) -> set[int]:
    """Those that touch another and can be made to take less room."""
    found: set[int] = set()
    for place, one in enumerate(order):
        reaches = ways[one].y + _HEIGHT + _drop(ways[one], labels[one])
        for other in order[place + 1 :]:
            if ways[other].y > reaches:
                break
            if _touch(ways[one], labels[one], ways[other], labels[other]):
                tilted = {index for index in (one, other) if labels[index].tilted}
                found |= tilted or {one, other}
    return {index for index in found if labels[index] != _smaller(labels[index]) and ways[index].side != "middle"}


def _smaller(label: Label) -> Label:
    if label.tilted:
        return replace(label, tilted=False)
    room = int((_HALF - _BOLD * (len(label.remark) + 2 * bool(label.remark))) / _CHARACTER)
    return replace(label, text=_cut(label.text, max(room, 1)))


def _width(label: Label) -> float:
    return _CHARACTER * len(label.text) + _BOLD * (len(label.remark) + 2 * bool(label.remark))


def _drop(way: Way, label: Label) -> float:
    """Pixels that a label goes down from its beginning to its end."""
    return max(way.fall, 0.0) * (INSET + _width(label)) if label.tilted else 0.0


def _touch(one: Way, label: Label, other: Way, its: Label) -> bool:
    """Whether two lines of text come closer than a line's height anywhere."""
    (left, right), (its_left, its_right) = _span(one, label), _span(other, its)
    begin, end = max(left, its_left), min(right, its_right)
    if begin >= end:
        return False
    below = [_at(other, its, x) - _at(one, label, x) for x in (begin, end)]
    return min(below) < _HEIGHT and max(below) > -_HEIGHT


def _span(way: Way, label: Label) -> tuple[float, float]:
    width = _width(label)
    begin = {"left": way.x, "right": way.x - width, "middle": way.x - width / 2}[way.side]
    return begin, begin + width


def _at(way: Way, label: Label, x: float) -> float:
    """How low a label is at some place between the lanes."""
    return way.y + (way.fall * (INSET + abs(x - way.x)) if label.tilted else 0.0)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
