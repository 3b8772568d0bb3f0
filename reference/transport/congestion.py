"""How much may be under way: the policy of congestion control. Pure.

Rule 1: the sender decides *what* is sent and finds out *what* is lost (sender.py, scoreboard.py). A controller decides
*how much*: it answers `window` and `pacing_rate`, and learns everything by the calls below. Neither reads the other.
Rule 2: it counts bytes of sequence numbers, takes time in seconds, and keeps its own state between calls.
Rule 3: `window` bounds the bytes under way: sent, and neither acknowledged nor taken for lost (the "Pipe" of RFC 6675).
So nothing here inflates a window by duplicate acknowledgements: the sender takes what they tell out of the pipe.

NewReno after RFC 5681 and 6582, which is the teaching controller:

    slow start            window < ssthresh: each acknowledged byte adds a byte; it doubles in a round trip
    congestion avoidance  otherwise: each window of acknowledged bytes adds one segment
    fast recovery         duplicate acknowledgements tell of a loss: half the window, until all is repaired
    after a timeout       one segment, and slow start up to half of what was under way
"""

### BEGIN SOLUTION: stage 7: a congestion window is yours to write
from __future__ import annotations

from typing import NamedTuple, Protocol

from rate import RateSample

#: SMSS: bytes in a full segment.
SEGMENT = 1200
#: IW of RFC 6928, section 2: ten segments.
INITIAL_WINDOW = 10 * SEGMENT
#: LW of RFC 5681, section 3.1: "Loss Window", one segment, after a timeout.
LOSS_WINDOW = SEGMENT


class Acknowledged(NamedTuple):
    """What one acknowledgement taught."""

    acknowledged: int  #: bytes that it moved the cumulative acknowledgement forward by; 0 if it only carried new blocks
    delivered: int  #: bytes that are now known to have arrived, and were not before: by number or by block
    in_flight: int  #: bytes still under way after it
    limited: bool  #: the window, and nothing else, has held the sender back: only then it is worth enlarging
    rtt: float | None  #: seconds that the newest segment took which was sent once only; None: no such segment
    rate: RateSample | None  #: how fast bytes were delivered while that segment was under way


class Controller(Protocol):
    """What a sender asks for, and tells, in the order in which it happens."""

    @property
    def window(self) -> int:
        """Bytes that may be under way. One segment at least, or nothing would ever move."""

    @property
    def pacing_rate(self) -> float | None:
        """Bytes per second that may leave; None: as fast as the window allows."""

    def on_sent(self, size: int, in_flight: int, *, now: float) -> None:
        """A segment of `size` bytes leaves, first time or again; `in_flight` were under way before it."""

    def on_acknowledged(self, news: Acknowledged, *, now: float) -> None:
        """An acknowledgement taught something. Comes after the `on_loss` and `on_recovery_exit` that it causes."""

    def on_loss(self, flight: int, lost: int, *, now: float) -> None:
        """Recovery begins: a segment is taken for lost, the first since the last recovery was over.

        `flight`: bytes that were sent and not acknowledged by number (FlightSize); `lost`: those taken for lost by now.
        """

    def on_more_lost(self, lost: int, *, now: float) -> None:
        """In recovery, another `lost` bytes are taken for lost: they were under way when it began."""

    def on_recovery_exit(self, in_flight: int, *, now: float) -> None:
        """All that was under way when recovery began has arrived."""

    def on_timeout(self, flight: int, *, now: float) -> None:
        """The retransmission timer ran out the first time for a segment: everything under way is taken for lost.

        `flight`: FlightSize as in `on_loss`, without the SYN: 0 if it was lost.
        """

    def on_idle(self, *, now: float) -> None:
        """About to send after nothing was under way for longer than a retransmission timeout."""


class NewReno:
    """Slow start, congestion avoidance, fast recovery."""

    def __init__(self) -> None:
        self._window = INITIAL_WINDOW  # cwnd
        self._threshold: int | None = None  # ssthresh; None: "arbitrarily high"
        self._acknowledged = 0  # bytes towards the next segment in congestion avoidance
        self._recovering = False

    @property
    def window(self) -> int:
        """Bytes that may be under way: cwnd."""
        return self._window

    @property
    def pacing_rate(self) -> float | None:
        """Not paced: the acknowledgements are the clock."""
        return None

    def on_sent(self, size: int, in_flight: int, *, now: float) -> None:
        """Nothing to learn from it."""

    def on_acknowledged(self, news: Acknowledged, *, now: float) -> None:
        """RFC 5681, section 3.1: grow, exponentially below the threshold and linearly above."""
        if self._recovering or not news.limited:
            return
        if self._threshold is None or self._window < self._threshold:
            # Equation (2): cwnd += min(N, SMSS)
            self._window += min(news.acknowledged, SEGMENT)
            return
        self._acknowledged += news.acknowledged
        if self._acknowledged >= self._window:
            # "when the number of bytes acknowledged reaches cwnd, then cwnd can be incremented by up to SMSS bytes"
            self._acknowledged -= self._window
            self._window += SEGMENT

    def on_loss(self, flight: int, lost: int, *, now: float) -> None:
        """RFC 6675, section 5, (4.2): "ssthresh = cwnd = (FlightSize / 2)"."""
        # In recovery the flight has grown by all that waits above the hole: then a half of the half.
        self._window = self._threshold = _half(self._window if self._recovering else flight)
        self._acknowledged = 0
        self._recovering = True

    def on_more_lost(self, lost: int, *, now: float) -> None:
        """One reaction in a round trip is enough."""

    def on_recovery_exit(self, in_flight: int, *, now: float) -> None:
        """RFC 6582, section 3.2, step 3: back to congestion avoidance, with "cwnd to ssthresh", its option (2)."""
        self._recovering = False

    def on_timeout(self, flight: int, *, now: float) -> None:
        """RFC 5681, section 3.1, equation (4), and the loss window."""
        if flight:  # a lost SYN says that one has to be careful, and nothing about the size of windows
            self._threshold = _half(flight)
        self._window = LOSS_WINDOW
        self._acknowledged = 0
        self._recovering = False

    def on_idle(self, *, now: float) -> None:
        """RFC 5681, section 4.1: after a pause nobody knows what the network bears; not more than at the start."""
        self._window = min(self._window, INITIAL_WINDOW)


def _half(flight: int) -> int:
    """RFC 5681, equation (4): "max (FlightSize / 2, 2*SMSS)"."""
    return max(flight // 2, 2 * SEGMENT)


### END SOLUTION
