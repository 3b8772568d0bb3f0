"""A set of positions kept as ranges [start, end): what has arrived, or what the peer says has arrived. Pure.

Rule: ranges are sorted, not empty, and neither overlap nor touch, so there are only as many as there are islands.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class Ranges:
    """Positions are plain integers that never wrap."""

    def __init__(self) -> None:
        ### BEGIN SOLUTION: nothing is in it at first
        # Two lists side by side, so that bisect finds a place in either.
        self._starts: list[int] = []
        self._ends: list[int] = []
        ### END SOLUTION

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The ranges, lowest first."""
        ### BEGIN SOLUTION: pairs of start and end
        return zip(self._starts, self._ends, strict=True)
        ### END SOLUTION

    def __reversed__(self) -> Iterator[tuple[int, int]]:
        """The ranges, highest first."""
        ### BEGIN SOLUTION: pairs of start and end
        return zip(reversed(self._starts), reversed(self._ends), strict=True)
        ### END SOLUTION

    def __bool__(self) -> bool:
        """Whether anything is in it."""
        ### BEGIN SOLUTION: whether there is a range
        return bool(self._starts)
        ### END SOLUTION

    @property
    def end(self) -> int:
        """The end of the highest range; 0 if there is none."""
        ### BEGIN SOLUTION: the last end
        return self._ends[-1] if self._ends else 0
        ### END SOLUTION

    def add(self, start: int, end: int) -> list[tuple[int, int]]:
        """Put [start, end) in; the parts of it that were not in before, lowest first."""
        ### BEGIN SOLUTION: replace all ranges that it overlaps or touches by one
        new = self.gaps(start, end)
        if new:
            first = bisect_left(self._ends, start)  # the first that reaches up to start
            after = bisect_right(self._starts, end)  # the first that begins behind end
            if first < after:
                start, end = min(start, self._starts[first]), max(end, self._ends[after - 1])
            self._starts[first:after] = [start]
            self._ends[first:after] = [end]
        return new
        ### END SOLUTION

    def gaps(self, start: int, end: int) -> list[tuple[int, int]]:
        """The parts of [start, end) that are not in, lowest first."""
        ### BEGIN SOLUTION: what is between the ranges that overlap it
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
        ### END SOLUTION

    def around(self, position: int) -> tuple[int, int]:
        """The range that holds `position`; (position, position) if none does."""
        ### BEGIN SOLUTION: the last range that begins at `position` or before
        index = bisect_right(self._starts, position) - 1
        if index < 0 or self._ends[index] <= position:
            return position, position
        return self._starts[index], self._ends[index]
        ### END SOLUTION

    def remove_below(self, position: int) -> None:
        """Take out everything before `position`."""
        ### BEGIN SOLUTION: drop whole ranges, and cut the one that reaches over it
        gone = bisect_right(self._ends, position)
        del self._starts[:gone], self._ends[:gone]
        if self._starts and self._starts[0] < position:
            self._starts[0] = position
        ### END SOLUTION

    def clear(self) -> None:
        """Take everything out."""
        ### BEGIN SOLUTION: as at first
        self._starts.clear()
        self._ends.clear()
        ### END SOLUTION
