"""How fast bytes are delivered: delivery-rate sampling after draft-cheng-iccrg-delivery-rate-estimation-02. Pure.

Rule 1: a sample is bytes over seconds: what was delivered between the sending of a segment and its acknowledgement. If
the sender kept the narrowest link busy in between, that is the link's rate.
Rule 2: of the two intervals, between sendings and between acknowledgements, the longer one counts: acknowledgements
that come in a bunch do not make a link faster, nor does a burst that was sent (section 3.2 of the draft).
"""

### BEGIN SOLUTION: stage 9: measuring what the path delivers is for the extension only
from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol


class RateSample(NamedTuple):
    """What was delivered from the sending of a segment to its acknowledgement."""

    delivered: int  #: bytes
    interval: float  #: seconds, more than 0
    app_limited: bool  #: the sender had nothing to send in between: the link could have done more
    prior_delivered: int  #: bytes that had been delivered when the segment left, since the connection's beginning
    total_delivered: int  #: bytes delivered by now, since the connection's beginning

    @property
    def rate(self) -> float:
        """Bytes per second."""
        return self.delivered / self.interval


class Snapshot(NamedTuple):
    """How things stood when a segment left; it is kept with the segment. Names as in the draft, section 3.3."""

    delivered: int  #: P.delivered: bytes delivered by then
    delivered_time: float  #: P.delivered_time: when the last of them was
    first_sent_time: float  #: P.first_sent_time: when the segment was sent whose acknowledgement that was
    app_limited: bool  #: P.is_app_limited


class Delivered(Protocol):
    """What is of interest of a segment here."""

    start: int  #: positions [start, end)
    end: int
    sent_at: float  #: seconds
    snapshot: Snapshot


class DeliveryRate:
    """Counts what is delivered, and takes samples of it."""

    def __init__(self) -> None:
        self._delivered = 0  # C.delivered: bytes
        self._delivered_time = 0.0  # C.delivered_time: when it last grew
        self._first_sent_time = 0.0  # C.first_sent_time: when the segment left that was last acknowledged
        self._app_limited = 0  # C.app_limited: until this many bytes are delivered, samples are app-limited; 0: not
        self._newest: Snapshot | None = None  # of the segment that left last of those just delivered
        self._sent_time = 0.0  # when that one left

    def on_sent(self, *, idle: bool, now: float) -> Snapshot:
        """A segment leaves, after nothing was under way if `idle`; what to keep with it."""
        if idle:
            self._first_sent_time = self._delivered_time = now
        return Snapshot(self._delivered, self._delivered_time, self._first_sent_time, self._app_limited > 0)

    def on_application_limited(self, in_flight: int) -> None:
        """There is room in the window, and nothing to send: what is under way now shows nothing of the link."""
        self._app_limited = max(1, self._delivered + in_flight)

    def on_delivered(self, segments: Iterable[Delivered], *, now: float) -> int:
        """Segments that are now known to have arrived; each is reported once. Returns how many bytes they are."""
        before = self._delivered
        for sent in segments:
            self._delivered += sent.end - sent.start
            self._delivered_time = now
            newest = (-1, 0.0) if self._newest is None else (self._newest.delivered, self._sent_time)
            if (sent.snapshot.delivered, sent.sent_at) >= newest:
                self._newest, self._sent_time = sent.snapshot, sent.sent_at
        return self._delivered - before

    def sample(self, least_rtt: float) -> RateSample | None:
        """After all `on_delivered` of one acknowledgement: what they tell. None: nothing, or nothing reliable.

        `least_rtt`: the shortest round trip that was ever measured, in seconds.
        """
        newest, self._newest = self._newest, None
        if newest is None:
            return None
        if self._app_limited and self._delivered > self._app_limited:
            self._app_limited = 0
        self._first_sent_time = self._sent_time
        interval = max(self._sent_time - newest.first_sent_time, self._delivered_time - newest.delivered_time)
        if interval <= 0 or interval < least_rtt:
            return None  # "no reliable sample": shorter than light would take
        delivered = self._delivered - newest.delivered
        return RateSample(delivered, interval, newest.app_limited, newest.delivered, self._delivered)


### END SOLUTION
