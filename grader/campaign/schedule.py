"""What runs next: the steps of all submissions, and a number of lanes. Pure: it knows no thread, no clock, no bench.

A submission is a chain of waves of steps: it is copied; then its groups of public checks; then the hidden ones; then
its result is made. The steps of a wave may run beside each other, the next wave is there when all of them are back.

Rule 1: at most as many steps run as there are lanes.
Rule 2: a lane that is free takes a step of the submission that came first, of its steps the one that came first.
Rule 3: a new submission is begun when none that is begun has a step for a free lane; only so many are begun at a time.
Rule 4: a step that wants the machine for itself begins when nothing runs, and nothing begins while it runs. The lanes
        run empty for it only when no other step can be had: so that is once for many submissions, not once for each.
        Then all of these steps have their turn, before anything else begins.
Rule 5: what is tried once more has its turn, alone, when all else is done.

Of several machines (a farm), each sees to it by itself that what wants it for itself has it. So as many of these steps
run at a time as there are machines, and one may begin while others run still.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Generic, TypeVar

What = TypeVar("What")


#: So many groups for each lane that a submission has for itself: they are not as long as expected.
GROUPS_PER_LANE = 2.0


def pieces_for(lanes: int, begun: int) -> int:
    """How many groups a suite is cut into, when so many submissions share the lanes: enough for what others leave.

    >>> pieces_for(8, 1), pieces_for(8, 4), pieces_for(8, 100), pieces_for(1, 1)
    (16, 4, 1, 1)
    """
    return max(1, round(GROUPS_PER_LANE * lanes / max(1, begun))) if lanes > 1 else 1


class Turn(IntEnum):
    """When a step may run."""

    BESIDE = auto()  #: beside others
    ALONE = auto()  #: when nothing else runs
    LAST = auto()  #: when nothing else runs or is left


@dataclass(frozen=True)
class Step(Generic[What]):
    """Something that one lane does."""

    job: int  #: of which submission, counted in the order of the class
    what: What
    turn: Turn = Turn.BESIDE


class Schedule(Generic[What]):
    """The steps that wait and those that run."""

    def __init__(self, first: Iterable[Step[What]], most_open: int, machines: int = 1) -> None:
        """`first`: the step that begins each submission; `most_open`: how many are begun at a time."""
        self._new = deque(first)
        self._most_open, self._machines = most_open, max(1, machines)
        self._open: set[int] = set()
        self._waiting: dict[Turn, list[Step[What]]] = {turn: [] for turn in Turn}
        self._running: list[Step[What]] = []
        self._apart = 0  # how many of them do not run beside others
        self._quiet = False  # it is the turn of those that run alone

    def put(self, steps: Iterable[Step[What]]) -> None:
        """Steps that may run from now on, the most urgent first."""
        for step in steps:
            # Of one submission in the order in which they came.
            bisect.insort_right(self._waiting[step.turn], step, key=lambda step: step.job)

    def next(self, lanes: int) -> Step[What] | None:
        """The step that begins now, if one does; it runs until `ended`."""
        step = self._choose(lanes)
        if step is not None:
            self._running.append(step)
            self._apart += step.turn is not Turn.BESIDE
            self._open.add(step.job)
        return step

    def _choose(self, lanes: int) -> Step[What] | None:
        apart = self._apart
        if apart and self._machines == 1:
            return None
        beside, alone = self._waiting[Turn.BESIDE], self._waiting[Turn.ALONE]
        new = bool(self._new) and len(self._open) < self._most_open
        self._quiet = bool(alone) and (self._quiet or not (beside or new))
        others = len(self._running) > (apart if self._machines > 1 else 0)
        room = len(self._running) < max(1, lanes)
        if self._quiet:
            free = room and apart < self._machines if self._machines > 1 else not others
            return alone.pop(0) if free else None
        if not room:
            return None
        if beside:
            return beside.pop(0)
        if new:
            return self._new.popleft()
        if others or self._new or apart >= self._machines or not self._waiting[Turn.LAST]:
            return None
        return self._waiting[Turn.LAST].pop(0)

    def ended(self, step: Step[What]) -> None:
        """A step has ended. What follows from it is put first."""
        self._running.remove(step)
        self._apart -= step.turn is not Turn.BESIDE

    def closes(self, job: int) -> None:
        """A submission is done, or put off until all else is: another one may be begun."""
        self._open.discard(job)

    def drop(self, job: int) -> int:
        """Forget the waiting steps of a submission; how many."""
        count = 0
        for turn, waiting in self._waiting.items():
            kept = [step for step in waiting if step.job != job]
            count += len(waiting) - len(kept)
            self._waiting[turn] = kept
        return count

    @property
    def begun(self) -> int:
        """How many submissions are begun, or still to begin."""
        return len(self._open) + len(self._new)

    @property
    def running(self) -> int:
        """How many steps run."""
        return len(self._running)

    @property
    def over(self) -> bool:
        """Whether nothing runs and nothing waits."""
        return not (self._running or self._new or any(self._waiting.values()))
