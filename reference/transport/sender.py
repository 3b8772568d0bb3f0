"""The sending half of a connection: a sliding window over a stream, and a timer for what is not answered. Pure.

Rule 1: the stream is SYN, bytes, FIN, and each takes one position from 0 on: one mechanism sends and repeats them all.
Rule 2: what is sent the first time lies below the right edge of the peer's window (RFC 9293, section 3.8.6). The only
exception is one byte that asks whether a closed window is still closed.
Rule 3: time is told by the calls that transmit, hear or wait; the application's calls take none.

    una ----- acknowledged up to here          edge ----- the peer has room up to here
     |  under way (scoreboard.py)  |  may be sent  |  has to wait  |
                                  nxt ----- sent up to here        end of the buffer
"""

from __future__ import annotations

from congestion import SEGMENT, Acknowledged, Controller
from peer_window import Answer, PeerWindow
from rate import DeliveryRate
from recovery import Recovery
from repetitions import Repetitions
from rtt import RoundTrip
from scoreboard import Scoreboard, Sent
from send_buffer import SendBuffer

#: How often a SYN, a probe, or anything else (8 times again) is sent before giving up (RFC 9293, section 3.8.3).
MOST_SYNS, MOST_PROBES, MOST_TIMES = 6, 8, 9
#: Seconds that a paced sender may be ahead of its rate, so that it wakes up a thousand times a second at most.
PACING_AHEAD = 0.001


class Sender:
    """Names are those of RFC 9293, section 3.3.1."""

    def __init__(self, controller: Controller) -> None:
        ### BEGIN SOLUTION: stage 3: what a sender has to remember
        self.una = 0  #: SND.UNA: everything below is acknowledged
        self.nxt = 0  #: SND.NXT: nothing from here on was ever sent
        self.opened = False  #: the SYN may go
        self.gave_up = False  #: too many retransmissions of one segment
        self.buffer = SendBuffer()
        self.round_trip = RoundTrip()
        self.window = PeerWindow()
        self._timer: float | None = None  # RFC 6298, section 5; runs while something is unacknowledged
        self._probe_due = False
        self._tries = 0  # timeouts in a row of the first unacknowledged segment
        self._limited = False  # the congestion window, and nothing else, held us back
        self._sent_at = 0.0  # when something was sent last
        self._left_at = 0.0  # when that will have left, at the pacing rate
        self._paced_until: float | None = None  # something waits for its turn
        self._controller = controller
        self._scoreboard = Scoreboard()
        self._repetitions = Repetitions(self.round_trip)
        self._recovery = Recovery(self._scoreboard, self._repetitions, controller)
        self._rate = DeliveryRate()
        ### END SOLUTION

    @property
    def has_sent_fin(self) -> bool:
        """Whether the FIN was sent, acknowledged or not."""
        return self.buffer.finished and self.nxt == self.buffer.end

    @property
    def is_finished(self) -> bool:
        """Whether everything is acknowledged, the FIN included."""
        return self.buffer.finished and self.una == self.buffer.end

    # -- sending -------------------------------------------------------------------------------------------------

    def transmit(self, *, now: float) -> list[tuple[Sent, bytes]]:
        """The segments that may leave now, each with its payload."""
        ### BEGIN SOLUTION: stage 3: as long as there is a next one; and see to the timer
        if self.una == self.nxt < self.buffer.end and now - self._sent_at > self.round_trip.rto:
            self._controller.on_idle(now=now)
        self._limited, self._paced_until = False, None
        leaving = []
        while (sent := self._next(now)) is not None:
            self._send(sent, now)
            leaving.append((sent, self.buffer.payload(sent.start, sent.end)))
        if not self._limited and self._paced_until is None and self._scoreboard.next_lost() is None:
            self._rate.on_application_limited(self._recovery.pipe)
        if self._timer is None and self._is_shut_out():
            self._timer = now + self.window.next_wait(self.round_trip.rto)
        return leaving
        ### END SOLUTION

    def _next(self, now: float) -> Sent | None:
        """What to send now: a repetition, or something new; None if nothing is to be or may be sent."""
        if self._probe_due:
            return self._next_probe()
        lost = self._scoreboard.next_lost()
        if self._recovery.urgent and lost:  # RFC 6675, section 5, (4.3): it goes whatever the pipe is
            self._recovery.urgent = False
            return self._within_window(lost)
        if self._left_at > now + PACING_AHEAD and self._controller.pacing_rate is not None:
            self._paced_until = self._left_at
            return None
        pipe, window = self._recovery.pipe, self._controller.window
        found = self._within_window(lost) if lost else self._next_new()
        if found is None:
            return self._recovery.rescue() if pipe + SEGMENT <= window else None
        if pipe and pipe + found.end - found.start > window:
            self._limited = True
            return None
        return found

    def _next_new(self) -> Sent | None:
        """The next segment that was never sent, as large as the stream, the segment size and the window allow."""
        if not self.una:  # nothing goes before the SYN is acknowledged
            return Sent(0, 1) if self.opened and not self.nxt else None
        data_end = self.buffer.data_end
        end = min(self.nxt + SEGMENT, data_end, self.window.edge)
        if end < data_end and end - self.nxt < min(SEGMENT, self.window.widest // 2) and self._scoreboard:
            return (
                None  # RFC 9293, section 3.8.6.2.1: no silly segments; an ACK will come and bring more room
            )
        if end == data_end < min(self.buffer.end, self.window.edge):
            end += 1  # the FIN, which may come with the last bytes
        return Sent(self.nxt, end) if end > self.nxt else None

    def _within_window(self, lost: Sent) -> Sent | None:
        """The part of a lost segment that the peer has room for: it may have shrunk its window."""
        if self.una and lost.end > self.window.edge:
            if lost.start >= self.window.edge:
                return None
            self._scoreboard.split(lost, self.window.edge)
        return lost

    def _next_probe(self) -> Sent:
        """One byte, or the FIN, at the first unacknowledged position (RFC 9293, section 3.8.6.1)."""
        self._probe_due = False
        if not self._scoreboard:
            return Sent(self.nxt, self.nxt + 1)
        first = self._scoreboard.first
        if first.end > first.start + 1:
            self._scoreboard.split(first, first.start + 1)
        self._scoreboard.lose_first()
        return first

    def _send(self, sent: Sent, now: float) -> None:
        in_flight, size = self._recovery.pipe, sent.end - sent.start
        self._controller.on_sent(size, in_flight, now=now)
        self._scoreboard.on_sent(sent, self._rate.on_sent(idle=not in_flight, now=now), now=now)
        self._repetitions.on_sent(sent)
        self.nxt = max(self.nxt, sent.end)
        self._sent_at = now
        if rate := self._controller.pacing_rate:
            self._left_at = max(self._left_at, now) + size / rate
        if self._timer is None:  # RFC 6298, (5.1)
            self._timer = now + self.round_trip.rto

    def _is_shut_out(self) -> bool:
        """Whether there is something to send, and nothing under way whose acknowledgement could open the window."""
        return self.una > 0 and self.una == self.nxt >= self.window.edge and self.buffer.end > self.nxt

    def repeat_syn(self) -> None:
        """Send the SYN again now, if it was sent: it is to carry an acknowledgement (RFC 9293, figure 7)."""
        if self._scoreboard:
            self._scoreboard.lose_first()

    # -- hearing -------------------------------------------------------------------------------------------------

    def hear(self, answer: Answer, *, now: float) -> None:
        """A segment with an acknowledgement between SND.UNA and SND.NXT arrived."""
        ### BEGIN SOLUTION: stage 3: what is acknowledged needs no repeating; stages 5 to 7: window, blocks, controller
        advanced = answer.acknowledged - self.una
        arrived = self._scoreboard.acknowledge(answer.acknowledged)
        self.una = answer.acknowledged
        self.buffer.release(self.una)
        hinted = [sent for block in answer.blocks for sent in self._scoreboard.hint(*block)]
        delivered = [sent for sent in arrived + hinted if not sent.counted]
        for sent in delivered:
            self._repetitions.on_arrived(sent, now=now)
        if advanced:
            self.round_trip.on_progress()
            if self.una == advanced and self._tries:
                self.round_trip.on_late_handshake()
            self._tries = 0
        # RFC 5681, section 2: "DUPLICATE ACKNOWLEDGMENT", (a) to (e)
        duplicate = (
            bool(self._scoreboard) and answer.bare and not advanced and self.window.is_repeated(answer)
        )
        self._recovery.on_acknowledgement(
            self.una, self.nxt, advanced=advanced, sacked=bool(hinted), duplicate=duplicate, now=now
        )
        if advanced or hinted:
            self._learn(delivered, advanced, now)
        if advanced:  # RFC 6298, (5.2) and (5.3): off if all is acknowledged, otherwise again from now
            self._timer = now + self.round_trip.rto if self._scoreboard else None
        self._hear_window(answer, now)
        ### END SOLUTION

    def _learn(self, delivered: list[Sent], advanced: int, now: float) -> None:
        """Round trip, delivery rate, and window, from segments that have just proved to have arrived."""
        for sent in delivered:
            self._rate.on_delivered(sent.end - sent.start, sent.snapshot, sent.sent_at, now=now)
        rtt = None
        if delivered and all(
            sent.times == 1 for sent in delivered
        ):  # Karn; and a repaired hole delays what is above
            rtt = now - delivered[-1].sent_at
            self.round_trip.on_sample(rtt)
        news = Acknowledged(
            acknowledged=advanced,
            delivered=sum(sent.end - sent.start for sent in delivered),
            in_flight=self._recovery.pipe,
            limited=self._limited,
            rtt=rtt,
            rate=self._rate.sample(self.round_trip.least),
        )
        self._controller.on_acknowledged(news, now=now)

    def _hear_window(self, answer: Answer, now: float) -> None:
        if self.window.probing is not None:
            self._tries = 0  # a closed window is no failure for as long as probes are answered
        if self.window.update(answer):
            self._probe_due, self._timer = False, None
            if self._scoreboard:  # the probe's byte was thrown away, or the window would begin behind it
                self._scoreboard.lose_first()
                self._timer = now + self.round_trip.rto

    # -- waiting -------------------------------------------------------------------------------------------------

    def next_timer(self) -> float | None:
        """When `wait` wants to be called: absolute seconds."""
        ### BEGIN SOLUTION: stage 3: the earlier one of the two
        return min((at for at in (self._timer, self._paced_until) if at is not None), default=None)
        ### END SOLUTION

    def wait(self, *, now: float) -> None:
        """Time has passed: a timeout, a probe, or a paced segment's turn."""
        ### BEGIN SOLUTION: stage 3: take everything for lost, back off, and count; give up if it is too much
        if self._paced_until is not None and self._paced_until <= now:
            self._paced_until = None  # `transmit` follows
        if self._timer is None or now < self._timer:
            return
        if self._scoreboard:
            self._tries += 1
            most = MOST_SYNS if not self.una else MOST_PROBES if self.window.probing else MOST_TIMES
            if self._tries >= most:
                self.gave_up, self._timer = True, None
                return
        if self.una and self.window.edge <= self.una:
            self._probe_due = True
            self._timer = now + self.window.next_wait(self.round_trip.rto)
            return
        if self._tries == 1:
            self._controller.on_timeout(self.nxt - max(self.una, 1), now=now)
        self._recovery.on_timeout(self.nxt)
        self.round_trip.on_timeout()  # RFC 6298, (5.5) and (5.6)
        self._timer = now + self.round_trip.rto
        ### END SOLUTION
