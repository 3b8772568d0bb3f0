"""Three answers to pieces of a stream that arrive late, twice, or before their turn. Pure.

    InOrder     wait: nothing is handed on before everything in front of it. Files, pages, remote logins.
    WithGaps    leave a gap and fill it: hand on whatever is new, with its place. Copying a disk, downloads in parts.
    NewestOnly  accept only what moves forward. Voice, positions in a game: what comes late is useless.

Rule 1: positions are plain integers, counted in bytes from the beginning of the stream.
Rule 2: no byte is handed on twice, and what was received first at a position stays.
Rule 3: memory is bounded. What lies `capacity` or more bytes beyond what was handed on is dropped; it will come again.
"""

from __future__ import annotations

# Stage 2: import what you need here.


class InOrder:
    """Waits. What is held are bytes in [next, next + capacity), `next` being the first that was not handed on."""

    def __init__(self, capacity: int) -> None:
        """`capacity`: bytes."""
        raise NotImplementedError("stage 2: what a buffer with holes in it needs to know")

    def receive(self, position: int, data: bytes) -> None:
        """`data` arrived; its first byte has this position."""
        raise NotImplementedError("stage 2: put in what is new and not too far ahead")

    def read(self) -> list[tuple[int, bytes]]:
        """The bytes whose turn it is, as one piece with its position; no piece if there are none."""
        raise NotImplementedError("stage 2: take out what begins at `next` and has no hole")

    def missing(self) -> list[tuple[int, int]]:
        """The holes [from, to) below the highest byte that was received."""
        raise NotImplementedError("stage 2: what is not held between `next` and there")


class WithGaps:
    """Hands on at once what is new, wherever it belongs. Accepts bytes in [next, next + capacity), as InOrder does."""

    def __init__(self, capacity: int) -> None:
        """`capacity`: bytes."""
        raise NotImplementedError("stage 2: what has arrived, and what of it is to be handed on")

    def receive(self, position: int, data: bytes) -> None:
        """`data` arrived; its first byte has this position."""
        raise NotImplementedError("stage 2: keep the parts that are new and not too far ahead")

    def read(self) -> list[tuple[int, bytes]]:
        """The new pieces, each with its position, in the order of arrival."""
        raise NotImplementedError("stage 2: hand the pieces on, and move `next` over what has no hole")

    def missing(self) -> list[tuple[int, int]]:
        """The holes [from, to) below the highest byte that was received."""
        raise NotImplementedError("stage 2: what has not arrived between `next` and there")


class NewestOnly:
    """Hands on what lies beyond everything before. Nothing is too far ahead; of unread pieces the oldest go first."""

    def __init__(self, capacity: int) -> None:
        """`capacity`: bytes that are kept for the reader at most."""
        raise NotImplementedError("stage 2: how far the stream has come, and what was not read yet")

    def receive(self, position: int, data: bytes) -> None:
        """`data` arrived; its first byte has this position."""
        raise NotImplementedError("stage 2: cut off what is history; if anything is left, it is the newest")

    def read(self) -> list[tuple[int, bytes]]:
        """The new pieces, each with its position, in order."""
        raise NotImplementedError("stage 2: hand the pieces on")

    def missing(self) -> list[tuple[int, int]]:
        """Nothing: what has not come by now is not waited for."""
        raise NotImplementedError("stage 2: no holes")
