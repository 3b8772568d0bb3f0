"""The retransmission timer: when it runs, and how often in vain (RFC 6298, section 5). Pure."""

### BEGIN SOLUTION: stage 3: the timer is yours to write
from __future__ import annotations

from rtt import RoundTrip


class Timer:
    """One for a connection, not one for each segment: it stands for the oldest one that is not acknowledged."""

    def __init__(self, round_trip: RoundTrip) -> None:
        self.due: float | None = None  #: when it expires, in seconds; None: it does not run
        self.tries = 0  #: how often it expired in a row without an answer
        self._round_trip = round_trip

    def on_sent(self, *, now: float) -> None:
        """(5.1): "Every time a packet containing data is sent (including a retransmission), if the timer is not
        running, start it running so that it will expire after RTO seconds"."""
        if self.due is None:
            self.due = now + self._round_trip.rto

    def on_progress(self, *, outstanding: bool, now: float) -> None:
        """(5.2): "When all outstanding data has been acknowledged, turn off the retransmission timer". (5.3): "When
        an ACK is received that acknowledges new data, restart the retransmission timer"."""
        self.due = now + self._round_trip.rto if outstanding else None
        self.tries = 0

    def has_expired(self, *, now: float) -> bool:
        """Whether its time has come."""
        return self.due is not None and self.due <= now

    def back_off(self, *, now: float) -> None:
        """(5.5), (5.6): double the RTO, and start it again with that."""
        self._round_trip.on_timeout()
        self.due = now + self._round_trip.rto


### END SOLUTION
