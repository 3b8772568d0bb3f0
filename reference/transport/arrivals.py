"""What an arriving segment means: RFC 9293, section 3.10.7, "SEGMENT ARRIVES", with the checks of RFC 5961. Pure.

Rule 1: the steps are in the RFC's order, and the order matters: first where a segment lies, then RST, SYN, ACK,
bytes, FIN. What fails at a step never reaches the next one.
Rule 2: numbers on the wire become positions here, which count from 0 and never wrap (sequence.py); nothing else sees
another number.
Rule 3: which state follows is looked up (states.py), not decided.
"""

### BEGIN SOLUTION: stage 4: what a segment means, state by state, is yours to write, here or where it suits you
from __future__ import annotations

from collections import deque

from events import Event
from peer_window import Answer
from receiver import Receiver
from segment import Segment
from sender import Sender
from sequence import unwrap, wrap
from states import Cause, State, follow

#: Seconds in TIME-WAIT: 2 MSL of RFC 9293, section 3.4.2, for a lifetime of 2 s.
TIME_WAIT = 4.0


class Arrivals:
    """The state of a connection, its two halves, and what segments do to them."""

    def __init__(self, state: State, isn: int, sender: Sender, receiver: Receiver) -> None:
        """`isn`: ISS, the number of our SYN."""
        self.state = state
        self.sender = sender
        self.receiver = receiver
        self.events: deque[Event] = deque()  #: what has not been reported to the application yet
        self.replies: list[Segment] = []  #: resets; acknowledgements are owed by the receiver
        self.time_wait: float | None = None  #: when TIME-WAIT is over, in seconds
        self.aborted = False  #: by our own application
        self._isn = isn  # the number of our position 0
        self._irs = 0  # the number of the peer's position 0, once its SYN has come

    # -- numbers out ---------------------------------------------------------------------------------------------

    def segment(
        self, position: int, payload: bytes = b"", *, syn: bool = False, fin: bool = False, rst: bool = False
    ) -> Segment:
        """A segment of ours at `position`, with the acknowledgement, window and blocks of this moment."""
        receiver = self.receiver
        window = receiver.acknowledge()
        sequence = wrap(position, self._isn)
        if not receiver.nxt:
            return Segment(sequence, 0, window, syn=syn, rst=rst)
        acknowledgement, blocks = wrap(receiver.nxt, self._irs), receiver.blocks()
        if blocks:  # counted from position 0 so far
            blocks = tuple((wrap(left, self._irs), wrap(right, self._irs)) for left, right in blocks)
        return Segment(sequence, acknowledgement, window, syn, True, fin, rst, blocks, payload)

    def _refuse(self, segment: Segment) -> None:
        """Section 3.5.2: an RST that the sender of `segment` has to believe. It never answers an RST."""
        if segment.ack and not segment.rst:
            end = wrap(segment.length, segment.sequence)
            self.replies.append(Segment(segment.acknowledgement, end, ack=True, rst=True))

    # -- numbers in ----------------------------------------------------------------------------------------------

    def arrive(self, segment: Segment, *, now: float) -> None:
        """A segment arrived."""
        if self.state is State.CLOSED:
            if self.aborted:  # our RST was lost, or its number was not the one that the peer expects
                self._refuse(segment)
        elif self.state is State.LISTEN:
            self._in_listen(segment, now)
        elif self.state is State.SYN_SENT:
            self._in_syn_sent(segment, now)
        else:
            self._otherwise(segment, now)

    def _in_listen(self, segment: Segment, now: float) -> None:
        """Section 3.10.7.2."""
        if segment.ack:
            self._refuse(segment)
        elif segment.syn and not segment.rst:
            self.sender.opened = True
            self._synchronise(segment, Cause.SYN, now)

    def _in_syn_sent(self, segment: Segment, now: float) -> None:
        """Section 3.10.7.3."""
        acknowledged = unwrap(segment.acknowledgement, self._isn, 0)
        if segment.ack and not 0 < acknowledged <= self.sender.nxt:
            self._refuse(segment)
        elif segment.rst:
            if segment.ack:
                self.close(Cause.RST, Event.RESET)
        elif segment.syn and segment.ack:
            self._synchronise(segment, Cause.SYN_ACK, now)
            self.receiver.ack_due = True
            self.sender.hear(Answer(acknowledged, segment.window, 0, (), bare=False), now=now)
        elif segment.syn:
            self._synchronise(segment, Cause.SYN, now)
            self.sender.repeat_syn()  # with an acknowledgement this time

    def _synchronise(self, segment: Segment, cause: Cause, now: float) -> None:
        """The peer's SYN arrived. Whatever else is in the segment comes again."""
        self._irs = segment.sequence
        self.receiver.begin()
        self._follow(cause, now)

    def _otherwise(self, segment: Segment, now: float) -> None:
        """Section 3.10.7.4."""
        position = unwrap(segment.sequence, self._irs, self.receiver.nxt)
        if self.state is State.SYN_RECEIVED and segment.syn and not position:
            # The peer's SYN again, perhaps with the ACK that we wait for. What follows it has position 1.
            self.receiver.ack_due = True
            segment = Segment(0, segment.acknowledgement, segment.window, ack=segment.ack, rst=segment.rst)
            position = 1
        # First: does it lie where we expect something?
        if not self._is_acceptable(position, segment):
            if not segment.rst:
                self.receiver.ack_due = True
            if segment.fin and self.state is State.TIME_WAIT:
                self._follow(Cause.FIN, now)
        # Second: RST. RFC 5961, section 3.2: it has to have exactly the next number, or a stranger could guess one.
        elif segment.rst:
            if position != self.receiver.nxt:
                self.receiver.ack_due = True
            elif self.state is not State.TIME_WAIT:
                self.close(Cause.RST, Event.RESET)
        # Fourth: SYN. RFC 5961, section 4.2: a peer that has really begun again answers our ACK with an RST.
        elif segment.syn:
            self.receiver.ack_due = True
        # Fifth: ACK. Seventh: bytes. Eighth: FIN.
        elif segment.ack and self._take_acknowledgement(segment, position, now):
            self._take_bytes(segment, position, now)

    def _is_acceptable(self, position: int, segment: Segment) -> bool:
        """Table 6 of section 3.10.7.4, but that at the edges a segment may count by its ACK or RST alone."""
        nxt, edge = self.receiver.nxt, self.receiver.edge
        if position == nxt:
            return True  # if the window is closed, its bytes will find no room, but what else it says counts
        if not segment.length:
            # The peer has filled the window, and something of it was lost: its acknowledgements have the edge's number.
            return nxt < position < edge or (position == edge and not segment.rst)
        return position < edge and position + segment.length > nxt

    def _take_acknowledgement(self, segment: Segment, position: int, now: float) -> bool:
        """Section 3.10.7.4, fifth step. Whether the segment still counts after it."""
        sender = self.sender
        acknowledged = unwrap(segment.acknowledgement, self._isn, sender.una)
        if self.state is State.SYN_RECEIVED:
            if not 0 < acknowledged <= sender.nxt:
                self._refuse(segment)
                return False
            self._follow(Cause.ACK_OF_SYN, now)
        elif not sender.una - sender.window.widest <= acknowledged <= sender.nxt:
            # Of the future, or older than anything that can still be under way (RFC 5961, section 5.2).
            self.receiver.ack_due = True
            return False
        if acknowledged >= sender.una:
            blocks = segment.sack and tuple(
                (unwrap(left, self._isn, sender.una), unwrap(right, self._isn, sender.una))
                for left, right in segment.sack
            )
            bare = not segment.length
            sender.hear(Answer(acknowledged, segment.window, position, blocks, bare), now=now)
            if sender.is_finished:
                self._follow(Cause.ACK_OF_FIN, now)
        return True

    def _take_bytes(self, segment: Segment, position: int, now: float) -> None:
        """Section 3.10.7.4, seventh and eighth step."""
        if not (segment.payload or segment.fin):
            return
        finished = self.receiver.finished
        self.receiver.receive(position, segment.payload, segment.fin, now=now)
        if self.receiver.finished and not finished:
            self.events.append(Event.END_OF_STREAM)
            self._follow(Cause.FIN, now)

    # -- states --------------------------------------------------------------------------------------------------

    def _follow(self, cause: Cause, now: float) -> None:
        before, self.state = self.state, follow(self.state, cause)
        if self.state is before and cause is not Cause.FIN:
            return
        if self.state is State.ESTABLISHED:
            self.events.append(Event.CONNECTED)
        elif self.state is State.TIME_WAIT:
            self.time_wait = now + TIME_WAIT
        elif self.state is State.CLOSED:
            self.events.append(Event.CLOSED)

    def close(self, cause: Cause, event: Event) -> None:
        """The end, for this reason."""
        self.state = follow(self.state, cause)
        self.events.append(event)


### END SOLUTION
