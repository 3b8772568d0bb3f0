"""Three answers to pieces of a stream that arrive late, twice, or before their turn. Pure.

    InOrder     wait: nothing is handed on before everything in front of it. Files, pages, remote logins.
    WithGaps    leave a gap and fill it: hand on whatever is new, with its place. Copying a disk, downloads in parts.
    NewestOnly  accept only what moves forward. Voice, positions in a game: what comes late is useless.

Rule 1: positions are plain integers, counted in bytes from the beginning of the stream.
Rule 2: no byte is handed on twice, and what was received first at a position stays.
Rule 3: memory is bounded. What lies `capacity` or more bytes beyond what was handed on is dropped; it will come again.
"""

from __future__ import annotations

### BEGIN SOLUTION: import what you need here
from collections import deque

from ranges import Ranges

### END SOLUTION


class InOrder:
    """Waits. What is held are bytes in [next, next + capacity), `next` being the first that was not handed on."""

    def __init__(self, capacity: int) -> None:
        """`capacity`: bytes."""
        ### BEGIN SOLUTION: stage 2: what a buffer with holes in it needs to know
        self._capacity = capacity
        self._next = 0  # everything below was handed on
        self._buffer = bytearray()  # begins at `next`; what is in its holes means nothing
        self._held = Ranges()  # the positions that arrived
        ### END SOLUTION

    def receive(self, position: int, data: bytes) -> None:
        """`data` arrived; its first byte has this position."""
        ### BEGIN SOLUTION: stage 2: put in what is new and not too far ahead
        end = min(position + len(data), self._next + self._capacity)
        for start, stop in self._held.add(max(position, self._next), end):
            offset = start - self._next
            if offset > len(self._buffer):
                self._buffer += bytes(offset - len(self._buffer))  # a hole
            self._buffer[offset : stop - self._next] = data[start - position : stop - position]
        ### END SOLUTION

    def read(self) -> list[tuple[int, bytes]]:
        """The bytes whose turn it is, as one piece with its position; no piece if there are none."""
        ### BEGIN SOLUTION: stage 2: take out what begins at `next` and has no hole
        start, end = self._held.around(self._next)
        if start == end:
            return []
        piece = bytes(self._buffer[: end - start])
        del self._buffer[: end - start]  # moves a pointer, not the bytes after it
        self._held.remove_below(end)
        self._next = end
        return [(start, piece)]
        ### END SOLUTION

    def missing(self) -> list[tuple[int, int]]:
        """The holes [from, to) below the highest byte that was received."""
        ### BEGIN SOLUTION: stage 2: what is not held between `next` and there
        return self._held.gaps(self._next, self._held.end)

    @property
    def is_waiting(self) -> bool:
        """Whether anything is held back, after all was read whose turn it is."""
        return bool(self._held)

    def range_around(self, position: int) -> tuple[int, int]:
        """The range of bytes around this one that are held; an empty one if it is not held."""
        return self._held.around(position)
        ### END SOLUTION


class WithGaps:
    """Hands on at once what is new, wherever it belongs. Accepts bytes in [next, next + capacity), as InOrder does."""

    def __init__(self, capacity: int) -> None:
        """`capacity`: bytes."""
        ### BEGIN SOLUTION: stage 2: what has arrived, and what of it is to be handed on
        self._capacity = capacity
        self._next = 0  # everything below was handed on
        self._fresh: list[tuple[int, bytes]] = []  # to be handed on, in the order of arrival
        self._arrived = Ranges()  # at `next` and above
        ### END SOLUTION

    def receive(self, position: int, data: bytes) -> None:
        """`data` arrived; its first byte has this position."""
        ### BEGIN SOLUTION: stage 2: keep the parts that are new and not too far ahead
        end = min(position + len(data), self._next + self._capacity)
        for start, stop in self._arrived.add(max(position, self._next), end):
            self._fresh.append((start, bytes(data[start - position : stop - position])))
        ### END SOLUTION

    def read(self) -> list[tuple[int, bytes]]:
        """The new pieces, each with its position, in the order of arrival."""
        ### BEGIN SOLUTION: stage 2: hand the pieces on, and move `next` over what has no hole
        fresh, self._fresh = self._fresh, []
        self._next = self._arrived.around(self._next)[1]
        self._arrived.remove_below(self._next)
        return fresh
        ### END SOLUTION

    def missing(self) -> list[tuple[int, int]]:
        """The holes [from, to) below the highest byte that was received."""
        ### BEGIN SOLUTION: stage 2: what has not arrived between `next` and there
        return self._arrived.gaps(self._next, self._arrived.end)
        ### END SOLUTION


class NewestOnly:
    """Hands on what lies beyond everything before. Nothing is too far ahead; of unread pieces the oldest go first."""

    def __init__(self, capacity: int) -> None:
        """`capacity`: bytes that are kept for the reader at most."""
        ### BEGIN SOLUTION: stage 2: how far the stream has come, and what was not read yet
        self._capacity = capacity
        self._next = 0  # everything below is history, whether it came or not
        self._fresh: deque[tuple[int, bytes]] = deque()
        self._kept = 0  # bytes in `fresh`
        ### END SOLUTION

    def receive(self, position: int, data: bytes) -> None:
        """`data` arrived; its first byte has this position."""
        ### BEGIN SOLUTION: stage 2: cut off what is history; if anything is left, it is the newest
        new = bytes(data[max(0, self._next - position) :])
        if not new:
            return
        start = max(position, self._next)
        self._next = start + len(new)
        self._fresh.append((start, new))
        self._kept += len(new)
        while self._kept > self._capacity:
            self._kept -= len(self._fresh.popleft()[1])
        ### END SOLUTION

    def read(self) -> list[tuple[int, bytes]]:
        """The new pieces, each with its position, in order."""
        ### BEGIN SOLUTION: stage 2: hand the pieces on
        fresh, self._kept = list(self._fresh), 0
        self._fresh.clear()
        return fresh
        ### END SOLUTION

    def missing(self) -> list[tuple[int, int]]:
        """Nothing: what has not come by now is not waited for."""
        ### BEGIN SOLUTION: stage 2: no holes
        return []
        ### END SOLUTION
