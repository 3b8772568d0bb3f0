"""The stream to be sent, as positions: SYN 0, bytes 1 to n, FIN n + 1. It is kept until acknowledged. Pure."""

### BEGIN SOLUTION: stage 3: what was not acknowledged yet has to be kept somewhere
from __future__ import annotations

#: Bytes that the application can leave here: enough to keep 100 Mbit/s busy over 80 ms.
CAPACITY = 1 << 20


class SendBuffer:
    """Bounded: what does not fit is not accepted, and the application has to come again.

    A ring: the byte at position p stands at (p - 1) % CAPACITY for as long as it is needed, and nothing is ever moved.
    """

    def __init__(self) -> None:
        self._ring = bytearray(CAPACITY)
        self._base = 1  # the position of the first byte that is kept
        self.data_end = 1  #: the position after the last byte
        self.finished = False  #: a FIN follows the bytes

    @property
    def end(self) -> int:
        """The position after everything that is to be sent by now, the FIN included."""
        return self.data_end + self.finished

    def write(self, data: bytes) -> int:
        """Keep as much of `data` as there is room for; how many bytes that is."""
        accepted = data[: CAPACITY - (self.data_end - self._base)]
        at = (self.data_end - 1) % CAPACITY
        first, second = accepted[: CAPACITY - at], accepted[CAPACITY - at :]
        self._ring[at : at + len(first)] = first
        self._ring[: len(second)] = second  # around the end of the ring
        self.data_end += len(accepted)
        return len(accepted)

    def payload(self, start: int, end: int) -> bytes:
        """The bytes among the positions [start, end): neither SYN nor FIN."""
        start, end = max(start, 1), min(end, self.data_end)
        if end <= start:
            return b""
        at = (start - 1) % CAPACITY
        first = bytes(self._ring[at : at + end - start])
        return first + self._ring[: end - start - len(first)]

    def release(self, position: int) -> None:
        """Everything below `position` is acknowledged, and its place is free."""
        self._base = max(self._base, min(position, self.data_end))


### END SOLUTION
