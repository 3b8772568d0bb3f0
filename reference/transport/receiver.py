"""The receiving half of a connection: bytes into order, a bounded buffer, and when to acknowledge. Pure.

Rule 1: everything below `nxt` has arrived, is acknowledged, and is never taken back.
Rule 2: the right edge of the window never moves to the left (RFC 9293, section 3.8.6.2.2), so no byte that was invited
is turned away for want of room: what waits for the application and what waits for its turn fit in together.
Rule 3: an acknowledgement is owed at once when it is news to the sender (a hole, a filled hole, a repetition, the end),
and with every second segment otherwise, or after 0.2 s (RFC 9293, section 3.8.6.3; RFC 5681, section 4.2).
"""

### BEGIN SOLUTION: stages 3 and 5: the receiving half is yours to write
from __future__ import annotations

from congestion import SEGMENT
from reassembly import InOrder
from segment import MOST_BLOCKS

#: Seconds that an acknowledgement may be held back. The RFC allows 0.5.
DELAYED_ACK = 0.2


class Receiver:
    """Positions are plain integers: 0 is the peer's SYN, 1 its first byte."""

    def __init__(self, capacity: int) -> None:
        """`capacity`: bytes of the buffer."""
        self.nxt = 0  #: RCV.NXT: the next position that is expected
        self.finished = False  #: everything has arrived, the FIN included
        self.ack_due = False  #: an acknowledgement is owed now
        self.edge = 1 + capacity  #: RCV.NXT + RCV.WND: the first position that was not invited
        self._capacity = capacity
        self._step = max(1, min(capacity // 2, SEGMENT))  # bytes that the edge moves by, at least
        self._pieces = InOrder(capacity)  # counts from the first byte: position - 1
        self._ready = bytearray()  # in order, waits for the application
        self._fin_at: int | None = None  # the position of the FIN, as soon as one came
        self._recent: list[int] = []  # a position in each range above a hole, the newest first
        self._unacknowledged = 0  # segments since the last acknowledgement
        self._timer: float | None = None  # the one that is held back goes then

    def begin(self) -> None:
        """The peer's SYN arrived."""
        self.nxt = 1

    def receive(self, position: int, payload: bytes, fin: bool, *, now: float) -> None:
        """A segment with bytes or a FIN, of which a part at least lies in the window."""
        if self.finished:
            self.ack_due = True  # a repetition: all of the stream is there
            return
        expected = self.nxt
        had_holes = self._pieces.is_waiting or self._fin_at is not None
        end = position + len(payload)
        if fin and self._fin_at is None and self.nxt <= end < self.edge:
            self._fin_at = end
        self._pieces.receive(position - 1, payload[: max(0, self.edge - position)])
        for _, piece in self._pieces.read():
            piece = piece if self._fin_at is None else piece[: self._fin_at - self.nxt]  # nothing follows a FIN
            self._ready += piece
            self.nxt += len(piece)
        if self.nxt == self._fin_at:
            self.nxt, self.finished = self.nxt + 1, True
        if position > expected:
            self._recent.insert(0, position)
        self._unacknowledged += 1
        news = position != expected or had_holes or fin or end > self.edge
        # If another segment does not fit into the window, no second one comes before this one is acknowledged.
        if news or self._unacknowledged >= 2 or self.edge - self.nxt < SEGMENT:
            self.ack_due = True
        elif self._timer is None:
            self._timer = now + DELAYED_ACK

    def read(self, limit: int) -> bytes:
        """Up to `limit` bytes for the application, in order."""
        if not self._ready:
            return b""
        data = bytes(self._ready[:limit])
        del self._ready[: len(data)]
        if not self.finished and self._edge_can_move():
            self.ack_due = True
        return data

    def discard(self) -> None:
        """Forget what the application has not read."""
        self._ready.clear()

    def _newest_edge(self) -> int:
        """Where the edge might be: after the room that is left."""
        return max(self.nxt, 1) + self._capacity - len(self._ready)

    def _edge_can_move(self) -> bool:
        """RFC 9293, section 3.8.6.2.2: it moves by min(half the buffer, one segment) or more, or not at all."""
        return self._newest_edge() - self.edge >= self._step

    # -- acknowledging -------------------------------------------------------------------------------------------

    def next_timer(self) -> float | None:
        """When `wait` wants to be called: absolute seconds."""
        return self._timer

    def wait(self, *, now: float) -> None:
        """Time has passed."""
        if self._timer is not None and self._timer <= now:
            self._timer, self.ack_due = None, True

    def acknowledge(self) -> int:
        """An acknowledgement of `nxt` leaves now: nothing is owed any more. Returns its window, in bytes."""
        if self._edge_can_move():
            self.edge = self._newest_edge()
        self.ack_due, self._timer, self._unacknowledged = False, None, 0
        return max(0, self.edge - max(self.nxt, 1))  # a FIN may take the position after the last byte of the buffer

    def blocks(self) -> tuple[tuple[int, int], ...]:
        """The ranges that arrived above a hole, newest first (RFC 2018, section 4): as many as fit."""
        if not self._recent:
            return ()
        found: dict[tuple[int, int], int] = {}
        for position in self._recent:
            start, end = self._pieces.range_around(position - 1)
            if start < end and len(found) < MOST_BLOCKS:
                # A FIN after the last byte came with it.
                found.setdefault((start + 1, end + 1 + (end + 1 == self._fin_at)), position)
        self._recent = list(found.values())
        return tuple(found)


### END SOLUTION
