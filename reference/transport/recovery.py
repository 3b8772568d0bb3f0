"""When is something lost? Fast retransmit and fast recovery (RFC 5681, 6582, 6675). Pure.

Rule 1: a loss is seen in two ways: later segments arrive, which acknowledgements tell (recovery); or nothing comes
until the timer runs out (timeout). What happens to the window is the controller's business (congestion.py).
Rule 2: a peer that sends blocks is believed by its blocks (RFC 6675); one that does not, by counting duplicate
acknowledgements (RFC 5681 and 6582). The difference is in what a duplicate acknowledgement is, and in nothing behind.
Rule 3: recovery is one event, however many segments it has to repair: it lasts until all is acknowledged that was under
way when it began (`point`), and the controller is told once.
"""

### BEGIN SOLUTION: stage 6: fast retransmission is yours to write
from __future__ import annotations

from congestion import SEGMENT, Controller
from repetitions import Repetitions
from scoreboard import DUPLICATE_THRESHOLD, Scoreboard, Sent


class Recovery:
    """What the acknowledgements say about losses."""

    def __init__(self, scoreboard: Scoreboard, repetitions: Repetitions, controller: Controller) -> None:
        self._scoreboard = scoreboard
        self._repetitions = repetitions
        self._controller = controller
        self._selective = False  # the peer has sent blocks
        self._duplicates = 0  # duplicate acknowledgements in a row
        self._departed = 0  # bytes that they say have left the network, if there are no blocks to say which
        self._point: int | None = None  # RecoveryPoint: recovering until this is acknowledged; None: not recovering
        self._after_timeout = False  # recovering from a timeout
        self._recovered = 0  # the last point that was reached: "recover" of RFC 6582
        self._begun = 0  # transmissions when the controller was last told
        self._rescued = False  # the rescue retransmission of this recovery was sent
        self.urgent = False  #: the next lost segment goes at once, whatever the window says

    @property
    def pipe(self) -> int:
        """Bytes that are in the network as far as we know (RFC 6675, section 4)."""
        return max(0, self._scoreboard.in_flight - self._departed)

    def on_acknowledgement(
        self, una: int, nxt: int, *, advanced: int, sacked: bool, duplicate: bool, unsent: bool, now: float
    ) -> None:
        """An acknowledgement was written into the scoreboard.

        `una`, `nxt`: SND.UNA and SND.NXT after it; `advanced`: bytes that it moved SND.UNA by; `sacked`: its blocks
        told something new; `duplicate`: it is one as RFC 5681, section 2, defines it; `unsent`: more is to be sent.
        """
        self._selective = self._selective or sacked
        if advanced:
            self._on_advance(una, advanced, now)
        elif self._scoreboard and (sacked if self._selective else duplicate):
            self._duplicates += 1
            if not self._selective:
                self._departed = min(self._departed + SEGMENT, self._scoreboard.in_flight)
        if self._scoreboard:
            self._scoreboard.set_threshold(early=not (unsent or self._repetitions.reordered))
            self._look_for_lost_repetitions(una, nxt, now)
            if not self._after_timeout:
                self._look_for_losses(una, nxt, now)

    def _on_advance(self, una: int, advanced: int, now: float) -> None:
        self._duplicates = 0
        # All that arrived above the hole has been counted as departed, segment by segment; the hole itself has not.
        self._departed = max(0, self._departed - max(0, advanced - SEGMENT)) if self._point else 0
        if self._point is None:
            return
        if una >= self._point:  # RFC 6582, section 3.2, step 3: a full acknowledgement
            self._recovered, self._point, self._departed = self._point, None, 0
            if not self._after_timeout:
                self._controller.on_recovery_exit(self.pipe, now=now)
            self._after_timeout = False
        elif not (
            self._selective or self._after_timeout
        ):  # a partial one: "retransmit the first unacknowledged segment"
            self._controller.on_more_lost(self._scoreboard.lose_first(), now=now)

    def _look_for_lost_repetitions(self, una: int, nxt: int, now: float) -> None:
        lost = order = 0
        for sent in self._repetitions.overtaken():
            if size := self._scoreboard.lose(sent):
                lost, order = lost + size, sent.order
        if order > self._begun:
            # RFC 5681, section 4.3: "the loss of a retransmission, should be taken as two indications of congestion".
            self._begin(una, nxt, lost, now)
        elif lost:
            self._controller.on_more_lost(lost, now=now)

    def _begin(self, una: int, nxt: int, lost: int, now: float) -> None:
        self._point, self._begun, self._after_timeout = nxt, self._repetitions.count, False
        self._rescued, self.urgent = False, True
        self._controller.on_loss(nxt - una, lost, now=now)

    def _look_for_losses(self, una: int, nxt: int, now: float) -> None:
        lost = self._scoreboard.find_lost()
        if self._point is not None:
            if lost:
                self._controller.on_more_lost(lost, now=now)
            return
        # RFC 6582, section 3.2, step 2: what was sent twice after a timeout causes duplicates that mean nothing.
        heard = una > self._recovered or self._selective
        if not lost and self._duplicates >= DUPLICATE_THRESHOLD and heard:
            lost = self._scoreboard.lose_first()
        if lost:
            self._begin(una, nxt, lost, now)

    def on_timeout(self, nxt: int) -> None:
        """The retransmission timer ran out: everything has to be sent again."""
        self._scoreboard.lose_all()
        self._point, self._begun, self._after_timeout = nxt, self._repetitions.count, True
        self._duplicates = self._departed = 0
        self.urgent = False

    def rescue(self) -> Sent | None:
        """What to send when nothing else is left to send: once in a recovery, the last segment that is not there yet.

        Rule (4) of NextSeg() in RFC 6675. If the tail was lost, nothing behind it tells; this repetition makes the
        receiver tell. Rule (3), to repeat what may be under way, is a MAY that we leave out.
        """
        if self._point is None or self._after_timeout or self._rescued or not self._selective:
            return None
        last = self._scoreboard.last_unsacked()
        if last is None or last.times > 1 or last.order > self._begun:  # what was sent since can still be answered
            return None
        self._rescued = True
        return last


### END SOLUTION
