"""A connection in one file: sorted list of segments, one timer derived from it, SACK both ways, NewReno. Pure."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections import deque

from events import Event
from model import Model
from segment import Segment, decode, encode
from sequence import MODULUS, unwrap

MSS = 1200
MOST_BUFFER = 2 << 20
INITIAL_WINDOW = 10 * MSS
DELAY = 0.1  # how long an ACK may wait
LEAST_RTO, MOST_RTO, SLACK = 0.3, 60.0, 0.25
LINGER = 4.0
SYNS, TRIES, PROBES = 6, 8, 8
EPSILON = 1e-9

OPENING = ("LISTEN", "SYN-SENT")


class _Sent:
    """Positions [a, b) that were sent together. SYN is 0, bytes 1 to n, FIN n + 1."""

    __slots__ = ("a", "b", "clean", "fly", "lost", "mark", "sacked", "sent", "tries")

    def __init__(self, a: int, b: int, now: float) -> None:
        self.a, self.b, self.sent = a, b, now
        self.tries = 0  # how often it was repeated
        self.clean = True  # may give a round-trip time
        self.fly = True  # counted as under way
        self.lost = self.sacked = False
        self.mark: tuple = ()  # delivered bytes and time when it was sent


def _start(seg: _Sent) -> int:
    return seg.a


class _NewReno:
    """How much may be under way."""

    pacing = None

    def __init__(self) -> None:
        self.window, self.threshold, self._credit = INITIAL_WINDOW, 1 << 40, 0

    def on_ack(self, count: int, busy: bool) -> None:
        if not busy:
            return
        if self.window < self.threshold:
            self.window += count
        else:
            self._credit += count
            if self._credit >= self.window:
                self._credit -= self.window
                self.window += MSS

    def on_loss(self, flight: int) -> None:
        self.threshold = self.window = max(min(flight, self.window) // 2, 2 * MSS)
        self._credit = 0

    def on_timeout(self, flight: int, again: bool) -> None:
        if not again:
            self.threshold = max(min(flight, max(self.window, MSS)) // 2, 2 * MSS)
        self.window, self._credit = MSS, 0

    def on_idle(self) -> None:
        self.window = min(self.window, INITIAL_WINDOW)


class Connection:
    """One end. `now` is in seconds and never goes back; calls without it take effect when the driver asks next."""

    def __init__(
        self, role: str, *, isn: int, receive_buffer: int = 65536, controller: str | None = None
    ) -> None:
        self._state = "LISTEN" if role == "server" else "SYN-SENT"
        self._events: deque[Event] = deque()
        self._isn, self._irs = isn, 0
        self._aborted = False
        self._replies: list[bytes] = []
        # sending
        self._out = bytearray()  # bytes from position `_base` on
        self._base = 1
        self._ended = self._fin_sent = self._fin_acked = False
        self._una = self._nxt = 0
        self._segs: list[_Sent] = []
        self._pipe = 0
        self._lost: list[int] = []  # heap of starts
        self._edge = 1  # peer's window ends here
        self._wl1 = self._wl2 = 0
        self._last_window = -1
        self._last_sent = 0.0
        self._resend = False  # the first segment, whatever the window says
        # round trip
        self._srtt: float | None = None
        self._var, self._rtt_last, self._rto = 0.0, 0.0, 1.0
        self._doubled = self._kept = 0
        self._progress = float("-inf")
        # probing
        self._probe_at: float | None = None  # when the last probe was sent or the wait began
        self._probe_count = self._probe_silent = 0
        self._probe_end = 0
        self._probing = self._heard = False
        # recovery
        self._dups = self._dup_bytes = 0
        self._mode = ""  # "", "fast" or "timeout"
        self._point = 0
        self._blocks_come = False
        self._seen: dict[int, int] = {}
        self._judged = self._top = 0
        self._repeated: deque[tuple[float, _Sent]] = deque()
        self._newest = float("-inf")  # latest sending of what has arrived
        self._model = Model() if controller == "model" else None
        self._control = self._model or _NewReno()
        self._pace_at: float | None = None
        self._pace_waits = False
        # receiving
        self._buffer = receive_buffer
        self._rnxt = 1
        self._read_to = 1
        self._offered = 1 + receive_buffer
        self._pieces: dict[int, bytes] = {}
        self._islands: list[list[int]] = []  # start, end, stamp
        self._stamp = 0
        self._ready: deque[bytes] = deque()
        self._ready_at = 0
        self._fin_at: int | None = None
        self._fin_time = 0.0
        self._fin_in = False
        self._owed = 0  # segments without an ACK
        self._ack_now = self._ack_alone = self._room_news = False
        self._ack_by: float | None = None
        self._close_at: float | None = None

    # -- the application's side ----------------------------------------------------------------------------------

    def next_event(self) -> Event | None:
        return self._events.popleft() if self._events else None

    def send(self, data: bytes) -> int:
        if self._ended or self._aborted:
            self._events.append(Event.SEND_AFTER_END)
            return 0
        if self._state == "CLOSED":
            return 0
        count = min(len(data), MOST_BUFFER - len(self._out))
        self._out += data[:count]
        return count

    def read(self, limit: int) -> bytes:
        if limit <= 0 or not self._ready:
            return b""
        parts, size = [], 0
        while self._ready and size < limit:
            piece = self._ready[0]
            left = len(piece) - self._ready_at
            if left <= limit - size:
                parts.append(piece[self._ready_at :] if self._ready_at else piece)
                self._ready.popleft()
                self._ready_at = 0
                size += left
            else:
                take = limit - size
                parts.append(piece[self._ready_at : self._ready_at + take])
                self._ready_at += take
                size += take
        self._read_to += size
        if self._read_to + self._buffer - self._offered >= min(MSS, max(1, self._buffer // 2)):
            self._room_news = True
        return b"".join(parts)

    def end(self) -> None:
        self._ended = True

    def abort(self) -> None:
        if self._aborted or self._state == "CLOSED":
            return
        self._aborted = True
        if self._state not in OPENING:
            self._replies = [self._wire(Segment(self._number(self._nxt), self._ack_number(), 0, ack=True, rst=True))]
        self._over(None)
        self._ready.clear()

    # -- the driver's side ---------------------------------------------------------------------------------------

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        seg = decode(data)
        if seg is None:
            return
        if self._state == "CLOSED":
            if self._aborted and seg.ack and not seg.rst:
                self._refuse(seg)
        elif self._state == "LISTEN":
            self._listen(seg, now)
        elif self._state == "SYN-SENT":
            self._syn_sent(seg, now)
        else:
            self._arrives(seg, now)

    def datagrams_to_send(self, *, now: float) -> list[bytes]:
        out, self._replies = self._replies, []
        if self._state in ("CLOSED", "LISTEN"):
            return out
        if self._state in ("SYN-SENT", "SYN-RECEIVED"):
            if not self._segs and self._una == 0:
                self._segs.append(_Sent(0, 1, now))
                self._nxt = 1
                out.append(self._build(self._segs[0]))
            elif self._resend:
                self._repeat(self._segs[0], now, out)
            if self._ack_now:
                out.append(self._pure())
            self._resend = False
            return out
        if self._ack_now and self._ack_alone:
            out.append(self._pure())
        before = len(out)
        self._transmit(now, out)
        if len(out) == before and (self._ack_now or self._room_news):
            out.append(self._pure())
        self._room_news = False
        return out

    def next_timer(self) -> float | None:
        if self._state == "CLOSED":
            return None
        times = [t for t in (self._timeout_at(), self._probe_due(), self._ack_by, self._close_at, self._pace_at if self._pace_waits else None) if t is not None]
        return min(times) if times else None

    def handle_timer(self, *, now: float) -> None:
        if self._state == "CLOSED":
            return
        if self._close_at is not None and now >= self._close_at - EPSILON:
            self._over(Event.CLOSED)
            return
        if self._ack_by is not None and now >= self._ack_by - EPSILON:
            self._ack_now = True
            self._ack_by = None
        due = self._timeout_at()
        if due is not None and now >= due - EPSILON:
            self._on_timeout()
            if self._state == "CLOSED":
                return
        due = self._probe_due()
        if due is not None and now >= due - EPSILON:
            if self._probe_silent >= PROBES:
                self._give_up()
                return
            self._probe_at = None  # _transmit sends it

    # -- segments ------------------------------------------------------------------------------------------------

    def _number(self, position: int) -> int:
        return (self._isn + position) % MODULUS

    def _ack_number(self) -> int:
        return (self._irs + self._rnxt) % MODULUS

    def _wire(self, seg: Segment) -> bytes:
        return encode(seg)

    def _refuse(self, seg: Segment) -> None:
        self._replies.append(self._wire(Segment(seg.acknowledgement, rst=True)))

    def _window(self) -> int:
        edge = self._read_to + self._buffer
        if edge > self._offered:
            self._offered = edge
        return max(0, self._offered - self._rnxt)

    def _acked_now(self) -> None:
        self._owed = 0
        self._ack_now = self._ack_alone = self._room_news = False
        self._ack_by = None

    def _sack(self) -> tuple[tuple[int, int], ...]:
        if not self._islands:
            return ()
        newest = heapq.nlargest(3, self._islands, key=lambda island: island[2])
        return tuple(((self._irs + a) % MODULUS, (self._irs + b) % MODULUS) for a, b, _ in newest)

    def _pure(self) -> bytes:
        window = self._window()
        self._acked_now()
        return self._wire(Segment(self._number(self._nxt), self._ack_number(), window, ack=True, sack=self._sack()))

    def _build_range(self, a: int, b: int) -> bytes:
        if a == 0:
            first = self._state == "SYN-SENT"
            self._acked_now()
            return self._wire(
                Segment(self._isn, 0 if first else self._ack_number(), self._window(), syn=True, ack=not first)
            )
        last = self._base + len(self._out)  # position of the FIN
        fin = self._fin_sent and b > last
        window = self._window()
        self._acked_now()
        return self._wire(
            Segment(
                self._number(a), self._ack_number(), window, ack=True, fin=fin, sack=self._sack(),
                payload=bytes(self._out[a - self._base : min(b, last) - self._base]),
            )
        )

    def _build(self, seg: _Sent) -> bytes:
        return self._build_range(seg.a, seg.b)

    # -- sending -------------------------------------------------------------------------------------------------

    def _repeat(self, seg: _Sent, now: float, out: list[bytes]) -> None:
        if self._model and seg.a:
            seg.mark = self._model.mark(now, self._pipe)
        seg.tries += 1
        seg.clean = False
        seg.sent = now
        seg.lost = False
        if not seg.fly:
            seg.fly = True
            self._pipe += seg.b - seg.a
        self._last_sent = now
        self._heard = False
        if seg.a:
            self._repeated.append((now, seg))
        out.append(self._build(seg))

    def _find(self, position: int) -> _Sent | None:
        at = bisect_left(self._segs, position, key=_start)
        if at < len(self._segs) and self._segs[at].a == position:
            return self._segs[at]
        return None

    def _send_fin(self) -> None:
        if not self._fin_sent:
            self._fin_sent = True
            self._state = {"ESTABLISHED": "FIN-WAIT-1", "CLOSE-WAIT": "LAST-ACK"}.get(self._state, self._state)

    def _transmit(self, now: float, out: list[bytes]) -> None:
        control = self._control
        self._pace_waits = False
        if self._model:
            self._model.update(self._pipe, now)
        if self._resend and self._segs:
            self._repeat(self._segs[0], now, out)
        self._resend = False
        pipe_extra = 0 if self._blocks_come else self._dup_bytes
        while self._lost:
            seg = self._find(self._lost[0])
            if seg is None or not seg.lost or seg.sacked:
                heapq.heappop(self._lost)
                continue
            if self._pipe - pipe_extra + seg.b - seg.a > control.window and self._pipe - pipe_extra > 0:
                return
            if seg.b > self._edge and seg is not self._segs[0]:
                break  # the peer took its window back
            if not self._paced(seg.b - seg.a, now):
                return
            heapq.heappop(self._lost)
            self._repeat(seg, now, out)
        last = self._base + len(self._out)
        if self._nxt > last or (self._nxt == last and not self._ended):
            self._probe_at = None
            if self._model and self._pipe < control.window:
                self._model.limited_until = self._model.delivered + self._pipe
            return  # nothing waits
        if not self._segs and now - self._last_sent > self._timeout():
            control.on_idle()
        while True:
            size = min(MSS, last - self._nxt, self._edge - self._nxt)
            size = max(size, 0)
            fin = self._ended and self._nxt + size == last and self._edge > last
            count = size + fin
            if count <= 0:
                break
            under_way = self._pipe - pipe_extra
            if under_way > 0 and under_way + size > control.window:
                return
            if self._una <= 1 and self._nxt + size - 1 > INITIAL_WINDOW and self._segs:
                return
            if not self._paced(count, now):
                return
            if fin:
                self._send_fin()
            seg = _Sent(self._nxt, self._nxt + count, now)
            if self._nxt < self._probe_end:
                seg.clean = False
            if self._model:
                seg.mark = self._model.mark(now, self._pipe)
            self._segs.append(seg)
            self._pipe += count
            self._nxt += count
            self._last_sent = now
            self._heard = False
            out.append(self._build(seg))
            if self._nxt > last or (self._nxt == last and not self._ended):
                break
        self._consider_probe(now, out)

    def _paced(self, size: int, now: float) -> bool:
        """Whether so many bytes may go now; if not, `_pace_at` says when."""
        if not self._model or not self._model.pacing:
            return True
        if self._pace_at is not None and now < self._pace_at - EPSILON:
            self._pace_waits = True
            return False
        due = now if self._pace_at is None else max(self._pace_at, now - 0.002)
        self._pace_at = due + size / self._model.pacing
        return True

    def _consider_probe(self, now: float, out: list[bytes]) -> None:
        last = self._base + len(self._out)
        waits = self._nxt < last or (self._nxt == last and self._ended)
        if self._segs or not waits or self._edge > self._nxt:
            self._probe_at = None
            if self._edge > self._nxt or self._segs:
                self._probe_count = self._probe_silent = 0
                self._probing = False
            return
        if self._probe_at is not None:
            return
        self._probe_at = now
        if not self._probing:
            self._probing = True  # the wait begins
            self._probe_count = self._probe_silent = 0
            return
        self._probe_count += 1
        self._probe_silent += 1
        if self._nxt == last:
            self._send_fin()
        self._probe_end = max(self._probe_end, self._nxt + 1)
        out.append(self._build_range(self._nxt, self._nxt + 1))

    def _probe_due(self) -> float | None:
        if self._probe_at is None:
            return None
        return self._probe_at + min(MOST_RTO, self._rto * 2 ** min(self._probe_count, 10))

    # -- time ----------------------------------------------------------------------------------------------------

    def _timeout(self) -> float:
        return min(MOST_RTO, self._rto * 2 ** min(self._doubled + self._kept, 12))

    def _timeout_at(self) -> float | None:
        if not self._segs:
            return None
        return max(self._segs[0].sent, self._progress) + self._timeout()

    def _on_timeout(self) -> None:
        seg = self._segs[0]
        shut = seg.a > 0 and self._edge <= seg.a and self._heard
        if shut:
            seg.tries = 0
        if seg.tries >= (SYNS - 1 if seg.a == 0 else TRIES):
            self._give_up()
            return
        again = self._doubled > 0 and self._mode == "timeout"
        self._doubled += 1
        self._resend = True
        if seg.a == 0:
            return
        self._control.on_timeout(self._nxt - self._una, again)
        self._mode, self._point = "timeout", self._nxt
        self._dups = self._dup_bytes = 0
        self._seen.clear()
        self._repeated.clear()
        self._judged = self._top = 0
        self._newest = float("-inf")
        self._pipe = 0
        for one in self._segs:
            one.sacked = one.fly = False
            one.lost = True
        seg.lost = False
        self._lost = [one.a for one in self._segs[1:]]

    def _give_up(self) -> None:
        last = self._base + len(self._out)
        if self._fin_in and self._fin_sent and self._una == last:
            self._over(Event.CLOSED)
        else:
            self._over(Event.TIMED_OUT)

    def _over(self, event: Event | None) -> None:
        self._state = "CLOSED"
        if event is not None:
            self._events.append(event)
            self._replies = []
        self._segs, self._lost = [], []
        self._out = bytearray()
        self._pieces.clear()
        self._islands = []
        self._acked_now()
        self._close_at = self._probe_at = None

    def _sample(self, rtt: float) -> None:
        self._rtt_last = rtt
        if self._srtt is None:
            self._srtt, self._var = rtt, rtt / 2
        else:
            self._var += (abs(self._srtt - rtt) - self._var) / 4
            self._srtt += (rtt - self._srtt) / 8
        self._rto = min(MOST_RTO, max(LEAST_RTO, self._srtt + max(SLACK, 4 * self._var)))
        self._kept = 0

    # -- what arrives --------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._state = "ESTABLISHED"
        self._events.append(Event.CONNECTED)

    def _take_syn(self, seg: Segment) -> None:
        self._irs = seg.sequence
        self._wl1 = 0
        self._edge = 1 + seg.window

    def _listen(self, seg: Segment, now: float) -> None:
        if seg.rst:
            return
        if seg.ack:
            self._refuse(seg)
        elif seg.syn:
            self._take_syn(seg)
            self._state = "SYN-RECEIVED"

    def _syn_sent(self, seg: Segment, now: float) -> None:
        ours = seg.ack and self._nxt == 1 and seg.acknowledgement == self._number(1)
        if seg.ack and not ours:
            if not seg.rst:
                self._refuse(seg)
            return
        if seg.rst:
            if ours:
                self._over(Event.RESET)
            return
        if not seg.syn:
            return
        self._take_syn(seg)
        if ours:
            self._acknowledged(1, now)
            self._wl2 = 1
            self._last_window = seg.window
            self._open()
            self._ack_now = True
        else:
            self._state = "SYN-RECEIVED"
            if self._segs:  # the SYN has gone: a SYN ACK now
                self._replies.append(self._build(self._segs[0]))
                self._segs[0].clean = False

    def _arrives(self, seg: Segment, now: float) -> None:
        at = unwrap(seg.sequence, self._irs, self._rnxt)
        ack = unwrap(seg.acknowledgement, self._isn, self._una) if seg.ack else 0
        if self._state == "SYN-RECEIVED" and seg.syn and not seg.rst and at == 0:
            if not seg.ack:
                if self._segs:
                    self._segs[0].clean = False
                    self._replies.append(self._build(self._segs[0]))
            elif ack != 1:
                self._refuse(seg)
            else:
                self._acknowledged(1, now)
                self._edge, self._wl2 = 1 + seg.window, 1
                self._last_window = seg.window
                self._open()
                self._ack_now = True
            return
        if self._state == "TIME-WAIT" and seg.fin and not seg.rst and at + seg.length == self._rnxt:
            self._close_at = now + LINGER
            self._ack_now = True
            return
        window = max(0, self._offered - self._rnxt)
        length = seg.length
        if length == 0:
            acceptable = at == self._rnxt if window == 0 else self._rnxt <= at < self._rnxt + window
        else:
            acceptable = window > 0 and at < self._rnxt + window and at + length > self._rnxt
        probe = not acceptable and window == 0 and at == self._rnxt
        if not acceptable:
            if not seg.rst:
                self._ack_now = self._ack_alone = True
                if seg.ack and self._una <= ack <= max(self._nxt, self._probe_end):
                    self._heard = True
                    self._probe_silent = 0
            if not probe:
                return
        if seg.rst:
            if self._state == "TIME-WAIT":
                return
            if at == self._rnxt:
                self._over(Event.RESET)
            else:
                self._ack_now = self._ack_alone = True
            return
        if seg.syn:
            self._ack_now = self._ack_alone = True
            return
        if not seg.ack:
            return
        if self._state == "SYN-RECEIVED":
            if ack != 1:
                self._refuse(seg)
                return
            self._wl1, self._wl2, self._edge = at, ack, ack + seg.window
            self._last_window = seg.window
            self._acknowledged(1, now)
            self._open()
        elif ack > max(self._nxt, self._probe_end) or ack < 0:
            self._ack_now = self._ack_alone = True
            return
        self._heard = True
        self._probe_silent = 0
        self._on_ack(seg, at, ack, now)
        if self._state == "CLOSED" or probe:
            return
        if seg.payload or seg.fin:
            self._take(seg, at, now)

    # -- acknowledgements ----------------------------------------------------------------------------------------

    def _on_ack(self, seg: Segment, at: int, ack: int, now: float) -> None:
        same_window = ack + seg.window == self._edge
        if ack >= self._una and (at > self._wl1 or (at == self._wl1 and ack >= self._wl2)):
            self._wl1, self._wl2, self._edge = at, ack, ack + seg.window
        busy = self._pipe * 2 >= self._control.window
        if self._control.window >= self._control.threshold:
            busy = self._pipe + 2 * MSS > self._control.window
        news = False
        if seg.sack:
            self._blocks_come = True
            news = self._on_blocks(seg, ack, now)
        if ack > self._una:
            self._new_ack(ack, now, busy)
        elif ack == self._una and self._segs and ack >= 1 and not seg.payload and not seg.fin and same_window:
            if news or not self._blocks_come:
                self._dups += 1
                self._dup_bytes = min(self._dup_bytes + MSS, max(0, self._nxt - self._una - MSS))
        if self._segs:
            self._find_losses(now)
        if self._model:
            self._model.update(self._pipe, now)

    def _acknowledged(self, ack: int, now: float) -> None:
        """Everything below `ack` has arrived."""
        segs = self._segs
        count, clean, sent = 0, True, None
        for seg in segs:
            if seg.b > ack:
                break
            count += 1
            if seg.fly:
                self._pipe -= seg.b - seg.a if seg.a else 0
            if not seg.sacked:
                clean = clean and seg.clean
                sent = seg.sent
                if seg.clean:
                    self._newest = max(self._newest, seg.sent)
                if self._model:
                    self._model.on_delivered(seg.b - seg.a, seg.sent, seg.mark, now - seg.sent if seg.clean else None, now)
            seg.sacked, seg.fly, seg.lost = True, False, False
        del segs[:count]
        if segs and segs[0].a < ack:
            seg = segs[0]
            if seg.fly:
                self._pipe -= ack - seg.a
            if seg.lost:
                heapq.heappush(self._lost, ack)
            seg.a = ack
        self._una = ack
        self._nxt = max(self._nxt, ack)
        self._progress = now
        cut = min(ack, self._base + len(self._out)) - self._base
        if cut > 0:
            del self._out[:cut]
            self._base += cut
        if self._doubled:
            self._kept = min(self._kept + 1, self._doubled + self._kept)
            self._doubled = 0
        if sent is not None and clean:
            self._sample(now - sent)
        elif self._kept and self._srtt is None and ack == 1:
            self._kept = 0

    def _new_ack(self, ack: int, now: float, busy: bool) -> None:
        count = ack - self._una
        self._acknowledged(ack, now)
        self._dups = 0
        if self._mode == "fast":
            if ack >= self._point:
                self._mode, self._dup_bytes = "", 0
            else:
                self._dup_bytes = max(0, self._dup_bytes - max(0, count - MSS))
                if not self._blocks_come:
                    self._lose(self._segs[0] if self._segs else None, now, force=True)
        else:
            self._dup_bytes = 0
            self._control.on_ack(count, busy or self._mode == "timeout")
            if self._mode == "timeout" and ack >= self._point:
                self._mode = ""
        last = self._base + len(self._out)
        if self._fin_sent and ack > last and not self._fin_acked:
            self._fin_acked = True
            if self._state == "FIN-WAIT-1":
                self._state = "FIN-WAIT-2"
            elif self._state == "CLOSING":
                self._state = "TIME-WAIT"
                self._close_at = self._fin_time + LINGER
            elif self._state == "LAST-ACK":
                self._over(Event.CLOSED)

    def _on_blocks(self, seg: Segment, ack: int, now: float) -> bool:
        news = False
        for left, right in seg.sack:
            a, b = unwrap(left, self._isn, self._una), unwrap(right, self._isn, self._una)
            if not max(self._una, ack) < a < b <= self._nxt:
                continue
            done = self._seen.get(a, a)
            if done >= b:
                continue
            at = bisect_left(self._segs, done, key=_start)
            if at and self._segs[at - 1].b > done and self._segs[at - 1].a >= a:
                at -= 1
            while at < len(self._segs) and self._segs[at].b <= b:
                one = self._segs[at]
                at += 1
                if one.sacked:
                    continue
                news = True
                if one.fly:
                    self._pipe -= one.b - one.a
                if self._model:
                    self._model.on_delivered(one.b - one.a, one.sent, one.mark, now - one.sent if one.clean else None, now)
                one.sacked, one.fly, one.lost = True, False, False
                self._top = max(self._top, one.a)
                if one.clean:
                    self._newest = max(self._newest, one.sent)
                    self._sample(now - one.sent)
            self._seen[a] = b
        return news

    def _lose(self, seg: _Sent | None, now: float, force: bool = False) -> bool:
        """This segment is lost. Not told again within a round trip of its repetition."""
        if seg is None or seg.lost or seg.sacked:
            return False
        if seg.tries and not force and now - seg.sent < max(self._srtt or 0.0, self._rtt_last):
            return False
        seg.lost = True
        if seg.fly:
            seg.fly = False
            self._pipe -= seg.b - seg.a
        heapq.heappush(self._lost, seg.a)
        return True

    def _find_losses(self, now: float) -> None:
        found = False
        segs = self._segs
        first = segs[0]
        if self._blocks_come:
            at = bisect_left(segs, self._top, key=_start)
            count = 0
            while at >= 0 and count < 3:
                at = min(at, len(segs) - 1)
                count += segs[at].sacked
                at -= 1
            if count >= 3:
                low = bisect_left(segs, self._judged, key=_start)
                for one in segs[low : at + 1]:
                    if not one.sacked and not one.tries:
                        found = self._lose(one, now) or found
                self._judged = max(self._judged, segs[at + 1].a)
            while self._repeated:
                when, one = self._repeated[0]
                if one.sent != when or one.sacked or one.lost:
                    self._repeated.popleft()
                elif self._newest > when + (self._srtt or 0.0) / 4 and self._lose(one, now):
                    self._repeated.popleft()
                    found = True
                else:
                    break
        fresh = first.a > self._point or (self._blocks_come and first.a >= self._point) or self._point == 0
        if self._dups >= 3 and not first.tries and not first.lost and (self._mode == "" and (fresh or self._blocks_come)):
            found = self._lose(first, now) or found
        if found and self._mode == "":
            self._control.on_loss(self._nxt - self._una)
            self._mode, self._point = "fast", self._nxt
            if first.lost:
                # the first one goes at once, whatever is under way
                first.lost = False
                self._resend = True

    # -- what the peer sends -------------------------------------------------------------------------------------

    def _take(self, seg: Segment, at: int, now: float) -> None:
        data, end = seg.payload, at + len(seg.payload)
        edge = self._offered
        at_once = False
        if self._fin_in:
            self._ack_now = self._ack_alone = True
            if seg.fin and end + 1 == self._rnxt and self._state == "TIME-WAIT":
                self._close_at = now + LINGER
            return
        if seg.fin:
            at_once = True
            top = self._islands[-1][1] if self._islands else self._rnxt
            if self._fin_at is None and end < edge and end >= top:
                self._fin_at = end
                self._fin_time = now
            elif self._fin_at == end:
                self._fin_time = now
        if self._fin_at is not None:
            edge = min(edge, self._fin_at)
        start, stop = max(at, self._rnxt), min(end, edge)
        before = self._rnxt
        if data:
            if at != self._rnxt or self._islands:
                at_once = True
                self._ack_alone = self._ack_alone or at > self._rnxt
            if start < stop:
                if start == self._rnxt and not self._islands:
                    self._ready.append(data[start - at : stop - at])
                    self._rnxt = stop
                else:
                    self._insert(data, at, start, stop)
            else:
                at_once = True
        if self._fin_at is not None and self._rnxt == self._fin_at:
            self._rnxt += 1
            self._fin_in = True
            self._events.append(Event.END_OF_STREAM)
            at_once = True
            if self._state == "ESTABLISHED":
                self._state = "CLOSE-WAIT"
            elif self._state == "FIN-WAIT-1":
                self._state = "CLOSING"
            elif self._state == "FIN-WAIT-2":
                self._state = "TIME-WAIT"
        if at_once:
            self._ack_now = True
        elif self._rnxt > before:
            self._owed += 1
            if self._owed >= 2:
                self._ack_now = True
            elif self._ack_by is None:
                self._ack_by = now + DELAY
        if self._fin_in and self._state == "TIME-WAIT":
            self._close_at = now + LINGER

    def _insert(self, data: bytes, at: int, start: int, stop: int) -> None:
        islands = self._islands
        low = bisect_left(islands, start, key=lambda island: island[1])
        high = bisect_right(islands, stop, key=lambda island: island[0])
        here = start
        for a, b, _ in islands[low:high]:
            if here < a:
                self._pieces[here] = data[here - at : a - at]
            here = max(here, b)
        if here < stop:
            self._pieces[here] = data[here - at : stop - at]
        a = min(start, islands[low][0]) if low < high else start
        b = max(stop, islands[high - 1][1]) if low < high else stop
        self._stamp += 1
        islands[low:high] = [[a, b, self._stamp]]
        if islands[0][0] == self._rnxt:
            end = islands.pop(0)[1]
            while self._rnxt < end:
                piece = self._pieces.pop(self._rnxt)
                self._ready.append(piece)
                self._rnxt += len(piece)
