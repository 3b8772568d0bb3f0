"""A set of positions kept as ranges [start, end): what has arrived, or what the peer says has arrived. Pure.

Rule: ranges are sorted, not empty, and neither overlap nor touch, so there are only as many as there are islands.
"""

### BEGIN SOLUTION: stages 2 and 6: a set of ranges serves both; whether you want one is up to you
from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class Ranges:
    """Positions are plain integers that never wrap."""

    def __init__(self) -> None:
        # Two lists side by side, so that bisect finds a place in either.
        self._starts: list[int] = []
        self._ends: list[int] = []

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The ranges, lowest first."""
        return zip(self._starts, self._ends, strict=True)

    def __reversed__(self) -> Iterator[tuple[int, int]]:
        """The ranges, highest first."""
        return zip(reversed(self._starts), reversed(self._ends), strict=True)

    def __bool__(self) -> bool:
        """Whether anything is in it."""
        return bool(self._starts)

    @property
    def end(self) -> int:
        """The end of the highest range; 0 if there is none."""
        return self._ends[-1] if self._ends else 0

    def add(self, start: int, end: int) -> list[tuple[int, int]]:
        """Put [start, end) in; the parts of it that were not in before, lowest first."""
        if start < end and (not self._ends or self._ends[-1] < start):  # fast path: a new island above all others
            self._starts.append(start)
            self._ends.append(end)
            return [(start, end)]
        new = self.gaps(start, end)
        if new:
            first = bisect_left(self._ends, start)  # the first that reaches up to start
            after = bisect_right(self._starts, end)  # the first that begins after end
            if first < after:
                start, end = min(start, self._starts[first]), max(end, self._ends[after - 1])
            self._starts[first:after] = [start]
            self._ends[first:after] = [end]
        return new

    def gaps(self, start: int, end: int) -> list[tuple[int, int]]:
        """The parts of [start, end) that are not in, lowest first."""
        found: list[tuple[int, int]] = []
        index = bisect_right(self._ends, start)  # the first that reaches beyond start
        while start < end:
            covered = self._starts[index] if index < len(self._starts) else end
            if start < covered:
                found.append((start, min(covered, end)))
            if covered >= end:
                break
            start = self._ends[index]
            index += 1
        return found

    def around(self, position: int) -> tuple[int, int]:
        """The range that holds `position`; (position, position) if none does."""
        index = bisect_right(self._starts, position) - 1
        if index < 0 or self._ends[index] <= position:
            return position, position
        return self._starts[index], self._ends[index]

    def remove_below(self, position: int) -> None:
        """Take out everything before `position`."""
        gone = bisect_right(self._ends, position)
        del self._starts[:gone], self._ends[:gone]
        if self._starts and self._starts[0] < position:
            self._starts[0] = position

    def clear(self) -> None:
        """Take everything out."""
        self._starts.clear()
        self._ends.clear()


### END SOLUTION
