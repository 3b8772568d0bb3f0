"""The stream to be sent, as positions: SYN 0, bytes 1 to n, FIN n + 1. It is kept until acknowledged. Pure."""

### BEGIN SOLUTION: stage 3: what was not acknowledged yet has to be kept somewhere
from __future__ import annotations

#: Bytes that the application can leave here: enough to keep 100 Mbit/s busy over 80 ms.
CAPACITY = 1 << 20


class SendBuffer:
    """Bounded: what does not fit is not accepted, and the application has to come again."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._base = 1  # the position of the first of them
        self.finished = False  #: a FIN follows the bytes

    @property
    def data_end(self) -> int:
        """The position behind the last byte."""
        return self._base + len(self._bytes)

    @property
    def end(self) -> int:
        """The position behind everything that is to be sent by now, the FIN included."""
        return self.data_end + self.finished

    def write(self, data: bytes) -> int:
        """Keep as much of `data` as there is room for; how many bytes that is."""
        accepted = data[: CAPACITY - len(self._bytes)]
        self._bytes += accepted
        return len(accepted)

    def payload(self, start: int, end: int) -> bytes:
        """The bytes among the positions [start, end): neither SYN nor FIN."""
        with memoryview(self._bytes) as view:
            return bytes(view[max(0, start - self._base) : end - self._base])

    def release(self, position: int) -> None:
        """Everything below `position` is acknowledged."""
        count = min(position, self.data_end) - self._base
        if count > 0:
            del self._bytes[:count]  # moves a pointer, not the bytes behind
            self._base += count


### END SOLUTION
