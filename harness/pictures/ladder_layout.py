"""Where the packets of a ladder go: heights for their sending and arrival. Pure.

Rule 1: time goes down and never back: what happened later is lower, on both sides. It is not to scale: what happened
        at one instant is spread so that it can be read, and pauses are shortened and say how long they were.
Rule 2: no label lies on another (`ladder_labels.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.pictures.ladder import Fold, Row, Rung, usual_delay
from harness.pictures.ladder_labels import INSET, LEFT, RIGHT, Label, Way, apart

#: Pixels between two events on one side, at least.
STEP = 20.0
_FLIGHT = 30.0  # at least, for a usual delay
_PAUSE = 64.0  # at most, for time in which nothing happens
_SHORTEST = 0.001  # seconds: a shorter pause is not mentioned
_FOLD = 34.0


@dataclass(frozen=True, slots=True)
class Placed:
    """A row and its place: pixels from the top of the lanes."""

    row: Row
    y_sent: float
    y_seen: float  #: for a fold the same; for a lost packet where it would have arrived
    label: Label  #: what stands at it, and how


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
    labels = apart([_way(*place) for place in zip(rows, sent, seen, strict=True)])
    return Layout([Placed(*place) for place in zip(rows, sent, seen, labels, strict=True)], pauses, lowest)


def _way(row: Row, sent: float, seen: float) -> Way:
    """Where a row's label begins, and its arrow ends."""
    if isinstance(row, Fold):
        return Way("middle", (LEFT + RIGHT) / 2, sent, 0.0, row.sentence)
    fall = (seen - sent) / (RIGHT - LEFT)
    if row.direction == "up":
        return Way("left", LEFT + INSET, sent, fall, row.label, row.remark)
    return Way("right", RIGHT - INSET, sent, fall, row.label, row.remark)


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
