"""The sending half of a connection: a sliding window over a stream, and a timer for what is not answered. Pure.

Rule 1: the stream is SYN, bytes, FIN, and each takes one position from 0 on: one mechanism sends and repeats them all.
Rule 2: what is sent the first time lies below the right edge of the peer's window (RFC 9293, section 3.8.6). The only
exception is one byte that asks whether a closed window is still closed.
Rule 3: time is told by the calls that transmit, hear or wait; the application's calls take none.

    una ----- acknowledged up to here          edge ----- the peer has room up to here
     |  under way (scoreboard.py)  |  may be sent  |  has to wait  |
                                  nxt ----- sent up to here        end of the buffer
"""

### BEGIN SOLUTION: stages 3 and 5: the sending half is yours to write; this is how the course's own is divided
from __future__ import annotations

from congestion import SEGMENT, Acknowledged, Controller
from peer_window import Answer, PeerWindow
from rate import DeliveryRate
from recovery import Recovery
from repetitions import Repetitions
from rtt import RoundTrip
from scoreboard import Scoreboard, Sent
from send_buffer import SendBuffer
from timer import Timer

#: How often a SYN, a probe, or anything else (8 times again) is sent before giving up (RFC 9293, section 3.8.3).
MOST_SYNS, MOST_PROBES, MOST_TIMES = 6, 8, 9
#: Seconds that a paced sender may be ahead of its rate, so that it wakes up a thousand times a second at most.
PACING_AHEAD = 0.001


class Sender:
    """Names are those of RFC 9293, section 3.3.1."""

    def __init__(self, controller: Controller) -> None:
        self.una = 0  #: SND.UNA: everything below is acknowledged
        self.nxt = 0  #: SND.NXT: nothing from here on was ever sent
        self.opened = False  #: the SYN may go
        self.gave_up = False  #: too many retransmissions of one segment
        self.buffer = SendBuffer()
        self.round_trip = RoundTrip()
        self.window = PeerWindow()
        self._timer = Timer(self.round_trip)
        self._probe_due = False
        self._limited = False  # the congestion window, and nothing else, held us back
        self._sent_at = 0.0  # when something was sent last
        self._left_at = 0.0  # when that will have left, at the pacing rate
        self._paced_until: float | None = None  # something waits for its turn
        self._controller = controller
        self._scoreboard = Scoreboard()
        self._repetitions = Repetitions(self.round_trip)
        self._recovery = Recovery(self._scoreboard, self._repetitions, controller)
        self._rate = DeliveryRate()

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
        if self.una == self.nxt < self.buffer.end and now - self._sent_at > self.round_trip.rto:
            self._controller.on_idle(now=now)
        self._limited, self._paced_until = False, None
        leaving = []
        while (sent := self._next(now)) is not None:
            self._send(sent, now)
            leaving.append((sent, self.buffer.payload(sent.start, sent.end)))
        if not self._limited and self._paced_until is None and self._scoreboard.next_lost() is None:
            self._rate.on_application_limited(self._recovery.pipe)
        # Something waits, and nothing is under way whose acknowledgement could open the window.
        if self._timer.due is None and self.window.edge <= self.una == self.nxt < self.buffer.end and self.una:
            self._timer.due = now + self.window.next_wait(self.round_trip.rto)
        return leaving

    def _next(self, now: float) -> Sent | None:
        """What to send now: a repetition, or something new; None if nothing is to be or may be sent."""
        if self._probe_due:
            return self._next_probe()
        lost = self._scoreboard.next_lost()
        if self._recovery.urgent and lost:  # RFC 6675, section 5, (4.3): it goes whatever the pipe is
            self._recovery.urgent = False
            return self._fit(lost)
        if self._left_at > now + PACING_AHEAD and self._controller.pacing_rate is not None:
            self._paced_until = self._left_at
            return None
        pipe, window = self._recovery.pipe, self._controller.window
        if (found := self._fit(lost) if lost else self._next_new()) is None:
            return self._recovery.rescue() if pipe + SEGMENT <= window else None
        if pipe and pipe + found.end - found.start > window:
            self._limited = True
            return None
        return found

    def _next_new(self) -> Sent | None:
        """The next segment that was never sent."""
        if not self.una:  # nothing goes before the SYN is acknowledged
            return Sent(0, 1) if self.opened and not self.nxt else None
        if self.nxt + SEGMENT < min(self.buffer.data_end, self.window.edge):  # fast path: a full one
            return Sent(self.nxt, self.nxt + SEGMENT)
        end = self._end_of_segment(self.nxt)
        # RFC 9293, section 3.8.6.2.1: no silly little segments if an acknowledgement will bring more room
        least = max(1, min(SEGMENT, self.window.widest // 2)) if self._scoreboard and end < self.buffer.data_end else 1
        return Sent(self.nxt, end) if end - self.nxt >= least else None

    def _end_of_segment(self, start: int) -> int:
        """The end of a segment that begins there, as large as stream, segment size and window allow."""
        data_end, edge = self.buffer.data_end, self.window.edge
        end = min(start + SEGMENT, data_end, edge)
        return end + 1 if end == data_end < min(self.buffer.end, edge) else end  # the FIN may come with the last bytes

    def _fit(self, lost: Sent) -> Sent | None:
        """A lost segment, as the window is now: cut if the peer has moved the edge back, larger if it was a probe."""
        if not self.una:
            return lost
        if lost.start >= self.window.edge:
            return None
        if lost.end > self.window.edge:
            self._scoreboard.split(lost, self.window.edge)
        elif lost.end == self.nxt and not self._scoreboard.in_flight:
            lost.end = max(lost.end, self._end_of_segment(lost.start))
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
        pipe, size = self._recovery.pipe, sent.end - sent.start
        self._controller.on_sent(size, pipe, now=now)
        self._scoreboard.on_sent(sent, self._rate.on_sent(idle=not pipe, now=now), now=now)
        self._repetitions.on_sent(sent)
        self.nxt = max(self.nxt, sent.end)
        self._sent_at = now
        if rate := self._controller.pacing_rate:
            self._left_at = max(self._left_at, now) + size / rate
        self._timer.on_sent(now=now)

    def repeat_syn(self) -> None:
        """Send the SYN again now, if it was sent: it is to carry an acknowledgement (RFC 9293, figure 7)."""
        if self._scoreboard:
            self._scoreboard.lose_first()

    # -- hearing -------------------------------------------------------------------------------------------------

    def hear(self, answer: Answer, *, now: float) -> None:
        """A segment with an acknowledgement between SND.UNA and SND.NXT arrived."""
        advanced = answer.acknowledged - self.una
        if not advanced and not self._scoreboard:  # fast path: who only listens hears nothing but windows
            self._hear_window(answer, now)
            return
        arrived = self._scoreboard.acknowledge(answer.acknowledged)
        self.una = answer.acknowledged
        self.buffer.release(self.una)
        hinted = [sent for block in answer.blocks for sent in self._scoreboard.hint(*block)]
        delivered = [sent for sent in arrived + hinted if not sent.counted]
        self._repetitions.on_arrived(delivered, now=now)
        if advanced:
            self.round_trip.on_progress()
            if self.una == advanced and self._timer.tries:
                self.round_trip.on_late_handshake()
        duplicate = answer.bare and not advanced and self.window.is_repeated(answer)  # RFC 5681, section 2
        signs = {"sacked": bool(hinted), "duplicate": duplicate, "unsent": self.nxt < self.buffer.end}
        self._recovery.on_acknowledgement(self.una, self.nxt, advanced=advanced, **signs, now=now)
        if advanced or hinted:
            self._learn(delivered, advanced, now)
        if advanced:
            self._timer.on_progress(outstanding=bool(self._scoreboard), now=now)
        self._hear_window(answer, now)

    def _learn(self, delivered: list[Sent], advanced: int, now: float) -> None:
        """Round trip, delivery rate, and window, from segments that have just proved to have arrived."""
        rtt = None
        # Karn; and what is above a hole that a repetition has filled was acknowledged late
        if delivered and all(sent.times == 1 for sent in delivered):
            rtt = now - delivered[-1].sent_at
            self.round_trip.on_sample(rtt)
        news = Acknowledged(
            acknowledged=advanced,
            delivered=self._rate.on_delivered(delivered, now=now),
            in_flight=self._recovery.pipe,
            limited=self._limited,
            rtt=rtt,
            rate=self._rate.sample(self.round_trip.least),
        )
        self._controller.on_acknowledged(news, now=now)

    def _hear_window(self, answer: Answer, now: float) -> None:
        if self.window.probing is not None:
            self._timer.tries = 0  # a closed window is not a failure as long as probes are answered
        if self.window.update(answer):
            self._probe_due = False
            self._timer.on_progress(outstanding=bool(self._scoreboard), now=now)
            if self._scoreboard:  # the probe's byte was thrown away, or the acknowledgement would cover it
                self._scoreboard.lose_first()

    # -- waiting -------------------------------------------------------------------------------------------------

    def next_timer(self) -> float | None:
        """When `wait` wants to be called: absolute seconds."""
        return min((at for at in (self._timer.due, self._paced_until) if at is not None), default=None)

    def wait(self, *, now: float) -> None:
        """Time has passed: a timeout, a probe, or a paced segment's turn."""
        if self._paced_until is not None and self._paced_until <= now:  # `transmit` follows
            self._paced_until = None
        if not self._timer.has_expired(now=now):
            return
        if self._scoreboard:
            self._timer.tries += 1
            most = MOST_SYNS if not self.una else MOST_PROBES if self.window.probing else MOST_TIMES
            self.gave_up = self._timer.tries >= most
        if self.una and self.window.edge <= self.una:
            self._probe_due = True
            self._timer.due = now + self.window.next_wait(self.round_trip.rto)
            return
        if self._timer.tries == 1:  # RFC 5681, section 3.1: the threshold is set once
            self._controller.on_timeout(self.nxt - max(self.una, 1), now=now)
        self._recovery.on_timeout(self.nxt)
        self._timer.back_off(now=now)


### END SOLUTION
