"""How long to wait for an acknowledgement: the retransmission timeout, RTO, of RFC 6298. Pure.

Rule 1 (Karn): a segment that was sent twice gives no sample: nobody knows which copy was acknowledged. Whoever calls
`on_sample` keeps it.
Rule 2: each timeout of a segment doubles the RTO. If the round trip has become longer than the RTO, every segment is
sent twice and none gives a sample, so something of the doubling has to outlast the acknowledgement.
Where we differ: RFC 6298 keeps all of it until the next sample, and on a line that loses much, where samples are rare,
it climbs to a minute. We keep one doubling for each segment in a row that had a timeout and gave no sample.
"""

from __future__ import annotations

import math

#: RTO before the first sample, in seconds (section 2.1).
INITIAL_RTO = 1.0
#: Bounds of the RTO in seconds (2.4 and 2.5). The RFC's floor of 1 s is for clocks that tick twice a second.
LEAST_RTO = 0.3
MOST_RTO = 60.0
#: RTO for the first bytes if the SYN had to be repeated, in seconds (5.7).
RTO_AFTER_LATE_SYN = 3.0
#: Gains and factor of section 2.3.
ALPHA, BETA, K = 1 / 8, 1 / 4, 4
#: G of section 2.3, in seconds. Not our clock's granularity but what comes to the same: a peer may keep an
#: acknowledgement back for 0.2 s, and where all samples are alike, RTTVAR does not allow for it.
GRANULARITY = 0.25


class RoundTrip:
    """SRTT, RTTVAR and what follows from them; all in seconds."""

    def __init__(self) -> None:
        ### BEGIN SOLUTION: stage 3: the initial RTO, and no sample yet
        self.smoothed: float | None = None  # SRTT; None before the first sample
        self.variation = 0.0  # RTTVAR
        self.least = math.inf  #: the shortest sample: nearly the way itself, without queues
        self._without_backoff = INITIAL_RTO
        self._timeouts = 0  # of the segment that is waited for
        self._doubts = 0  # segments in a row that had a timeout and gave no sample
        ### END SOLUTION

    @property
    def rto(self) -> float:
        """Seconds to wait, back-off included."""
        ### BEGIN SOLUTION: stage 3: doubled by each timeout, 60 s at most (section 5.5)
        return min(self._without_backoff * 2.0 ** (self._timeouts + self._doubts), MOST_RTO)
        ### END SOLUTION

    def on_sample(self, rtt: float) -> None:
        """A segment that was sent once was acknowledged after `rtt` seconds."""
        ### BEGIN SOLUTION: stage 6: RFC 6298, sections 2.2 and 2.3
        if self.smoothed is None:
            self.smoothed, self.variation = rtt, rtt / 2
        else:
            # RTTVAR first: "computed using the value of SRTT before updating SRTT itself"
            self.variation = (1 - BETA) * self.variation + BETA * abs(self.smoothed - rtt)
            self.smoothed = (1 - ALPHA) * self.smoothed + ALPHA * rtt
        self.least = min(self.least, rtt)
        self._without_backoff = max(self.smoothed + max(GRANULARITY, K * self.variation), LEAST_RTO)
        self._timeouts = self._doubts = 0
        ### END SOLUTION

    def on_timeout(self) -> None:
        """Section 5.5: "The host MUST set RTO <- RTO * 2 ("back off the timer")"."""
        ### BEGIN SOLUTION: stage 3: one doubling more
        self._timeouts += 1
        ### END SOLUTION

    def on_progress(self) -> None:
        """Something new was acknowledged. Comes before the sample, if there is one."""
        ### BEGIN SOLUTION: stage 3: see Rule 2
        if self._timeouts:
            self._timeouts, self._doubts = 0, self._doubts + 1
        ### END SOLUTION

    def on_late_handshake(self) -> None:
        """Section 5.7: the SYN was repeated, so there is no sample, and reason to be careful."""
        ### BEGIN SOLUTION: stage 3: "the RTO MUST be re-initialized to 3 seconds when data transmission begins"
        self._without_backoff = RTO_AFTER_LATE_SYN
        self._timeouts = self._doubts = 0
        ### END SOLUTION
