"""Stop and wait: one segment under way, repeated until it is acknowledged. Nothing that comes early is kept."""

from __future__ import annotations

import enum

from segment import Segment, decode, encode

MODULUS = 1 << 32
TIME_WAIT = 4.0


class Event(enum.Enum):
    CONNECTED = "connected"
    END_OF_STREAM = "end of stream"
    CLOSED = "closed"
    RESET = "reset"
    TIMED_OUT = "timed out"
    SEND_AFTER_END = "send after end"


class Connection:
    def __init__(self, role: str, *, isn: int, receive_buffer: int = 65536) -> None:
        self.capacity = receive_buffer
        self.next = isn  # number of the next thing to send
        self.current: Segment | None = None  # what waits for its acknowledgement
        self.expected: int | None = None  # number of the next thing to receive
        self.window = 0  # of the peer
        self.outgoing = bytearray()
        self.incoming = bytearray()
        self.ending = self.fin_sent = self.fin_acked = self.fin_received = self.over = False
        self.connected = self.active_close = False
        self.offered = receive_buffer
        self.timeout, self.tries = 1.0, 0
        self.sent_at: float | None = None  # None: the current one is to be sent
        self.wait_until: float | None = None
        self.must_ack = self.must_reset = False
        self.events: list[Event] = []
        if role == "client":
            self.current = Segment(isn, syn=True)

    # -- the application --

    def send(self, data: bytes) -> int:
        if self.ending or self.over:
            self.events.append(Event.SEND_AFTER_END)
            return 0
        taken = data[: 65536 - len(self.outgoing)]
        self.outgoing += taken
        return len(taken)

    def read(self, limit: int) -> bytes:
        data = bytes(self.incoming[:limit])
        del self.incoming[:limit]
        if self.connected and not self.over and self.free() - self.offered >= min(1200, self.capacity // 2):
            self.must_ack = True
        return data

    def end(self) -> None:
        self.ending = True

    def abort(self) -> None:
        self.must_reset = self.connected and not self.over
        self.over = True

    def next_event(self) -> Event | None:
        return self.events.pop(0) if self.events else None

    # -- the wire --

    def free(self) -> int:
        return self.capacity - len(self.incoming)

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        segment = decode(data)
        if segment is None or self.over:
            return
        if self.expected is None and not self.first(segment):
            return
        if segment.rst:
            if segment.sequence == self.expected:
                self.finish(Event.RESET)
            return
        if segment.ack:
            self.acknowledged(segment, now)
        if segment.payload or segment.fin or segment.syn or not self.acceptable(segment):
            self.must_ack = True
        self.accept(segment)
        if self.fin_received and self.fin_acked and not self.over:
            if not self.active_close:
                self.finish(Event.CLOSED)
            elif self.wait_until is None or segment.fin:
                self.wait_until = now + TIME_WAIT

    def first(self, segment: Segment) -> bool:
        """The peer's SYN: from here on it is known which number comes next."""
        asked = self.current is not None
        if not segment.syn or segment.rst or asked != segment.ack:
            if asked and segment.rst and segment.ack and segment.acknowledgement == self.next + 1:
                self.finish(Event.RESET)
            return False
        if asked and segment.acknowledgement != (self.next + 1) % MODULUS:
            return False
        self.expected = (segment.sequence + 1) % MODULUS
        self.window = segment.window
        if not asked:
            self.current = Segment(self.next, syn=True)
        return True

    def acknowledged(self, segment: Segment, now: float) -> None:
        current = self.current
        ahead = (segment.acknowledgement - self.next) % MODULUS
        size = 0 if current is None else current.syn + current.fin + len(current.payload)
        if ahead > size:
            return
        self.window = segment.window
        if current is None or not ahead > 0:
            return
        if self.sent_at is not None and self.tries == 1:
            self.timeout = min(max(2.5 * (now - self.sent_at), 0.25), 60.0)
        self.next = (self.next + ahead) % MODULUS
        self.tries = 0
        del self.outgoing[: ahead if current.payload else 0]
        self.current = None
        if current.syn:
            self.connected = True
            self.events.append(Event.CONNECTED)
        if current.fin:
            self.fin_acked = True

    def acceptable(self, segment: Segment) -> bool:
        """Whether an empty segment has a number that was offered."""
        assert self.expected is not None
        return (segment.sequence - self.expected) % MODULUS <= self.free()

    def accept(self, segment: Segment) -> None:
        assert self.expected is not None
        old = (self.expected - segment.sequence - segment.syn) % MODULUS
        if old > len(segment.payload) or segment.syn:
            return
        fresh = segment.payload[old:]
        taken = fresh[: self.free()]
        self.incoming += taken
        self.expected = (self.expected + len(taken)) % MODULUS
        if segment.fin and taken == fresh and not self.fin_received:
            self.fin_received = True
            self.expected = (self.expected + 1) % MODULUS
            self.events.append(Event.END_OF_STREAM)

    def finish(self, event: Event) -> None:
        self.over = True
        self.must_ack = False
        self.events.append(event)

    def datagrams_to_send(self, *, now: float) -> list[bytes]:
        out = []
        if self.must_reset:
            self.must_reset = False
            return [encode(Segment((self.next + self.in_flight()) % MODULUS, self.expected or 0, ack=True, rst=True))]
        if not self.over:
            self.choose()
            if self.current is not None and self.sent_at is None:
                self.sent_at, self.tries = now, self.tries + 1
                out.append(self.dressed(self.current))
        if self.must_ack and not out:
            out.append(self.dressed(Segment(self.next + self.in_flight())))
        self.must_ack = False
        return out

    def in_flight(self) -> int:
        current = self.current
        return 0 if current is None or not self.tries else current.syn + current.fin + len(current.payload)

    def choose(self) -> None:
        """What is under way next."""
        if self.current is not None or not self.connected:
            return
        if self.outgoing:
            size = min(1200, max(self.window, 0))
            if size == 0 and self.tries == 0:
                # A window of nothing: the probe waits for the timeout.
                size, self.sent_at = 1, self.last
                self.current = Segment(self.next, payload=bytes(self.outgoing[:1]))
                return
            self.current = Segment(self.next, payload=bytes(self.outgoing[:size]))
        elif self.ending and not self.fin_sent:
            self.fin_sent = True
            self.active_close = not self.fin_received
            self.current = Segment(self.next, fin=True)
        else:
            return
        self.sent_at = None

    @property
    def last(self) -> float:
        return self.sent_at if self.sent_at is not None else 0.0

    def dressed(self, segment: Segment) -> bytes:
        fields = {**segment.__dict__, "sequence": segment.sequence % MODULUS, "window": self.free()}
        self.offered = self.free()
        if self.expected is not None:
            fields.update(ack=True, acknowledgement=self.expected)
        return encode(Segment(**fields))

    def next_timer(self) -> float | None:
        if self.over:
            return None
        due = [self.wait_until] if self.wait_until is not None else []
        if self.current is not None and self.sent_at is not None:
            due.append(self.sent_at + min(self.timeout * 2 ** max(self.tries - 1, 0), 60.0))
        return min(due) if due else None

    def handle_timer(self, *, now: float) -> None:
        if self.wait_until is not None and now >= self.wait_until:
            self.finish(Event.CLOSED)
        elif self.current is not None:
            most = 6 if self.current.syn else 9
            if (
                (self.tries >= most and self.window > 0)
                or self.tries >= 30
                or (self.current.syn and self.tries >= most)
            ):
                self.finish(Event.CLOSED if self.current.fin and self.fin_received else Event.TIMED_OUT)
            self.sent_at = None
