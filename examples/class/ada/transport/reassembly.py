"""Three answers to pieces of a stream that arrive late, twice, or before their turn. Pure.

    InOrder     wait: nothing is handed on before everything in front of it. Files, pages, remote logins.
    WithGaps    leave a gap and fill it: hand on whatever is new, with its place. Copying a disk, downloads in parts.
    NewestOnly  accept only what moves forward. Voice, positions in a game: what comes late is useless.

Rule 1: positions are plain integers, counted in bytes from the beginning of the stream.
Rule 2: no byte is handed on twice, and what was received first at a position stays.
Rule 3: memory is bounded. What lies `capacity` or more bytes beyond what was handed on is dropped; it will come again.
"""

from __future__ import annotations



class _Islands:
    """Sorted [start, end) islands of what has come. `add` answers the parts that are new."""

    def __init__(self) -> None:
        self.list: list[list[int]] = []

    def add(self, start: int, end: int) -> list[tuple[int, int]]:
        if start >= end:
            return []
        new, low, high, kept, at = [], start, end, [], start
        for a, b in self.list:
            if b < start or a > end:
                kept.append([a, b])
                continue
            if at < a:
                new.append((at, a))
            at = max(at, b)
            low, high = min(low, a), max(high, b)
        if at < end:
            new.append((at, end))
        kept.append([low, high])
        kept.sort()
        self.list = kept
        return new

    def holes(self, start: int) -> list[tuple[int, int]]:
        holes = []
        for a, b in self.list:
            if a > start:
                holes.append((start, a))
            start = max(start, b)
        return holes


class InOrder:
    """Waits. What is held are bytes in [next, next + capacity), `next` being the first that was not handed on."""

    def __init__(self, capacity: int) -> None:
        """`capacity`: bytes."""
        self._capacity, self._next, self._islands, self._bytes = capacity, 0, _Islands(), {}

    def receive(self, position: int, data: bytes) -> None:
        """`data` arrived; its first byte has this position."""
        start = max(position, self._next)
        end = min(position + len(data), self._next + self._capacity)
        for a, b in self._islands.add(start, end):
            self._bytes[a] = bytes(data[a - position : b - position])

    def read(self) -> list[tuple[int, bytes]]:
        """The bytes whose turn it is, as one piece with its position; no piece if there are none."""
        start, pieces = self._next, []
        while self._next in self._bytes:
            pieces.append(self._bytes.pop(self._next))
            self._next += len(pieces[-1])
        if pieces:
            del self._islands.list[0]
            return [(start, b"".join(pieces))]
        return []

    def missing(self) -> list[tuple[int, int]]:
        """The holes [from, to) below the highest byte that was received."""
        return self._islands.holes(self._next)


class WithGaps:
    """Hands on at once what is new, wherever it stands. Accepts bytes in [next, next + capacity), as InOrder does."""

    def __init__(self, capacity: int) -> None:
        """`capacity`: bytes."""
        self._capacity, self._next, self._islands, self._ready = capacity, 0, _Islands(), []

    def receive(self, position: int, data: bytes) -> None:
        """`data` arrived; its first byte has this position."""
        start = max(position, self._next)
        end = min(position + len(data), self._next + self._capacity)
        for a, b in self._islands.add(start, end):
            self._ready.append((a, bytes(data[a - position : b - position])))

    def read(self) -> list[tuple[int, bytes]]:
        """The new pieces, each with its position, in the order of arrival."""
        pieces, self._ready = self._ready, []
        islands = self._islands.list
        if islands and islands[0][0] == self._next:
            self._next = islands.pop(0)[1]
        return pieces

    def missing(self) -> list[tuple[int, int]]:
        """The holes [from, to) below the highest byte that was received."""
        return self._islands.holes(self._next)


class NewestOnly:
    """Hands on what lies beyond everything before. Nothing is too far ahead; of unread pieces the oldest go first."""

    def __init__(self, capacity: int) -> None:
        """`capacity`: bytes that are kept for the reader at most."""
        self._capacity, self._next, self._held, self._ready = capacity, 0, 0, []

    def receive(self, position: int, data: bytes) -> None:
        """`data` arrived; its first byte has this position."""
        data = bytes(data[max(0, self._next - position) :])
        if not data:
            return
        position = max(position, self._next)
        self._next = position + len(data)
        self._ready.append((position, data))
        self._held += len(data)
        while self._held > self._capacity:
            self._held -= len(self._ready.pop(0)[1])

    def read(self) -> list[tuple[int, bytes]]:
        """The new pieces, each with its position, in order."""
        pieces, self._ready, self._held = self._ready, [], 0
        return pieces

    def missing(self) -> list[tuple[int, int]]:
        """Nothing: what has not come by now is not waited for."""
        return []
