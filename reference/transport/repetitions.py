"""Is a repetition lost, too? Told by what was sent later and has arrived, after RACK (RFC 8985). Pure.

Rule 1: RFC 6675 judges each segment once, by what stands above it in the stream. A repetition was sent later than much
that stands above it, so that says nothing about it, and if it is lost as well, only the timer is left.
Rule 2: so transmissions are put in the order of time (section 3.1 of RFC 8985): what was sent before something that has
arrived, and did not arrive, is lost, if it is before by more than packets change places.
"""

### BEGIN SOLUTION: stage 6: better than the rules ask for; leave it out, if you like
from __future__ import annotations

from collections import deque

from rtt import RoundTrip
from scoreboard import DUPLICATE_THRESHOLD, Sent

#: RACK.reo_wnd: "RACK.min_RTT / 4" (section 6.2, step 4): how much packets may change places, in shortest round trips.
REORDERING = 1 / 4
#: What is answered in a smaller part of the shortest round trip than this is an earlier copy (section 6.2, step 2).
EARLIEST = 0.9


class Repetitions:
    """The repetitions on their way, in the order in which they were sent."""

    def __init__(self, round_trip: RoundTrip) -> None:
        self._round_trip = round_trip
        self.count = 0  #: transmissions so far, first ones and repetitions
        self._waiting: deque[tuple[int, float, Sent]] = deque()  # number, when it left, what
        self._newest = (0, 0.0)  # number and time of the last transmission that has arrived for certain
        self.reordered = False  #: RACK.reordering_seen: something arrived after what was sent later

    def on_sent(self, sent: Sent) -> None:
        """A segment has left, the first time or again."""
        self.count += 1
        sent.order = self.count
        if sent.times > 1:
            self._waiting.append((sent.order, sent.sent_at, sent))

    def on_arrived(self, delivered: list[Sent], *, now: float) -> None:
        """The peer says of these for the first time that it has them."""
        # What a repetition brings to light may have waited above its hole, or in a block that had no place.
        if delivered and all(sent.times == 1 and sent.order < self._newest[0] for sent in delivered):
            self.reordered = True
        for sent in delivered:
            sent.counted = True
            if sent.times == 1 or now - sent.sent_at >= EARLIEST * self._round_trip.least:
                self._newest = max(self._newest, (sent.order, sent.sent_at))

    def overtaken(self) -> list[Sent]:
        """The segments whose last repetition counts as lost, unless they have arrived; each is reported once."""
        found: list[Sent] = []
        newest, newest_at = self._newest
        # Step 4: as long as nothing has changed places, whatever was sent later is enough.
        places, margin = 1, 0.0
        if self.reordered:
            places, margin = DUPLICATE_THRESHOLD, REORDERING * self._round_trip.least
        while self._waiting:
            number, sent_at, sent = self._waiting[0]
            if number + places > newest and sent_at + margin >= newest_at:
                break
            self._waiting.popleft()
            if sent.order == number:
                found.append(sent)
        return found


### END SOLUTION
