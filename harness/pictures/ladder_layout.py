"""Where the packets of a ladder go: heights for their sending and arrival. Pure.

Rule: time goes down and never back: what happened later is lower, on both sides. It is not to scale: what happened
at one instant is spread so that it can be read, and pauses are shortened and say how long they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.pictures.ladder import Fold, Row, Rung, usual_delay

#: The two lanes, in pixels from the left.
LEFT, RIGHT = 132.0, 812.0
#: Pixels between two events on one side, at least.
STEP = 20.0
_FLIGHT = 30.0  # at least, for a usual delay
_PAUSE = 64.0  # at most, for time in which nothing happens
_SHORTEST = 0.001  # seconds: a shorter pause is not mentioned
_FOLD = 34.0
_CHARACTER, _LABEL = 6.4, 13.0  # a character's width in a label, about, and a label's height


@dataclass(frozen=True, slots=True)
class Placed:
    """A row and its place: pixels from the top of the lanes."""

    row: Row
    y_sent: float
    y_seen: float  #: for a fold the same; for a lost packet where it would have arrived
    tilted: bool = True  #: whether the label lies along the arrow


@dataclass(frozen=True, slots=True)
class Pause:
    """A time in which nothing happened, drawn shorter than it was."""

    seconds: float
    y: float  #: the middle of it
    height: float


@dataclass(frozen=True)
class Layout:
    """Where everything goes."""

    placed: Sequence[Placed]
    pauses: Sequence[Pause]
    height: float  #: of the lanes


def lay_out(rows: Sequence[Row]) -> Layout:
    """Places for all rows, so that what is later is lower and nothing on one side is closer than a line."""
    unit = usual_delay(row for row in rows if isinstance(row, Rung))
    events = _events(rows, unit)
    sent, seen = [0.0] * len(rows), [0.0] * len(rows)
    last_on = {"left": -STEP, "right": -STEP}
    now, y, pauses = events[0][0] if events else 0.0, 0.0, []
    under_way = 0
    for at, _, index, is_sent, sides in events:
        space = max(0.0, _FLIGHT * (at - now) / unit)
        if space > _PAUSE:
            space = _PAUSE
            if not under_way and at - now >= _SHORTEST:
                pauses.append(Pause(at - now, y + space / 2, space))
        y = max(y + space, *(last_on[side] + STEP for side in sides))
        row = rows[index]
        if isinstance(row, Fold):
            sent[index] = seen[index] = y + _FOLD / 2
            y += _FOLD
            at = max(at, row.end)  # the time that is left out is not a pause
        else:
            under_way += 1 if is_sent else -1
            (sent if is_sent else seen)[index] = y
        last_on.update(dict.fromkeys(sides, y))
        now = at
    lowest = max([*sent, *seen], default=0.0) + STEP
    tilted = _tilted(rows, sent, seen)
    return Layout([Placed(*place) for place in zip(rows, sent, seen, tilted, strict=True)], pauses, lowest)


#: When, tie-breaker, index of the row, whether it is the sending, sides that it is on.
_Event = tuple[float, int, int, bool, tuple[str, ...]]


def _events(rows: Sequence[Row], delay: float) -> list[_Event]:
    """Sendings and arrivals in order of time; at the same instant arrivals first, since they cause the sendings.

    What was lost keeps the place at which it would have arrived, so that its neighbours stay parallel.
    """
    events: list[_Event] = []
    for index, row in enumerate(rows):
        if isinstance(row, Fold):
            # Below those arrivals of earlier packets that fall into the time that is left out.
            arrivals = [at for at, *_ in events if at <= row.end]
            events.append((max([row.start, *arrivals]), 3, index, True, ("left", "right")))
            continue
        here, there = ("left", "right") if row.direction == "up" else ("right", "left")
        seen = row.sent + delay if row.seen is None else row.seen
        events.append((row.sent, 1, index, True, (here,)))
        # An arrival that takes no time is still drawn below its sending.
        events.append((seen, 0 if seen > row.sent else 2, index, False, (there,)))
    # Microseconds: what differs by less than a float's rounding is the same instant.
    return sorted(events, key=lambda event: (round(event[0] * 1e6), event[1], event[2]))


def _tilted(rows: Sequence[Row], sent: Sequence[float], seen: Sequence[float]) -> list[bool]:
    """For each row whether its label lies along its arrow.

    It does where the arrows near it are parallel; where they cross, labels would cross as well, so they are level.
    """
    tilted = [True] * len(rows)
    for way in ("up", "down"):
        group: list[int] = []  # rows of this way whose labels may touch
        crossed = False
        for index, row in enumerate(rows):
            if isinstance(row, Fold) or row.direction != way:
                continue
            if group:
                above = group[-1]
                fall, falls = ((seen[n] - sent[n]) * _label_share(rows[above], row) for n in (index, above))
                gap = sent[index] - sent[above]
                if gap > falls + STEP:
                    group, crossed = [], False
                elif gap + fall - falls < _LABEL:
                    crossed = True
            group.append(index)
            if crossed:
                for member in group:
                    tilted[member] = False
    return tilted


def _label_share(*rows: Row) -> float:
    """The share of the width between the lanes that the longest of these labels takes."""
    longest = max((len(row.label) + len(row.remark) + 2 for row in rows if isinstance(row, Rung)), default=0)
    return min(_CHARACTER * longest / (RIGHT - LEFT), 1.0)
