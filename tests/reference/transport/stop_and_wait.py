"""The least Connection there is: one segment under way, sent again until it is acknowledged. Stages 1 to 3, no more.

Programs that work with it need nothing of the later stages. The tests put it in the place of connection.py.
"""

from __future__ import annotations

from collections import deque

from events import Event
from segment import Segment, decode, encode
from sequence import MODULUS

FIRST_RTO = 0.3  #: seconds; a fixed one
TIME_WAIT = 4.0  #: seconds
SYNS, TRIES = 6, 8


class Connection:
    def __init__(self, role: str, *, isn: int, receive_buffer: int = 65536) -> None:
        self._next = isn  # the number of the next byte that was never sent
        self._expected: int | None = None  # the number of the next byte that the peer sends
        self._flight: Segment | None = Segment(isn, syn=True) if role == "client" else None
        self._due = role == "client"  # whether the flight is to be sent now
        self._timer: float | None = None
        self._tries = 0
        self._window = 0  # the peer's
        self._queue, self._arrived = bytearray(), bytearray()
        self._room = receive_buffer
        self._ending = self._ended = self._peer_ended = self._over = self._last_ack = False
        self._isn, self._answer, self._connected = isn, False, False
        self._raw: list[bytes] = []
        self._events: deque[Event] = deque()

    # -- the network's side

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        segment = decode(data)
        if segment is None or self._over:
            return
        if segment.rst:
            refused = self._expected is None and segment.ack and segment.acknowledgement == _end(self._flight)
            if refused or (self._expected is not None and segment.sequence == self._expected):
                self._finish(Event.RESET)
            return
        if segment.syn and self._expected is None:
            self._expected = _plus(segment.sequence, 1)
            if self._flight is None:  # a server: its SYN goes with the acknowledgement
                self._flight, self._due = Segment(self._isn, syn=True), True
            else:
                self._answer = True
        elif segment.syn or segment.payload or segment.fin:
            self._answer = True
        if self._expected is None:
            return
        if segment.ack:
            self._acknowledged(segment, now)
        if not segment.syn:
            self._take(segment)
        if self._ended and self._flight is None and self._peer_ended and not self._over:
            if self._last_ack:
                self._finish(Event.CLOSED)
            else:
                self._timer = now + TIME_WAIT

    def _acknowledged(self, segment: Segment, now: float) -> None:
        self._window = segment.window
        if self._flight is not None and segment.acknowledgement == _end(self._flight):
            if self._flight.syn:
                self._connected = True
                self._events.append(Event.CONNECTED)
            self._next = _end(self._flight)
            self._flight, self._timer, self._tries = None, None, 0
        elif self._flight is None and self._queue and not self._window and self._timer is None:
            self._timer = now + FIRST_RTO  # to probe

    def _take(self, segment: Segment) -> None:
        assert self._expected is not None
        known = (self._expected - segment.sequence) % MODULUS
        fresh = segment.payload[known:] if known < MODULUS // 2 else b""
        if known > len(segment.payload) or len(self._arrived) + len(fresh) > self._room:
            return
        self._arrived += fresh
        self._expected = _plus(self._expected, len(fresh))
        if segment.fin and not self._peer_ended:
            self._expected = _plus(self._expected, 1)
            self._peer_ended = True
            self._last_ack = not self._ended
            self._events.append(Event.END_OF_STREAM)

    def datagrams_to_send(self, *, now: float) -> list[bytes]:
        out, self._raw = self._raw, []
        if self._over:
            return out
        if self._flight is None and self._connected and not self._ended:
            self._begin_next()
        if self._flight is not None and self._due:
            self._due, self._answer = False, False
            self._timer = now + FIRST_RTO * 2**self._tries
            out.append(encode(self._dressed(self._flight)))
        if self._answer:
            self._answer = False
            out.append(encode(self._dressed(Segment(self._next if self._flight is None else _end(self._flight)))))
        return out

    def _begin_next(self) -> None:
        if self._queue and self._window:
            payload = bytes(self._queue[: min(1200, self._window)])
            del self._queue[: len(payload)]
            self._flight, self._due = Segment(self._next, payload=payload), True
        elif not self._queue and self._ending:
            self._flight, self._due, self._ended = Segment(self._next, fin=True), True, True

    def _dressed(self, segment: Segment) -> Segment:
        window = self._room - len(self._arrived)
        if self._expected is None:
            return segment._replace(window=window)
        return segment._replace(ack=True, acknowledgement=self._expected, window=window)

    def next_timer(self) -> float | None:
        return None if self._over else self._timer

    def handle_timer(self, *, now: float) -> None:
        if self._over or self._timer is None or now < self._timer:
            return
        self._timer = None
        if self._flight is None:
            if self._ended:
                self._finish(Event.CLOSED)  # TIME-WAIT is over
            else:
                self._window = 1  # a probe
            return
        self._tries += 1
        if self._tries >= (SYNS if self._flight.syn else TRIES + 1):
            self._finish(Event.CLOSED if self._flight.fin and self._peer_ended else Event.TIMED_OUT)
        self._due = True

    def _finish(self, event: Event) -> None:
        self._over = True
        self._events.append(event)

    # -- the application's side

    def next_event(self) -> Event | None:
        return self._events.popleft() if self._events else None

    def send(self, data: bytes) -> int:
        if self._ending or self._over:
            self._events.append(Event.SEND_AFTER_END)
            return 0
        taken = data[: 65536 - len(self._queue)]
        self._queue += taken
        return len(taken)

    def read(self, limit: int) -> bytes:
        data = bytes(self._arrived[:limit])
        if len(self._arrived) >= self._room - 2400 and data:
            self._answer = True  # there is room again
        del self._arrived[: len(data)]
        return data

    def end(self) -> None:
        self._ending = True

    def abort(self) -> None:
        if self._connected and not self._over:
            number = self._next if self._flight is None else _end(self._flight)
            self._raw.append(encode(self._dressed(Segment(number, rst=True))))
        self._over = True


def _plus(number: int, count: int) -> int:
    return (number + count) % MODULUS


def _end(segment: Segment | None) -> int:
    """The number after a segment."""
    assert segment is not None
    return _plus(segment.sequence, len(segment.payload) + segment.syn + segment.fin)
