"""The AIMD envelope: an upper bound on what a correct sender of stage 7 may have under way. Pure.

It follows the most daring controller that rules 7.1 to 7.3 allow (RFC 5681 with byte counting, limited transmit and
inflation; RFC 6582, 6675, 6937) and adds SLACK. So it never tells which controller is at work; but who ignores losses,
has a constant window, or begins with a burst comes through its ceiling.
"""

from __future__ import annotations

from harness.transport.oracle_sender import Kind
from harness.transport.oracle_view import Ear, Sent
from harness.transport.verdicts import Verdicts

SEGMENT = 1200  #: bytes
INITIAL_WINDOW = 10 * SEGMENT  #: rule 7.1
SLACK = 3 * SEGMENT  #: limited transmit (RFC 3042) allows two segments, rounding one


class Envelope:
    """Looks at each sending of one side once, in order, after the sender's rules have said what kind it is."""

    def __init__(self, verdicts: Verdicts) -> None:
        self._verdicts = verdicts
        self._window = float(INITIAL_WINDOW)
        self._threshold = float("inf")
        self._una = 1  # as the window knows it
        self._advances = 0
        self._high = 1
        self._point = 0  # recovering until this is acknowledged
        self._timeout: _Timeout | None = None  # recovering from one
        self._losses = 0

    def look(self, row: Sent, kind: Kind, sure: Ear, eager: Ear) -> None:
        """Judge a sending."""
        if row.seg.syn or not row.seg.payload:
            return
        self._hear(eager)
        if kind == "fast":
            self._lose(sure)
        elif kind == "timeout":
            self._time_out(sure, eager)
        if self._timeout is not None:
            self._check_since_timeout(row, eager)
        elif row.end > self._high and not (kind == "fast" or self._point):
            self._check(row, eager)
        elif row.end > self._high:
            self._check_in_recovery(row, eager)
        self._high = max(self._high, row.end)

    # -- how large the window may be -----------------------------------------------------------------------------

    def _hear(self, eager: Ear) -> None:
        """What was acknowledged since the last sending opens the window."""
        news, acks = eager.una - self._una, eager.advances - self._advances
        if news <= 0:
            return
        self._una, self._advances = eager.una, eager.advances
        if self._point and self._una >= self._point:
            self._point = 0
        if self._timeout is not None:
            self._timeout.acknowledged += news
            if self._una >= self._timeout.point:
                self._timeout = None
        if self._window < self._threshold:
            self._window += news
        elif not self._point:  # at most one segment for each ACK of a segment, and for each window of bytes
            self._window += max(news, acks * SEGMENT) * SEGMENT / self._window

    def _lose(self, sure: Ear) -> None:
        """7.3: half of what was under way, once for the losses of one flight."""
        if self._point or self._timeout is not None:
            return
        self._losses += 1
        self._point = self._high
        self._threshold = max((self._high - max(sure.una, 1)) / 2, 2 * SEGMENT)
        self._window = self._threshold

    def _time_out(self, sure: Ear, eager: Ear) -> None:
        """7.3: one segment."""
        self._losses += 1
        flight = self._high - max(sure.una, 1)
        self._threshold = max(flight / 2, 2 * SEGMENT)
        self._window = SEGMENT
        self._point = 0
        self._timeout = _Timeout(self._high, eager.sacked.total)

    # -- what is under way ---------------------------------------------------------------------------------------

    def _left(self, eager: Ear) -> int:
        """Bytes above the first unacknowledged one that have left the network, as far as the sender may know."""
        return max(eager.sacked.total, eager.repeats * SEGMENT)

    def _check(self, row: Sent, eager: Ear) -> None:
        flight = row.end - max(eager.una, 1) - self._left(eager)
        if flight > self._window + SLACK:
            self._broken(row, flight)

    def _check_in_recovery(self, row: Sent, eager: Ear) -> None:
        """While it repairs, a sender may send for what has left (RFC 6937): no more than what was under way before."""
        flight = row.end - max(eager.una, 1) - self._left(eager)
        if flight > 2 * self._threshold + SLACK:
            self._broken(row, flight)

    def _check_since_timeout(self, row: Sent, eager: Ear) -> None:
        """What was sent before the timeout is taken for lost: only what was sent since is under way."""
        timeout = self._timeout
        assert timeout is not None
        timeout.sent += len(row.seg.payload)
        left = max(eager.sacked.total - timeout.sacked, eager.repeats * SEGMENT, 0)
        flight = timeout.sent - timeout.acknowledged - left
        if flight > self._window + SLACK:
            self._broken(row, flight)

    def _broken(self, row: Sent, flight: int) -> None:
        rule = "7.3" if self._losses else "7.1"
        why = "after a loss" if self._losses else "before any loss"
        text = f"{flight:,} bytes are under way {why}; the rules allow a congestion window of {self._window:,.0f}"
        self._verdicts.sent(rule, text, row)


class _Timeout:
    """What has happened since the last timeout."""

    def __init__(self, point: int, sacked: int) -> None:
        self.point = point  #: everything below had been sent
        self.sacked = sacked  #: bytes that were reported by then
        self.sent = 0  #: bytes, since
        self.acknowledged = 0  #: bytes, since
