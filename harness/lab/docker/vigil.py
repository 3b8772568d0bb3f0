"""When to ask whether all parts of a lab still do something, while a job runs in it: not at its deadline only.

A part that has ended is known at once, since it hangs up. One that stands still says nothing, and neither does the
tester that waits for it; asking the engine costs some processes, so it is done only when nothing was heard for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

#: Seconds without a word of the tester's after which somebody looks, and between two looks.
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
        self._since = now  # when something was heard, or looked at

    def finds(self, *, heard: bool, now: float) -> str:
        """The part that serves nobody any more, in a sentence; empty if none is known. `heard`: the tester spoke."""
        if gone := self.gone():
            return gone
        if heard:
            self._since = now
        elif now - self._since >= QUIET:
            self._since = now
            return self._standstill()
        return ""

    def gone(self) -> str:
        """The part that has ended, in a sentence; empty if none has."""
        ended = (f"the lab's {name} node has ended" for name, part in self._parts.items() if part.ended)
        return next(ended, "")
