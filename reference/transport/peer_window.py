"""The window that the peer offers: how far we may send, and how to ask when it is closed. Pure.

Rule: a window is an edge: the first position that the peer has no room for. It should never move back (RFC 9293,
section 3.8.6), and we tolerate it if it does.
"""

### BEGIN SOLUTION: stage 5: the peer's window is yours to watch
from __future__ import annotations

from typing import NamedTuple

from rtt import MOST_RTO


class Answer(NamedTuple):
    """What a sender is interested in of a segment that arrived, in positions."""

    acknowledged: int  #: SEG.ACK
    window: int  #: SEG.WND: bytes
    sequence: int  #: SEG.SEQ, of the other stream: tells which of two windows is the newer one
    blocks: tuple[tuple[int, int], ...]  #: newest first
    bare: bool  #: neither bytes nor SYN nor FIN in it


class PeerWindow:
    """Zero until the peer has announced one."""

    def __init__(self) -> None:
        self.edge = 0  #: the first position that there is no room for
        self.widest = 0  #: the largest window that was ever announced, in bytes
        self.probing: float | None = None  #: seconds between questions whether it is still closed; None: not asking
        self._told = 0  # SEG.WND of the last answer
        self._updated_by = (-1, -1)  # SND.WL1 and SND.WL2: what the edge was learnt from

    def is_repeated(self, answer: Answer) -> bool:
        """Whether an answer tells the same window as the one before: part (e) of a duplicate acknowledgement."""
        return answer.window == self._told

    def update(self, answer: Answer) -> bool:
        """Believe an answer; whether it ended the asking.

        RFC 9293, section 3.10.7.4: "If SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK)": what is older
        than the last update says nothing.
        """
        self._told = answer.window
        if (answer.sequence, answer.acknowledged) >= self._updated_by:
            self._updated_by = answer.sequence, answer.acknowledged
            self.edge = answer.acknowledged + answer.window
            self.widest = max(self.widest, answer.window)
        if self.probing is None or self.edge <= answer.acknowledged:
            return False
        self.probing = None
        return True

    def next_wait(self, rto: float) -> float:
        """Seconds until the next question: "the sending TCP peer [...] SHOULD increase exponentially the interval"."""
        self.probing = rto if self.probing is None else min(self.probing * 2, MOST_RTO)
        return self.probing


### END SOLUTION
