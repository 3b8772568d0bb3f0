"""A connection: bytes in order over datagrams that may be lost, repeated, late, damaged (after RFC 9293). Pure.

Positions count from 0 (the SYN) and never wrap; byte i of a stream has position i + 1. No SACK: Reno with NewReno's
partial acknowledgements, one retransmission timer.
"""

from __future__ import annotations

from collections import deque

from events import Event
from segment import MOST_PAYLOAD, Segment, decode, encode
from sequence import unwrap, wrap

CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED = "CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED"
ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSING = "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSING"
TIME_WAIT, CLOSE_WAIT, LAST_ACK = "TIME-WAIT", "CLOSE-WAIT", "LAST-ACK"
OPEN = {ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSING, TIME_WAIT, CLOSE_WAIT, LAST_ACK}

MSS = MOST_PAYLOAD
SEND_BUFFER = 1 << 20
INITIAL_WINDOW = 10 * MSS
MOST_SYNS = 6
MOST_RETRANSMISSIONS = 8
MOST_PROBES = 8
MOST_RTO = 60.0
GRANULARITY = 0.25
DELAYED_ACK = 0.1
TIME_WAIT_LASTS = 4.0
NOTHING, FAST, SLOW = "nothing", "fast", "slow"  # kinds of recovery


class Flight:
    """A segment that was sent and is not acknowledged: positions [start, end), FIN included."""

    __slots__ = ("end", "fin", "sent", "start", "tries")

    def __init__(self, start: int, end: int, fin: bool, sent: float) -> None:
        self.start, self.end, self.fin, self.sent = start, end, fin, sent
        self.tries = 1


class Connection:
    """One end. `now` is in seconds and never goes back; calls without it take effect when the driver asks next."""

    def __init__(
        self, role: str, *, isn: int, receive_buffer: int = 65536, controller: str | None = None
    ) -> None:
        self.state = SYN_SENT if role == "client" else LISTEN
        self.isn = isn
        self.events: deque[Event] = deque()
        self.over = False
        self.aborted = False
        self.replies: list[bytes] = []  # RSTs and challenges, ready to go

        # sending
        self.buffer = bytearray()  # from position `base` on
        self.base = 1
        self.una = 0  # first position that is not acknowledged
        self.next = 0  # first position that was not sent (but perhaps as a probe)
        self.top = 0  # one after the largest position ever sent
        self.ending = False
        self.fin_sent = False
        self.flights: deque[Flight] = deque()
        self.timer: float | None = None
        self.edge = 1  # of the peer's window
        self.offered_us = -1  # the window in the newest segment
        self.wl1 = self.wl2 = -1

        # round trips
        self.srtt: float | None = None
        self.rttvar = 0.0
        self.min_rtt = float("inf")
        self.long_samples = 0  # in a row
        self.base_rto = 1.0
        self.backoff = 0
        self.late = 0  # segments in a row that had a timeout and gave no sample
        self.timeouts = 0  # since something new was acknowledged

        # probing
        self.probe_timer: float | None = None
        self.probe_backoff = 0
        self.probes = 0  # in a row without an answer
        self.probe_now = False

        # recovery and congestion
        self.cwnd = INITIAL_WINDOW
        self.ssthresh = 1 << 40
        self.credit = 0
        self.duplicates = 0
        self.recovery = NOTHING
        self.recover = 0  # recovery is over when this is acknowledged
        self.fast_from = 0  # no fast retransmission before this is acknowledged
        self.resend_first = False
        self.resent = 0  # after a timeout: up to here it was sent again
        self.walk = False  # after a timeout: go on sending again
        self.resent_at = 0.0  # when the first unacknowledged segment was last sent again

        # receiving
        self.room = receive_buffer
        self.irs = 0
        self.expected = 0
        self.readable = bytearray()
        self.pieces: list[tuple[int, bytes]] = []  # out of order, sorted, not overlapping
        self.peer_fin: int | None = None
        self.told_edge = 1 + receive_buffer  # the largest edge that was sent
        self.ack_now = False
        self.pure_acks = 0  # ACKs that ride on nothing
        self.waiting = 0  # segments that were not acknowledged yet
        self.ack_timer: float | None = None
        self.time_wait: float | None = None

    # -- the application's side ----------------------------------------------------------------------------------

    def next_event(self) -> Event | None:
        return self.events.popleft() if self.events else None

    def send(self, data: bytes) -> int:
        if self.ending or self.aborted:
            self.events.append(Event.SEND_AFTER_END)
            return 0
        if self.over:
            return 0
        count = max(0, min(len(data), SEND_BUFFER - len(self.buffer)))
        self.buffer += data[:count]
        return count

    def read(self, limit: int) -> bytes:
        if limit <= 0 or not self.readable:
            return b""
        data = bytes(self.readable[:limit])
        del self.readable[:limit]
        if self.state in OPEN and self._room_edge() - self.told_edge >= min(MSS, self.room / 2):
            self.ack_now = True
        return data

    def end(self) -> None:
        self.ending = True

    def abort(self) -> None:
        self.ending = True
        self.readable.clear()
        if self.over or self.aborted:
            return
        if self.state not in (LISTEN, SYN_SENT):
            self.replies = [self._encode(self.next, rst=True)]
        else:
            self.replies = []
        self.aborted = True
        self.pieces.clear()
        self.buffer.clear()
        self._stop()

    # -- the driver's side ---------------------------------------------------------------------------------------

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        segment = decode(data)
        if segment is None:
            return
        if self.aborted:
            if segment.ack and not segment.rst:
                self._refuse(segment)
        elif self.over:
            return
        elif self.state == LISTEN:
            self._in_listen(segment)
        elif self.state == SYN_SENT:
            self._in_syn_sent(segment, now)
        else:
            self._arrives(segment, now)

    def next_timer(self) -> float | None:
        if self.over or self.aborted:
            return None
        timers = (self.timer, self.ack_timer, self.probe_timer, self.time_wait)
        return min((t for t in timers if t is not None), default=None)

    def handle_timer(self, *, now: float) -> None:
        if self.over or self.aborted:
            return
        if self.time_wait is not None and now >= self.time_wait:
            self._finish(Event.CLOSED)
            return
        if self.ack_timer is not None and now >= self.ack_timer:
            self.ack_now = True
            self.ack_timer = None
        if self.probe_timer is not None and now >= self.probe_timer:
            if self.probes >= MOST_PROBES:
                self._give_up()
                return
            self.probes += 1
            self.probe_backoff += 1
            self.probe_now = True
            self.probe_timer = now + min(MOST_RTO, self._rto() * 2**self.probe_backoff)
        if self.timer is not None and now >= self.timer:
            self._timeout(now)

    def datagrams_to_send(self, *, now: float) -> list[bytes]:
        out, self.replies = self.replies, []
        if self.over or self.aborted or self.state == LISTEN:
            return out
        if self.state in (SYN_SENT, SYN_RECEIVED):
            if self.next == 0:
                self.next = self.top = 1
                self.flights.append(Flight(0, 1, False, now))
                self.timer = now + self._rto()
                self.resend_first = True
            if self.resend_first:
                self.resend_first = False
                out.append(self._encode(0, syn=True, ack=self.state == SYN_RECEIVED))
                self._acknowledged_by_us()
            if self.pure_acks or self.ack_now:
                out.append(self._encode(self.next))
                self._acknowledged_by_us()
            return out
        for _ in range(self.pure_acks):
            out.append(self._encode(self.next))
        if self.pure_acks:
            self._acknowledged_by_us()
        before = len(out)
        self._send_again(out, now)
        self._send_new(out, now)
        self._probe(out, now)
        if len(out) > before:
            self._acknowledged_by_us()
        if self.ack_now:
            out.append(self._encode(self.next))
            self._acknowledged_by_us()
        return out

    # -- sending -------------------------------------------------------------------------------------------------

    def _encode(
        self, position: int, payload: bytes = b"", *, syn=False, ack=True, fin=False, rst=False
    ) -> bytes:
        edge = self._room_edge()
        if not rst:
            self.told_edge = max(self.told_edge, edge)
        return encode(
            Segment(
                wrap(position, self.isn),
                wrap(self.expected, self.irs) if ack else 0,
                edge - max(self.expected, 0 if ack else 1),
                syn=syn,
                ack=ack,
                fin=fin,
                rst=rst,
                payload=payload,
            )
        )

    def _refuse(self, segment: Segment) -> None:
        self.replies.append(encode(Segment(segment.acknowledgement, rst=True)))

    def _rto(self) -> float:
        return min(MOST_RTO, self.base_rto * 2 ** min(self.backoff, 20))

    def _transmit(self, out: list[bytes], flight: Flight) -> None:
        payload = bytes(self.buffer[flight.start - self.base : flight.end - flight.fin - self.base])
        out.append(self._encode(flight.start, payload, fin=flight.fin))

    def _again(self, out: list[bytes], flight: Flight, now: float) -> None:
        flight.tries += 1
        flight.sent = now
        self._transmit(out, flight)

    def _send_again(self, out: list[bytes], now: float) -> None:
        if self.resend_first and self.flights:
            first = self.flights[0]
            self._again(out, first, now)
            self.resent_at = now
            self.resent = max(self.resent, first.end)
            if self.recovery == FAST:
                self.timer = now + self._rto()
        self.resend_first = False
        if self.recovery == SLOW and self.walk:
            for flight in self.flights:
                if flight.end > self.recover or flight.end - self.una > self.cwnd:
                    break
                if flight.start >= self.resent:
                    self._again(out, flight, now)
                    self.resent = flight.end

    def _send_new(self, out: list[bytes], now: float) -> None:
        data_end = self.base + len(self.buffer)
        if self.fin_sent and self.next > data_end:
            return
        limit = self.cwnd
        if self.recovery == NOTHING:
            limit += MSS * min(self.duplicates, 2)  # RFC 3042
        if self.una <= 1:
            limit = min(limit, INITIAL_WINDOW)
        limit += self.una
        while True:
            start = self.next
            end = min(start + MSS, data_end)
            if end > limit and start > self.una:
                return
            end = min(end, self.edge)
            fin = self.ending and end == data_end and end < self.edge
            if end <= start and not (fin and end == start):
                return
            flight = Flight(start, end + fin, fin, now)
            self.flights.append(flight)
            self.next = flight.end
            self.top = max(self.top, self.next)
            if self.timer is None:
                self.timer = now + self._rto()
            self._transmit(out, flight)
            if fin:
                self._fin_is_sent()
                return

    def _fin_is_sent(self) -> None:
        self.fin_sent = True
        if self.state == ESTABLISHED:
            self.state = FIN_WAIT_1
        elif self.state == CLOSE_WAIT:
            self.state = LAST_ACK

    def _probe(self, out: list[bytes], now: float) -> None:
        """Rule 5.5. A probe does not move `next`: its byte may be dropped."""
        data_end = self.base + len(self.buffer)
        wants = data_end > self.next or (self.ending and not self.fin_acknowledged())
        if self.flights or self.edge > self.next or not wants:
            self.probe_timer = None
            self.probe_now = False
            self.probes = self.probe_backoff = 0
            return
        if self.probe_now:
            self.probe_now = False
            byte = bytes(self.buffer[self.next - self.base : self.next - self.base + 1])
            if not byte and not self.fin_sent:
                self._fin_is_sent()
            self.top = max(self.top, self.next + 1)
            out.append(self._encode(self.next, byte, fin=not byte))
        elif self.probe_timer is None:
            self.probe_timer = now + self._rto()

    def fin_acknowledged(self) -> bool:
        return self.fin_sent and self.una > self.base + len(self.buffer)

    def _timeout(self, now: float) -> None:
        if not self.flights:
            self.timer = None
            return
        first = self.flights[0]
        most = MOST_SYNS if first.start == 0 else MOST_RETRANSMISSIONS + 1
        if first.tries >= most:
            self._give_up()
            return
        self.backoff += 1
        self.timeouts += 1
        self.timer = now + self._rto()
        self.resend_first = True
        if first.start == 0:
            first.tries += 1
            return
        self.ssthresh = max((self.next - self.una) // 2, 2 * MSS)
        self.cwnd = MSS
        self.credit = self.duplicates = 0
        self.recovery = SLOW
        self.recover = self.next
        self.fast_from = self.next + 1
        self.resent = self.una
        self.walk = False

    def _acknowledge(self, segment: Segment, ack: int, now: float) -> None:
        """What the acknowledgement of an acceptable segment says; `ack` is not beyond `top`."""
        if self.una < ack:
            self._new_acknowledgement(ack, now)
        elif (
            ack == self.una
            and self.flights
            and not segment.length
            and segment.window == self.offered_us
        ):
            self.duplicates += 1
            if self.recovery == FAST:
                self.cwnd += MSS
                if self.duplicates == 3 and self.flights[0].tries == 1:
                    self.resend_first = True
            elif self.recovery == NOTHING and self.duplicates == 3 and self.una >= self.fast_from:
                self.ssthresh = max((self.next - self.una) // 2, 2 * MSS)
                self.cwnd = self.ssthresh + 3 * MSS
                self.credit = 0
                self.recovery = FAST
                self.recover = self.fast_from = self.next
                self.resend_first = True

    def _new_acknowledgement(self, ack: int, now: float) -> None:
        acked = ack - self.una
        flying = self.next - self.una
        sample: float | None = None
        once = True
        while self.flights and self.flights[0].end <= ack:
            flight = self.flights.popleft()
            once = once and flight.tries == 1
            sample = now - flight.sent
        if self.flights and self.flights[0].start < ack:
            first = self.flights[0]
            first.start = ack
            once = once and first.tries == 1
        self.una = ack
        self.next = max(self.next, ack)
        gone = min(ack - self.base, len(self.buffer))
        if gone > 0:
            del self.buffer[:gone]
            self.base += gone
        # the timer
        if self.timeouts and ack > 1:  # after a late handshake the RTO is the first one again
            self.late += 1
        elif self.late:
            self.late -= 1
        self.timeouts = 0
        self.backoff = self.late
        if sample is not None and once:
            self._sample(sample)
        self.timer = now + self._rto() if self.flights else None
        self.duplicates = 0
        # recovery, congestion
        # An ACK so soon after the repetition is not its answer: what we sent again was not lost.
        soon = self.srtt is not None and now - self.resent_at < 0.75 * self.min_rtt
        if self.recovery != NOTHING and ack >= self.recover:
            if self.recovery == FAST:
                self.cwnd = min(self.ssthresh, max(self.next - ack, MSS) + MSS)
            self.recovery = NOTHING
        elif self.recovery == FAST:
            self.resend_first = not soon
            self.cwnd = max(self.cwnd - acked + MSS, MSS)
            return
        elif self.recovery == SLOW and soon:
            self.recovery = NOTHING
        elif self.recovery == SLOW:
            self.walk = ack <= self.resent
            if not self.walk:
                self.resend_first = True
        if ack - acked == 0:
            return  # the SYN
        if self.cwnd < self.ssthresh:
            if flying * 2 >= self.cwnd:
                self.cwnd += min(acked, 2 * MSS)
        elif flying + 2 * MSS >= self.cwnd:
            self.credit += acked
            if self.credit >= self.cwnd:
                self.credit -= self.cwnd
                self.cwnd += MSS

    def _sample(self, rtt: float) -> None:
        self.min_rtt = min(self.min_rtt, rtt)
        self._watch_queue(rtt)
        if self.srtt is None:
            self.srtt, self.rttvar = rtt, rtt / 2
        else:
            self.rttvar += (abs(self.srtt - rtt) - self.rttvar) / 4
            self.srtt += (rtt - self.srtt) / 8
        self.base_rto = min(MOST_RTO, self.srtt + max(GRANULARITY, 4 * self.rttvar))
        self.backoff = self.late = 0

    def _watch_queue(self, rtt: float) -> None:
        """A queue grows: end slow start before it overflows (the idea of HyStart, RFC 9406)."""
        self.long_samples = self.long_samples + 1 if rtt > 1.25 * self.min_rtt + 0.005 else 0
        if self.una > 1 and self.cwnd < self.ssthresh and self.long_samples >= 4:
            self.ssthresh = max(self.cwnd, 2 * MSS)

    def _window(self, segment: Segment, sequence: int, ack: int) -> None:
        """Rule 5.7."""
        if ack < self.una:
            return
        if sequence > self.wl1 or (sequence == self.wl1 and ack >= self.wl2):
            self.wl1, self.wl2 = sequence, ack
            self.edge = ack + segment.window
            self.offered_us = segment.window
        self.probes = 0
        if self.edge <= self.una and self.flights and ack == self.una:
            self.flights[0].tries = min(self.flights[0].tries, 2)  # it answers: be patient

    # -- arrivals ------------------------------------------------------------------------------------------------

    def _in_listen(self, segment: Segment) -> None:
        if segment.rst:
            return
        if segment.ack:
            self._refuse(segment)
        elif segment.syn:
            self._synchronise(segment, 0)
            self.state = SYN_RECEIVED

    def _synchronise(self, segment: Segment, ack: int) -> None:
        self.irs = segment.sequence
        self.expected = 1
        self.wl1, self.wl2 = 0, ack
        self.offered_us = segment.window
        self.edge = 1 + segment.window

    def _in_syn_sent(self, segment: Segment, now: float) -> None:
        if segment.ack and (unwrap(segment.acknowledgement, self.isn, 0) != 1 or self.top != 1):
            if not segment.rst:
                self._refuse(segment)
            return
        if segment.rst:
            if segment.ack:
                self._finish(Event.RESET)
            return
        if not segment.syn:
            return
        self._synchronise(segment, 1 if segment.ack else 0)
        if segment.ack:
            self._new_acknowledgement(1, now)
            self._connected()
            self.ack_now = True
        else:
            self.state = SYN_RECEIVED
            if self.flights:
                self.flights[0].tries = 1
                self.resend_first = True
                self.timer = now + self._rto()

    def _connected(self) -> None:
        self.state = ESTABLISHED
        self.events.append(Event.CONNECTED)

    def _arrives(self, segment: Segment, now: float) -> None:
        sequence = unwrap(segment.sequence, self.irs, self.expected)
        ack = unwrap(segment.acknowledgement, self.isn, self.una)
        payload, fin = segment.payload, segment.fin
        if self.state == SYN_RECEIVED and segment.syn and not segment.rst and sequence == 0:
            if not (segment.ack and ack == 1):
                self.pure_acks += 1
                return
            self._new_acknowledgement(1, now)
            self._connected()
            self._window(segment, sequence, ack)
            self.pure_acks += 1
            return
        end = sequence + segment.length
        if end == sequence:
            good = self.expected <= sequence < self.told_edge or sequence == self.expected
        else:
            good = sequence < self.told_edge and end > self.expected
        full = not good and self.told_edge == self.expected == sequence  # a window of zero
        if not good:
            if segment.rst and not full:
                return
            if not segment.rst:
                self.pure_acks += 1
                if self.state == TIME_WAIT and fin and end == self.expected:
                    self.time_wait = now + TIME_WAIT_LASTS
            if not full:
                return
        if segment.rst:
            if sequence != self.expected:
                self.pure_acks += 1
            elif self.state != TIME_WAIT:
                self._finish(Event.RESET)
            return
        if segment.syn:
            if good:
                self.pure_acks += 1
            return
        if not segment.ack:
            return
        if self.state == SYN_RECEIVED:
            if ack != 1:
                self._refuse(segment)
                return
            self._new_acknowledgement(1, now)
            self._connected()
            self.wl1 = -1
        if ack > self.top:
            if good:
                self.pure_acks += 1
            return
        self._acknowledge(segment, ack, now)
        if self.fin_acknowledged():
            if self.state == FIN_WAIT_1:
                self.state = FIN_WAIT_2
            elif self.state == CLOSING:
                self._enter_time_wait(now)
            elif self.state == LAST_ACK:
                self._finish(Event.CLOSED)
                return
        self._window(segment, sequence, ack)
        if good and (payload or fin):
            self._take(sequence, payload, fin, now)

    # -- receiving -----------------------------------------------------------------------------------------------

    def _room_edge(self) -> int:
        edge = max(self.expected, 1) + self.room - len(self.readable)
        return max(edge, self.told_edge)

    def _acknowledged_by_us(self) -> None:
        self.ack_now = False
        self.pure_acks = self.waiting = 0
        self.ack_timer = None

    def _take(self, sequence: int, payload: bytes, fin: bool, now: float) -> None:
        """Payload and FIN of an acceptable segment."""
        if self.peer_fin is not None and self.expected > self.peer_fin:
            self.pure_acks += 1  # beyond the end, or repeated in part
            return
        edge = self.told_edge
        expected = self.expected
        fin_at = sequence + len(payload)
        if fin and fin_at < edge and self.peer_fin is None:
            self.peer_fin = fin_at
        stop = edge if self.peer_fin is None else min(edge, self.peer_fin)
        start = max(sequence, expected)
        payload = payload[start - sequence : max(stop - sequence, 0)]
        at_once = fin or bool(self.pieces) or sequence != expected
        if payload:
            if start == expected:
                self.readable += payload
                self.expected += len(payload)
                self._join()
            else:
                self._keep(start, payload)
        if self.peer_fin is not None and self.expected == self.peer_fin:
            self.expected += 1
            self.pieces.clear()
            self._fin_arrived(now)
        if at_once:
            if self.expected == expected:
                self.pure_acks += 1
            else:
                self.ack_now = True
            return
        self.waiting += 1
        if self.waiting >= 2:
            self.ack_now = True
        elif self.ack_timer is None:
            self.ack_timer = now + DELAYED_ACK

    def _join(self) -> None:
        count = 0
        for start, data in self.pieces:
            if start > self.expected:
                break
            rest = data[self.expected - start :]
            self.readable += rest
            self.expected += len(rest)
            count += 1
        del self.pieces[:count]

    def _keep(self, start: int, data: bytes) -> None:
        """Put in what is new of it."""
        if self.pieces and start >= self.pieces[-1][0] + len(self.pieces[-1][1]):
            self.pieces.append((start, data))
            return
        result = []
        for a, piece in self.pieces:
            b = a + len(piece)
            if data and a < start + len(data) and b > start:
                if a > start:
                    result.append((start, data[: a - start]))
                data = data[b - start :]
                start = b
            elif data and a >= start + len(data):
                result.append((start, data))
                data = b""
            result.append((a, piece))
        if data:
            result.append((start, data))
        self.pieces = result

    def _fin_arrived(self, now: float) -> None:
        self.events.append(Event.END_OF_STREAM)
        if self.state == ESTABLISHED:
            self.state = CLOSE_WAIT
        elif self.state == FIN_WAIT_1:
            self.state = CLOSING
        elif self.state == FIN_WAIT_2:
            self._enter_time_wait(now)

    def _enter_time_wait(self, now: float) -> None:
        self.state = TIME_WAIT
        self.timer = self.probe_timer = None
        self.time_wait = now + TIME_WAIT_LASTS

    # -- the end -------------------------------------------------------------------------------------------------

    def _give_up(self) -> None:
        only_fin = self.fin_sent and not self.buffer
        self._finish(Event.CLOSED if only_fin and self.state in (LAST_ACK, CLOSING) else Event.TIMED_OUT)

    def _finish(self, event: Event) -> None:
        self.events.append(event)
        self.replies = []
        self.over = True
        self._stop()

    def _stop(self) -> None:
        self.state = CLOSED
        self.timer = self.probe_timer = self.time_wait = self.ack_timer = None
        self.flights.clear()
        self.pieces.clear()
        self._acknowledged_by_us()
