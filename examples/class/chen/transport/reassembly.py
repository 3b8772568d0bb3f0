"""Three answers to pieces of a stream that arrive late, twice, or before their turn. Pure.

    InOrder     wait: nothing is handed on before everything in front of it. Files, pages, remote logins.
    WithGaps    leave a gap and fill it: hand on whatever is new, with its place. Copying a disk, downloads in parts.
    NewestOnly  accept only what moves forward. Voice, positions in a game: what comes late is useless.

Rule 1: positions are plain integers, counted in bytes from the beginning of the stream.
Rule 2: no byte is handed on twice, and what was received first at a position stays.
Rule 3: memory is bounded. What lies `capacity` or more bytes beyond what was handed on is dropped; it will come again.
"""

from __future__ import annotations


class _Ranges:
    """Sorted, disjoint, not touching ranges [from, to)."""

    def __init__(self) -> None:
        self.list: list[tuple[int, int]] = []

    def gaps(self, start: int, end: int) -> list[tuple[int, int]]:
        """What of [start, end) is not in here."""
        result = []
        for a, b in self.list:
            if a >= end:
                break
            if b > start:
                if a > start:
                    result.append((start, a))
                start = b
        if start < end:
            result.append((start, end))
        return result

    def add(self, start: int, end: int) -> None:
        before = [r for r in self.list if r[1] < start]
        after = [r for r in self.list if r[0] > end]
        middle = self.list[len(before) : len(self.list) - len(after)]
        if middle:
            start, end = min(start, middle[0][0]), max(end, middle[-1][1])
        self.list = [*before, (start, end), *after]


class _Keeper:
    """What InOrder and WithGaps share: which bytes have come, and where `next` is."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.next = 0
        self.seen = _Ranges()  # everything that was received and kept, from 0 on
        self.pieces: dict[int, bytes] = {}  # not handed on

    def receive(self, position: int, data: bytes) -> None:
        start = max(position, self.next)
        end = min(position + len(data), self.next + self.capacity)
        if start >= end:
            return
        for a, b in self.seen.gaps(start, end):
            self.pieces[a] = bytes(data[a - position : b - position])
        self.seen.add(start, end)

    def missing(self) -> list[tuple[int, int]]:
        return self.seen.gaps(0, self.seen.list[-1][1]) if self.seen.list else []


class InOrder(_Keeper):
    """Waits. What is held are bytes in [next, next + capacity), `next` being the first that was not handed on."""

    def read(self) -> list[tuple[int, bytes]]:
        start, parts = self.next, []
        while (part := self.pieces.pop(self.next, None)) is not None:
            parts.append(part)
            self.next += len(part)
        return [(start, b"".join(parts))] if parts else []


class WithGaps(_Keeper):
    """Hands on at once what is new, wherever it stands. Accepts bytes in [next, next + capacity), as InOrder does."""

    def read(self) -> list[tuple[int, bytes]]:
        result = list(self.pieces.items())
        self.pieces.clear()
        if self.seen.list and self.seen.list[0][0] == 0:
            self.next = self.seen.list[0][1]
        return result


class NewestOnly:
    """Hands on what lies beyond everything before. Nothing is too far ahead; of unread pieces the oldest go first."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.newest = 0
        self.waiting: list[tuple[int, bytes]] = []
        self.size = 0

    def receive(self, position: int, data: bytes) -> None:
        start = max(position, self.newest)
        piece = bytes(data[start - position :])
        if not piece:
            return
        self.newest = start + len(piece)
        self.waiting.append((start, piece))
        self.size += len(piece)
        while self.size > self.capacity:
            self.size -= len(self.waiting.pop(0)[1])

    def read(self) -> list[tuple[int, bytes]]:
        result, self.waiting, self.size = self.waiting, [], 0
        return result

    def missing(self) -> list[tuple[int, int]]:
        return []
