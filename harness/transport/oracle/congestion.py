"""The AIMD envelope: an upper bound on what a correct sender of stage 7 may have under way. Pure.

It follows the most daring controller that rules 7.1 to 7.3 allow (RFC 5681 with byte counting, limited transmit and
inflation; RFC 6582, 6675, 6937) and adds SLACK. So it cannot say which controller is at work; but a sender that
ignores losses, has a constant window, or begins with a burst exceeds it.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.transport.oracle.sender import Kind
from harness.transport.oracle.verdicts import Verdicts
from harness.transport.oracle.view import Sent, Witness

SEGMENT = 1200  #: bytes
INITIAL_WINDOW = 10 * SEGMENT  #: rule 7.1
SLACK = 3 * SEGMENT  #: limited transmit (RFC 3042) allows two segments, rounding one


class Envelope:
    """Checks each sending of one side once, in order, after the sender's rules have determined its kind."""

    def __init__(self, verdicts: Verdicts) -> None:
        self._verdicts = verdicts
        self._window = float(INITIAL_WINDOW)
        self._threshold = float("inf")
        self._una = 1  # as far as the window has been opened for it
        self._advances = 0
        self._high = 1
        self._point = 0  # recovering until this is acknowledged
        self._timeout: _Timeout | None = None  # recovering from one
        self._repaired = -1  # the first number of the last fast retransmission
        self._repeats = 0  # duplicate ACKs before that loss
        self._losses = 0

    def look(self, row: Sent, kind: Kind, sure: Witness, eager: Witness) -> None:
        """Judge a sending."""
        if row.seg.syn or not row.seg.payload:
            return
        self._hear(eager)
        if eager.newest >= row.at:  # whole round trips in one instant: the order cannot be known
            self._high = max(self._high, row.end)
            if kind in ("fast", "either", "timeout"):
                self._point, self._threshold = self._high, max(self._threshold, self._window)
            return
        if kind == "timeout" or (kind == "either" and self._timeout is not None):
            self._time_out(row, sure, eager)
        elif kind in ("fast", "either"):
            self._lose(row, sure, eager)
            if kind == "either":  # a timeout during a recovery begins another one
                self._threshold = max(self._threshold, (self._high - max(sure.una, 1)) / 2)
                self._window, self._point = max(self._window, self._threshold), self._high
        if self._timeout is not None:
            self._check_since_timeout(row, eager)
        elif row.end > self._high:
            self._check(row, eager)
        self._high = max(self._high, row.end)

    # -- how large the window may be -----------------------------------------------------------------------------

    def _hear(self, eager: Witness) -> None:
        """What was acknowledged since the last sending opens the window."""
        news, acks = eager.una - self._una, eager.advances - self._advances
        if news <= 0:
            return
        self._una, self._advances = eager.una, eager.advances
        if self._una >= self._point:
            self._point = 0
        if self._timeout is not None and self._una >= self._timeout.point:
            self._timeout = None
        if self._window < self._threshold:
            self._window += news
        elif not self._point:  # at most one segment for each ACK of a segment, and for each window of bytes
            self._window += max(news, acks * SEGMENT) * SEGMENT / self._window

    def _lose(self, row: Sent, sure: Witness, eager: Witness) -> None:
        """7.3: half of what was under way, once for the losses of one flight."""
        again, self._repaired = row.seq == self._repaired, row.seq
        if self._timeout is not None:
            return
        if self._point:
            if again:  # the repetition was lost: that may count as a new loss (RFC 5681, section 4.3)
                self._point = self._high
            return
        self._losses += 1
        self._una = max(sure.una, 1)  # what came at this instant may have come after
        self._point, self._repeats = self._high, eager.repeats_before
        self._threshold = max((self._high - self._una) / 2, 2 * SEGMENT)
        self._window = self._threshold

    def _time_out(self, row: Sent, sure: Witness, eager: Witness) -> None:
        """7.3: one segment."""
        self._losses += 1
        self._una = max(sure.una, 1)
        self._threshold = max((self._high - self._una) / 2, 2 * SEGMENT)
        self._window = SEGMENT
        self._point = 0
        known = eager.heard_at < row.at  # what came at this instant may be news
        repeats, sacked = (eager.all_repeats, eager.sacked.total) if known else (eager.repeats_before, 0)
        self._timeout = _Timeout(self._una, self._high, repeats, sacked)

    # -- what is under way ---------------------------------------------------------------------------------------

    def _check(self, row: Sent, eager: Witness) -> None:
        """New bytes, and no timeout."""
        repeats, most = eager.repeats, self._window
        if self._point:
            # During a repair, a sender may replace what has left (RFC 5681: inflation; RFC 6937): no more than what
            # was under way before, and a segment for each duplicate ACK since then.
            repeats, most = eager.all_repeats - self._repeats, 2 * self._threshold
        left = max(eager.sacked.total, repeats * SEGMENT)
        flight = row.end - max(eager.una, 1) - left
        if flight > most + SLACK:
            self._broken(row, flight)

    def _check_since_timeout(self, row: Sent, eager: Witness) -> None:
        """What was sent before the timeout counts as lost: only what was sent since is under way."""
        timeout = self._timeout
        assert timeout is not None
        timeout.sent += len(row.seg.payload)
        left = max(eager.sacked.total - timeout.sacked, (eager.all_repeats - timeout.repeats) * SEGMENT, 0)
        flight = timeout.sent - (eager.una - timeout.una) - left
        if flight > self._window + SLACK:
            self._broken(row, flight)

    def _broken(self, row: Sent, flight: int) -> None:
        rule = "7.3" if self._losses else "7.1"
        why = "after a loss" if self._losses else "before any loss"
        text = f"{flight:,} bytes are under way {why}; the rules allow a congestion window of {self._window:,.0f}"
        self._verdicts.sent(rule, text, row)


@dataclass
class _Timeout:
    """The state at the last timeout, and what happened since."""

    una: int  #: the first unacknowledged number then
    point: int  #: everything below had been sent
    repeats: int  #: duplicate ACKs by then
    sacked: int  #: bytes that were reported by then
    sent: int = 0  #: bytes, since
