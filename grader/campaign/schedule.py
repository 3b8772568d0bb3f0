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

Of several machines (a farm), each sees to it by itself that what wants it for itself has it. So rule 4 becomes: as many
of these steps run at a time as there are machines, beside others, when no other step can be had.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import Generic, TypeVar

What = TypeVar("What")


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
        self._quiet = False  # it is the turn of those that run alone

    def put(self, steps: Iterable[Step[What]]) -> None:
        """Steps that may run from now on, the most urgent first."""
        for step in steps:
            waiting = self._waiting[step.turn]
            waiting.append(step)
            waiting.sort(key=lambda step: step.job)  # stable: of one submission in the order in which they came

    def next(self, lanes: int) -> Step[What] | None:
        """The step that begins now, if one does; it runs until `ended`."""
        step = self._choose(lanes)
        if step is not None:
            self._running.append(step)
            self._open.add(step.job)
        return step

    def _choose(self, lanes: int) -> Step[What] | None:
        if self._machines > 1:
            return self._choose_of_many(lanes)
        if any(step.turn is not Turn.BESIDE for step in self._running):
            return None
        beside, alone = self._waiting[Turn.BESIDE], self._waiting[Turn.ALONE]
        new = bool(self._new) and len(self._open) < self._most_open
        self._quiet = bool(alone) and (self._quiet or not (beside or new))
        if self._quiet:
            return alone.pop(0) if not self._running else None
        if len(self._running) >= max(1, lanes):
            return None
        if beside:
            return beside.pop(0)
        if new:
            return self._new.popleft()
        if self._running or self._new or not self._waiting[Turn.LAST]:
            return None
        return self._waiting[Turn.LAST].pop(0)

    def _choose_of_many(self, lanes: int) -> Step[What] | None:
        if len(self._running) >= max(1, lanes):
            return None
        if self._waiting[Turn.BESIDE]:
            return self._waiting[Turn.BESIDE].pop(0)
        if self._new and len(self._open) < self._most_open:
            return self._new.popleft()
        apart = [step.turn for step in self._running if step.turn is not Turn.BESIDE]
        if len(apart) >= self._machines:
            return None
        if self._waiting[Turn.ALONE]:
            return self._waiting[Turn.ALONE].pop(0)
        others = self._new or len(self._running) > apart.count(Turn.LAST)
        return None if others or not self._waiting[Turn.LAST] else self._waiting[Turn.LAST].pop(0)

    def ended(self, step: Step[What]) -> None:
        """A step has ended. What follows from it is put first."""
        self._running.remove(step)

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
