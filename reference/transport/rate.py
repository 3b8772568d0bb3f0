"""How fast bytes are delivered: delivery-rate sampling after draft-cheng-iccrg-delivery-rate-estimation. Pure.

Rule 1: a sample is bytes over seconds, both counted from the same two moments: when a segment was sent, and when it was
acknowledged. What was delivered in between says how fast the narrowest link is, if the sender kept it busy.
Rule 2: of the two intervals, between sendings and between acknowledgements, the longer one counts: acknowledgements
that come in a bunch do not make a link faster, nor does a burst that was sent (section 2.2 of the draft).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RateSample:
    """What was delivered from the sending of a segment to its acknowledgement."""

    delivered: int  #: bytes
    interval: float  #: seconds, more than 0
    app_limited: bool  #: the sender had nothing to send in between: the link could have done more
    prior_delivered: (
        int  #: bytes that had been delivered when the segment left, since the connection's beginning
    )
    total_delivered: int  #: bytes delivered by now, since the connection's beginning

    @property
    def rate(self) -> float:
        """Bytes per second."""
        return self.delivered / self.interval
