"""Where output waits until the kernel takes it. Pure: no sockets, no clock.

Law: a buffer without a limit is a leak that waits for a slow reader. Whoever fills one looks at its length.
"""

from __future__ import annotations

import heapq
from collections import deque

#: Bytes of unsent output from which on a client counts as slow.
LIMIT = 65536
#: Bytes offered to the kernel at a time.
PIECE = 16384


class Output:
    """Bytes that wait, in order. An empty one is small, for most connections have nothing waiting."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = bytearray()

    def __len__(self) -> int:
        return len(self._data)

    def put(self, data: bytes | memoryview) -> None:
        """Bytes to send after all others."""
        self._data += data

    def head(self) -> bytes | bytearray:
        """What to offer to the kernel next."""
        return self._data

    def taken(self, count: int) -> None:
        """The kernel took the first `count` bytes of head().

        `del` on a bytearray moves its beginning; `data = data[count:]` on bytes would copy all that is left, each time.
        """
        ### BEGIN SOLUTION: stage 2: delete them from the front
        del self._data[:count]
        ### END SOLUTION


class Outbox:
    """Whole lines that wait, in order: replies, which stay, and broadcasts, which may be dropped (stage 3).

    Each line comes with a number. Two queues, merged by number: the oldest broadcast is found at once, however many
    replies wait before it.
    """

    __slots__ = ("_broadcasts", "_length", "_replies", "_rest", "dropped")

    def __init__(self) -> None:
        self._rest = b""  # of a line of which a part has been sent: it can no longer be dropped
        self._replies: deque[tuple[int, bytes]] = deque()
        self._broadcasts: deque[tuple[int, bytes]] = deque()
        self._length = 0  # bytes that wait
        self.dropped = 0  #: broadcasts that were dropped and not reported yet

    def __len__(self) -> int:
        return self._length

    @property
    def replies(self) -> int:
        """How many replies wait."""
        return len(self._replies)

    def put(self, entry: tuple[int, bytes], *, broadcast: bool, begun: int = 0) -> None:
        """A line to send after all others. begun: how many of its bytes were sent already; if any, nothing waits."""
        ### BEGIN SOLUTION: stage 3: into its queue, or the rest of it in front; count what waits
        self._length += len(entry[1]) - begun
        if begun:
            self._rest = entry[1][begun:]
        else:
            (self._broadcasts if broadcast else self._replies).append(entry)
        ### END SOLUTION

    def drop_oldest(self, limit: int) -> None:
        """Drop broadcasts, oldest first, until at most `limit` bytes wait or none is left that may be dropped."""
        ### BEGIN SOLUTION: stage 3: from the left of the queue of broadcasts; count them
        while self._length > limit and self._broadcasts:
            self._length -= len(self._broadcasts.popleft()[1])
            self.dropped += 1
        ### END SOLUTION

    def head(self) -> bytes:
        """What to offer to the kernel next: several lines at once, for a system call for each would be slow."""
        ### BEGIN SOLUTION: stage 3: the rest of the line that was begun, then both queues merged by number
        lines = [self._rest]
        size = len(self._rest)
        for _, line in heapq.merge(self._replies, self._broadcasts):
            if size > PIECE:
                break
            lines.append(line)
            size += len(line)
        return b"".join(lines)
        ### END SOLUTION

    def taken(self, count: int) -> None:
        """The kernel took the first `count` bytes of head()."""
        ### BEGIN SOLUTION: stage 3: the rest first, then line by line in the order of head()
        self._length -= count
        while count >= len(self._rest):
            count -= len(self._rest)
            self._rest = b""
            if not count:
                return
            replies_first = not self._broadcasts or (self._replies and self._replies[0] < self._broadcasts[0])
            self._rest = (self._replies if replies_first else self._broadcasts).popleft()[1]
        self._rest = self._rest[count:]
        ### END SOLUTION
