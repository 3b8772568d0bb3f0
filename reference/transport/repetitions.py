"""Is a repetition lost, too? Told by what was sent later and has arrived, after RACK (RFC 8985). Pure.

Rule 1: RFC 6675 judges each segment once, by what stands above it in the stream. A repetition was sent later than much
that stands above it, so that says nothing about it, and if it is lost as well, only the timer is left.
Rule 2: so transmissions are put in the order of time (section 3.1 of RFC 8985): what was sent before something that has
arrived, and did not arrive, is lost, if it is before by more than packets change places.
"""

from __future__ import annotations

from collections import deque

from rtt import RoundTrip
from scoreboard import DUPLICATE_THRESHOLD, Sent

#: RACK.reo_wnd: "RACK.min_RTT / 4" (section 6.2, step 4): how much packets may change places, in shortest round trips.
REORDERING = 1 / 4


class Repetitions:
    """The repetitions on their way, in the order in which they were sent."""

    def __init__(self, round_trip: RoundTrip) -> None:
        ### BEGIN SOLUTION: stage 6: nothing was sent, nothing has arrived
        self._round_trip = round_trip
        self.count = 0  #: transmissions so far, first ones and repetitions
        self._waiting: deque[tuple[int, float, Sent]] = deque()  # number, when it left, what
        self._newest = (0, 0.0)  # number and time of the last transmission that has arrived for certain
        ### END SOLUTION

    def on_sent(self, sent: Sent) -> None:
        """A segment has left, the first time or again."""
        ### BEGIN SOLUTION: stage 6: number it; only repetitions are waited for
        self.count += 1
        sent.order = self.count
        if sent.times > 1:
            self._waiting.append((sent.order, sent.sent_at, sent))
        ### END SOLUTION

    def on_arrived(self, sent: Sent, *, now: float) -> None:
        """The peer says for the first time that it has `sent`."""
        ### BEGIN SOLUTION: stage 6: section 6.2, step 2: what is answered sooner than ever is an earlier copy
        sent.counted = True
        if sent.times == 1 or now - sent.sent_at >= self._round_trip.least:
            self._newest = max(self._newest, (sent.order, sent.sent_at))
        ### END SOLUTION

    def overtaken(self) -> list[Sent]:
        """The segments whose last repetition has to be taken for lost, unless they have arrived; each is told once."""
        ### BEGIN SOLUTION: stage 6: by three transmissions (DupThresh), or by time (RACK_detect_loss(), step 5)
        found: list[Sent] = []
        newest, newest_at = self._newest
        margin = REORDERING * self._round_trip.least
        while self._waiting:
            number, sent_at, sent = self._waiting[0]
            if number + DUPLICATE_THRESHOLD > newest and sent_at + margin >= newest_at:
                break
            self._waiting.popleft()
            if sent.order == number:
                found.append(sent)
        return found
        ### END SOLUTION
