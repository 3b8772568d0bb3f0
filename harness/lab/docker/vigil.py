"""When to ask whether all parts of a lab still do something, while a job runs in it: not at its deadline only.

A part that has ended is known at once, since it hangs up. One that stands still says nothing, and neither does the
tester that waits for it; asking the engine costs some processes, so it is done only when nothing was heard for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

#: Seconds without a word of the tester's after which somebody looks; then after twice as many each time.
QUIET = 5.0


class Part(Protocol):
    """A part of the lab that the host talks to."""

    @property
    def ended(self) -> bool: ...


class Vigil:
    """Over the parts of a lab during one job. It calls no clock."""

    def __init__(self, parts: Mapping[str, Part], standstill: Callable[[], str], *, now: float) -> None:
        """`standstill` says which part does nothing any more, in a sentence; nothing if all do, or nobody knows."""
        self._parts = parts
        self._standstill = standstill
        self._since, self._patience = now, QUIET  # when something was heard, or looked at; and until the next look

    def finds(self, *, heard: bool, now: float) -> str:
        """The part that serves nobody any more, in a sentence; empty if none is known. `heard`: the tester spoke."""
        if gone := self.gone():
            return gone
        if heard:
            self._since, self._patience = now, QUIET
        elif now - self._since >= self._patience:
            self._since, self._patience = now, 2 * self._patience
            return self._standstill()
        return ""

    def gone(self) -> str:
        """The part that has ended, in a sentence; empty if none has."""
        ended = (f"the lab's {name} node has ended" for name, part in self._parts.items() if part.ended)
        return next(ended, "")
