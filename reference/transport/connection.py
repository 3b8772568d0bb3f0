"""A connection: bytes in order over datagrams that may be lost, repeated, late, damaged (after RFC 9293). Pure.

Rule 1: no socket and no clock. Datagrams and time come in by calls, and what is to be sent is asked for.
Rule 2: nothing is decided here. This is the way in for the application and for the driver. Behind it you may divide the
work as you like; the course's own has

    arrivals.py   what a segment means        sender.py     what to send, and when again
    states.py     which state follows         receiver.py   what was received, and when to acknowledge it
"""

from __future__ import annotations

### BEGIN SOLUTION: import your parts here, and Event from events.py
from arrivals import Arrivals
from bbr import Bbr
from congestion import NewReno
from events import Event
from receiver import Receiver
from segment import decode, encode
from sender import Sender
from states import Cause, State, follow

### END SOLUTION


class Connection:
    """One end. `now` is in seconds and never goes back; calls without it take effect when the driver asks next."""

    def __init__(self, role: str, *, isn: int, receive_buffer: int = 65536, controller: str | None = None) -> None:
        """`role`: "client" begins, "server" waits. `isn`: number of our SYN. `receive_buffer`: bytes.

        `controller`: who says how much may be under way; None for NewReno, "model" for a model of the path.
        """
        ### BEGIN SOLUTION: stage 3: a sender, a receiver, and the state that the role begins with
        state = follow(State.CLOSED, Cause.CONNECT if role == "client" else Cause.LISTEN)
        self._sender = Sender(Bbr() if controller == "model" else NewReno())
        self._sender.opened = state is State.SYN_SENT
        self._receiver = Receiver(receive_buffer)
        self._arrivals = Arrivals(state, isn, self._sender, self._receiver)

    @property
    def state(self) -> State:
        """The state of RFC 9293, section 3.3.2."""
        return self._arrivals.state
        ### END SOLUTION

    # -- the application's side ----------------------------------------------------------------------------------

    def next_event(self) -> Event | None:
        """What has happened, in order; None when there is no more."""
        ### BEGIN SOLUTION: stage 3: the oldest one that has not been reported
        events = self._arrivals.events
        return events.popleft() if events else None
        ### END SOLUTION

    def send(self, data: bytes) -> int:
        """Queue bytes of the stream; how many were accepted, 0 if the buffer is full. Before CONNECTED they wait."""
        ### BEGIN SOLUTION: stage 3: into the send buffer, unless the stream has ended
        if self._sender.buffer.finished or self._arrivals.aborted:
            self._arrivals.events.append(Event.SEND_AFTER_END)
            return 0
        return 0 if self.state is State.CLOSED else self._sender.buffer.write(data)
        ### END SOLUTION

    def read(self, limit: int) -> bytes:
        """Up to `limit` bytes that arrived in order, also when the connection is over; b"" if there are none now."""
        ### BEGIN SOLUTION: stage 3: from the receiver
        return self._receiver.read(limit)
        ### END SOLUTION

    def end(self) -> None:
        """Nothing more to send: FIN after what is queued. Reading goes on."""
        ### BEGIN SOLUTION: stage 3: the stream has an end now
        self._sender.buffer.finished = True
        ### END SOLUTION

    def abort(self) -> None:
        """Over at once: an RST, and what waits in either direction is discarded (RFC 9293, section 3.10.5)."""
        ### BEGIN SOLUTION: stage 4: tell the peer, if there is one
        if self.state is State.CLOSED:
            return
        if self.state not in (State.LISTEN, State.SYN_SENT):
            self._arrivals.replies.append(self._arrivals.segment(self._sender.nxt, rst=True))
        self._receiver.discard()
        self._arrivals.aborted = True
        self._arrivals.state = follow(self.state, Cause.ABORT)
        ### END SOLUTION

    # -- the driver's side ---------------------------------------------------------------------------------------

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        """A datagram of the peer arrived. What is not a segment is ignored."""
        ### BEGIN SOLUTION: stage 3: decode it and see what it means
        segment = decode(data)
        if segment is not None:
            self._arrivals.arrive(segment, now=now)
        ### END SOLUTION

    def datagrams_to_send(self, *, now: float) -> list[bytes]:
        """What is to be sent now, in order."""
        ### BEGIN SOLUTION: stage 3: what the sender wants to send; an ACK alone if one is owed that none of it carries
        segments, self._arrivals.replies = self._arrivals.replies, []
        if self.state is not State.CLOSED:
            buffer = self._sender.buffer
            for sent, payload in self._sender.transmit(now=now):
                syn, fin = sent.start == 0, sent.end > buffer.data_end
                segments.append(self._arrivals.segment(sent.start, payload, syn=syn, fin=fin))
            if self._sender.has_sent_fin:
                self._arrivals.state = follow(self.state, Cause.END)
            if self._receiver.ack_due:
                segments.append(self._arrivals.segment(self._sender.nxt))
        return [encode(segment) for segment in segments]
        ### END SOLUTION

    def next_timer(self) -> float | None:
        """When `handle_timer` is to be called: absolute seconds, None for never."""
        ### BEGIN SOLUTION: stage 3: the earliest one of those that are set
        if self.state is State.CLOSED:
            return None
        timers = (self._sender.next_timer(), self._receiver.next_timer(), self._arrivals.time_wait)
        return min((timer for timer in timers if timer is not None), default=None)
        ### END SOLUTION

    def handle_timer(self, *, now: float) -> None:
        """The time of `next_timer` has come."""
        ### BEGIN SOLUTION: stage 3: let both halves look at the time; end what has lasted long enough
        if self.state is State.CLOSED:
            return
        self._sender.wait(now=now)
        self._receiver.wait(now=now)
        if self._sender.gave_up:
            # If only our FIN is unacknowledged, the peer may be gone because it has it: both streams are whole.
            whole = self.state is State.LAST_ACK and self._sender.una == self._sender.buffer.data_end
            self._arrivals.close(Cause.GAVE_UP, Event.CLOSED if whole else Event.TIMED_OUT)
        elif self._arrivals.time_wait is not None and self._arrivals.time_wait <= now:
            self._arrivals.close(Cause.TIME_IS_UP, Event.CLOSED)
        ### END SOLUTION
