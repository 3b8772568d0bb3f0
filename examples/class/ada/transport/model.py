"""A controller with a model of the path: bandwidth and round trip, after BBR version 1. Pure."""

from __future__ import annotations

from collections import deque

MSS = 1200
WIRE = 62 / 1200 + 1
HIGH = 2.885
CYCLE = (1.25, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)


class Model:
    """`window` bytes may be under way, sent at `pacing` bytes a second."""

    def __init__(self) -> None:
        self.window, self.threshold = 10 * MSS, 0
        self.pacing: float | None = None
        self._state = "startup"
        self._rates: deque[tuple[int, float]] = deque()  # round, bytes a second; falling
        self._shortest: float | None = None
        self._shortest_at = 0.0
        self._round, self._round_ends = 0, 0
        self._full, self._full_rounds = 0.0, 0
        self._cycle, self._cycle_at = 2, 0.0
        self._probe_ends: float | None = None
        self.delivered, self.delivered_at, self.first_sent = 0, 0.0, 0.0
        self.limited_until = 0
        self._held = False

    # the connection's calls
    def mark(self, now: float, under_way: int) -> tuple[int, float, float, bool]:
        if under_way == 0:
            self.delivered_at = self.first_sent = now
        return (self.delivered, self.delivered_at, self.first_sent, self.limited_until > self.delivered)

    def on_delivered(self, size: int, sent: float, mark: tuple, rtt: float | None, now: float) -> None:
        self.delivered += size
        self.delivered_at = now
        if not mark:
            return
        before, before_at, first, limited = mark
        self.first_sent = max(self.first_sent, sent)
        if before >= self._round_ends:
            self._round += 1
            self._round_ends = self.delivered
            new_round = True
        else:
            new_round = False
        elapsed = max(now - before_at, sent - first)
        if rtt is not None and (
            self._shortest is None or rtt <= self._shortest or now > self._shortest_at + 10.0
        ):
            old = self._shortest is not None and now > self._shortest_at + 10.0 and rtt > self._shortest
            self._shortest, self._shortest_at = rtt, now
            if old and self._state != "startup":
                self._state, self._probe_ends = "probe-rtt", now + max(0.2, rtt)
        if elapsed > 0 and self._shortest is not None and elapsed >= self._shortest * 0.999:
            rate = (self.delivered - before) / elapsed
            if not limited or rate >= self.rate():
                while self._rates and self._rates[-1][1] <= rate:
                    self._rates.pop()
                self._rates.append((self._round, rate))
        while len(self._rates) > 1 and self._rates[0][0] < self._round - 10:
            self._rates.popleft()
        if new_round and not limited and self._state == "startup":
            if self.rate() >= self._full * 1.25:
                self._full, self._full_rounds = self.rate(), 0
            else:
                self._full_rounds += 1
                if self._full_rounds >= 3:
                    self._state = "drain"

    def rate(self) -> float:
        return self._rates[0][1] if self._rates else 0.0

    def update(self, pipe: int, now: float) -> None:
        if self._shortest is None or not self._rates:
            self.pacing = None
            return
        rate = self.rate()
        product = rate * self._shortest
        if self._state == "drain" and pipe <= product:
            self._state, self._cycle, self._cycle_at = "probe-bw", 2, now
        if self._state == "probe-rtt":
            assert self._probe_ends is not None
            if now >= self._probe_ends:
                self._state, self._cycle, self._cycle_at = "probe-bw", 2, now
                self._shortest_at = now
        if self._state == "probe-bw":
            over = now - self._cycle_at > self._shortest
            if over or (CYCLE[self._cycle] < 1 and pipe <= product):
                self._cycle, self._cycle_at = (self._cycle + 1) % 8, now
        gain, window = 1.0, 2.0
        if self._state == "startup":
            gain = window = HIGH
        elif self._state == "drain":
            gain, window = 1 / HIGH, HIGH
        elif self._state == "probe-bw":
            gain = CYCLE[self._cycle]
        self.pacing = max(gain * rate, 2 * MSS)
        self.window = max(4 * MSS, int(window * product) + 3 * MSS)
        if self._state == "startup":
            self.window = max(self.window, 10 * MSS)
        if self._state == "probe-rtt":
            self.window = 4 * MSS
        if self._held:
            self.window = MSS

    def on_ack(self, count: int, busy: bool) -> None:
        self._held = False

    def on_loss(self, flight: int) -> None:
        pass

    def on_timeout(self, flight: int, again: bool) -> None:
        self.window, self._held = MSS, True  # until the next acknowledgement

    def on_idle(self) -> None:
        pass
