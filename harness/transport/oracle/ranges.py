"""Sets of numbers as ranges [left, right), and what was sent when. Pure; quick where streams mostly grow at the end."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace


class Ranges:
    """A set of numbers, kept as ranges that neither touch nor overlap."""

    def __init__(self) -> None:
        self._lefts: list[int] = []
        self._rights: list[int] = []

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(zip(self._lefts, self._rights, strict=True))

    def __bool__(self) -> bool:
        return bool(self._lefts)

    def add(self, left: int, right: int) -> int:
        """Add a range; returns how many of its numbers are new."""
        if left >= right:
            return 0
        first = bisect_left(self._rights, left)  # the first range that touches it or comes after it
        last = bisect_right(self._lefts, right)  # the first one wholly after it
        gone = sum(self._rights[i] - self._lefts[i] for i in range(first, last))
        if first < last:
            left, right = min(left, self._lefts[first]), max(right, self._rights[last - 1])
        self._lefts[first:last] = [left]
        self._rights[first:last] = [right]
        return right - left - gone

    def drop_below(self, number: int) -> None:
        """Forget the numbers below."""
        count = bisect_right(self._rights, number)
        del self._lefts[:count], self._rights[:count]
        if self._lefts and self._lefts[0] < number:
            self._lefts[0] = number

    def clear(self) -> None:
        """Forget everything."""
        self._lefts.clear()
        self._rights.clear()

    def covers(self, left: int, right: int) -> bool:
        """Whether every number of the range is in the set."""
        index = bisect_right(self._lefts, left) - 1
        return left >= right or (index >= 0 and self._rights[index] >= right)

    def around(self, number: int) -> tuple[int, int] | None:
        """The range that holds the number, if one does."""
        index = bisect_right(self._lefts, number) - 1
        if index < 0 or self._rights[index] <= number:
            return None
        return self._lefts[index], self._rights[index]

    def reached_from(self, number: int) -> int:
        """The first number from there on that is not in the set."""
        found = self.around(number)
        return found[1] if found else number

    @property
    def top(self) -> int:
        """One more than the largest number; 0 if there is none."""
        return self._rights[-1] if self._rights else 0

    @property
    def total(self) -> int:
        """How many numbers there are."""
        return sum(self._rights) - sum(self._lefts)


@dataclass(slots=True)
class SentPiece:
    """Numbers that were always sent together."""

    left: int
    right: int
    last: float  #: seconds, when they were last sent
    index: int  #: which sending that was
    timed: float  #: seconds, when they were last sent, without fast retransmissions, which do not restart the timer
    times: int = 1  #: how often they were sent
    probe: bool = False  #: the last time it was beyond the window, as a probe
    hasty: int = 0  #: how often within a round trip of the previous time


class Sendings:
    """What was sent and is not yet acknowledged, cut where sendings were cut."""

    def __init__(self) -> None:
        self._lefts: list[int] = []
        self._pieces: list[SentPiece] = []

    def over(self, left: int, right: int) -> list[SentPiece]:
        """The pieces that hold the numbers of this range that were sent, cut at its edges."""
        self._cut(left)
        self._cut(right)
        return self._pieces[bisect_left(self._lefts, left) : bisect_left(self._lefts, right)]

    def send(self, left: int, right: int, *, now: float, index: int, probe: bool = False, fast: bool = False) -> None:
        """The range is sent; parts that were sent before are counted again."""
        at = left
        fresh = []
        for piece in self.over(left, right):
            if at < piece.left:
                fresh.append(SentPiece(at, piece.left, now, index, now, probe=probe))
            piece.last, piece.index, piece.probe = now, index, probe
            piece.times += 1
            piece.timed = piece.timed if fast else now
            at = piece.right
        if at < right:
            fresh.append(SentPiece(at, right, now, index, now, probe=probe))
        for piece in fresh:
            where = bisect_left(self._lefts, piece.left)
            self._lefts.insert(where, piece.left)
            self._pieces.insert(where, piece)

    def drop_below(self, number: int) -> int:
        """Forget what is acknowledged; returns the last sending of which something was forgotten, or -1."""
        if not self._lefts or self._lefts[0] >= number:
            return -1
        self._cut(number)
        count = bisect_left(self._lefts, number)
        newest = max(piece.index for piece in self._pieces[:count])
        del self._lefts[:count], self._pieces[:count]
        return newest

    def since(self, index: int) -> list[SentPiece]:
        """The pieces whose last sending was that one or a later one."""
        return [piece for piece in self._pieces if piece.index >= index]

    def _cut(self, number: int) -> None:
        index = bisect_left(self._lefts, number) - 1
        if index >= 0 and self._pieces[index].right > number:
            piece = self._pieces[index]
            rest = replace(piece, left=number)
            piece.right = number
            self._lefts.insert(index + 1, number)
            self._pieces.insert(index + 1, rest)
