"""How long to wait for an acknowledgement: the retransmission timeout of RFC 6298. Pure.

Rule 1 (Karn): a segment that was sent twice gives no sample, for nobody knows which copy was acknowledged. Who calls
`on_sample` keeps it.
Rule 2: a timeout doubles the RTO, and only the next sample brings it down again (section 5, note at its end).
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
        ### BEGIN SOLUTION: stage 6: no sample yet
        self.smoothed: float | None = None  # SRTT; None before the first sample
        self.variation = 0.0  # RTTVAR
        self.least = math.inf  # the shortest sample: nearly the way itself, without queues
        self.rto = INITIAL_RTO  #: seconds to wait, back-off included
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
        rto = self.smoothed + max(GRANULARITY, K * self.variation)
        self.rto = min(max(rto, LEAST_RTO), MOST_RTO)
        ### END SOLUTION

    def on_timeout(self) -> None:
        """Section 5.5: "The host MUST set RTO <- RTO * 2 ("back off the timer")"."""
        ### BEGIN SOLUTION: stage 3: twice as long, 60 s at most
        self.rto = min(self.rto * 2, MOST_RTO)
        ### END SOLUTION

    def on_late_handshake(self) -> None:
        """Section 5.7: a SYN that was repeated gives no sample, and more reason to be careful than none."""
        ### BEGIN SOLUTION: stage 3: "the RTO MUST be re-initialized to 3 seconds when data transmission begins"
        self.rto = RTO_AFTER_LATE_SYN
        ### END SOLUTION
