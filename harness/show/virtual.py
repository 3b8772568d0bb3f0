"""A sender with numbered packets and a receiver that acknowledges each, in virtual time over the link's model. Pure.

It is the simplest transport that shows what loss, windows, timers and congestion do, and no more: no bytes, no
connection, no cumulative acknowledgements; a packet has a number, and each acknowledgement names one packet.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from harness.link.profile import Profile
from harness.link.simulator import Simulation
from harness.link.trace import Packet

_HEAD = struct.Struct("!cIB")  #: b"D" or b"A", number, which try (from 1)
#: Bytes of a data packet, head included.
SIZE = 1000
_LATER = 3  #: acknowledgements of later packets after which one is taken for lost (as many as RFC 5681's duplicates)


@dataclass
class Congestion:
    """How many packets may be under way: slow start, then additive increase, multiplicative decrease (RFC 5681)."""

    window: float = 1.0  #: packets
    threshold: float = 64.0  #: packets: above it the window grows by one in a round trip
    history: list[tuple[float, float]] = field(default_factory=list)  #: (seconds, window)

    def acknowledged(self, now: float) -> None:
        """One packet arrived."""
        self.window += 1.0 if self.window < self.threshold else 1.0 / self.window
        self.history.append((now, self.window))

    def lost(self, now: float, *, silence: bool) -> None:
        """A loss was found; `silence`: by a timeout."""
        self.threshold = max(self.window / 2, 2.0)
        self.window = 1.0 if silence else self.threshold
        self.history.append((now, self.window))


class Sender:
    """Sends packets 1 to `count`, at most `window` under way, each again after `timeout` seconds without an answer."""

    def __init__(
        self, count: int, *, window: int = 1, timeout: float = 0.2, congestion: Congestion | None = None
    ) -> None:
        self.count = count
        self.congestion = congestion
        self._window, self._timeout = window, timeout
        self._next = 1
        self._tries: dict[int, int] = {}
        self._under_way: dict[int, float] = {}  # number -> when it was sent last
        self._turn: dict[int, int] = {}  # number -> which sending that was, of all
        self._passed: dict[int, int] = {}  # number -> acknowledgements of packets that were sent later
        self._flight = 0  # the last number sent when the window was halved
        self._again: list[int] = []
        self.sent = self.repeated = self.timeouts = 0
        self.done_at: float | None = None  #: seconds, when the last acknowledgement came

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        """An acknowledgement."""
        _, number, _ = _HEAD.unpack_from(data)
        if number not in self._under_way:
            return  # it came twice
        del self._under_way[number]
        self._passed.pop(number, None)
        if self.congestion:
            self.congestion.acknowledged(now)
            self._look_for_holes(self._turn[number], now)
        if not self._under_way and not self._again and self._next > self.count:
            self.done_at = now

    def _look_for_holes(self, turn: int, now: float) -> None:
        """Count for each packet how many that were sent after it have arrived."""
        assert self.congestion is not None
        for number in list(self._under_way):
            if self._turn[number] < turn:
                self._passed[number] = self._passed.get(number, 0) + 1
                if self._passed[number] >= _LATER:
                    self._lost(number)
                    if number > self._flight:
                        self._flight = self._next - 1
                        self.congestion.lost(now, silence=False)

    def _lost(self, number: int) -> None:
        del self._under_way[number]
        self._passed.pop(number, None)
        self._again.append(number)

    def handle_timer(self, *, now: float) -> None:
        """Some packets had no answer in time."""
        late = [number for number, sent in self._under_way.items() if now >= sent + self._timeout]
        for number in late:
            self._lost(number)
        self.timeouts += bool(late)
        if late and self.congestion and max(late) > self._flight:
            self._flight = self._next - 1
            self.congestion.lost(now, silence=True)

    def datagrams_to_send(self, *, now: float) -> list[bytes]:
        """What the window allows, repetitions first."""
        out = []
        while len(self._under_way) < (int(self.congestion.window) if self.congestion else self._window):
            if self._again:
                number = self._again.pop(0)
            elif self._next <= self.count:
                number, self._next = self._next, self._next + 1
            else:
                break
            self._tries[number] = self._tries.get(number, 0) + 1
            self.repeated += self._tries[number] > 1
            self.sent += 1
            self._under_way[number], self._turn[number] = now, self.sent
            out.append(_HEAD.pack(b"D", number, min(self._tries[number], 255)).ljust(SIZE, b"\0"))
        return out

    def next_timer(self) -> float | None:
        """When the oldest packet has waited long enough."""
        return min(self._under_way.values()) + self._timeout if self._under_way else None


class Receiver:
    """Acknowledges every packet, and notes when each came first."""

    def __init__(self) -> None:
        self.arrivals: dict[int, float] = {}  #: number -> seconds
        self._answers: list[bytes] = []
        self.extra = 0  #: packets that had come before

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        """A packet."""
        _, number, tries = _HEAD.unpack_from(data)
        self.extra += number in self.arrivals
        self.arrivals.setdefault(number, now)
        self._answers.append(_HEAD.pack(b"A", number, tries))

    def datagrams_to_send(self, *, now: float) -> list[bytes]:  # noqa: ARG002 - the endpoint's promise
        """The acknowledgements."""
        answers, self._answers = self._answers, []
        return answers

    def next_timer(self) -> None:
        """It never wants to be woken."""

    def handle_timer(self, *, now: float) -> None:
        """Never called."""


@dataclass(frozen=True)
class Transfer:
    """How a transfer went."""

    seconds: float  #: of virtual time, until the last packet was acknowledged
    sent: int  #: data packets, repetitions included
    repeated: int
    needless: int  #: packets that came to the receiver though it had them
    timeouts: int
    arrivals: dict[int, float]  #: number -> when it came first, seconds
    packets: list[Packet]
    history: list[tuple[float, float]]  #: (seconds, congestion window in packets)


def transfer(
    count: int,
    *,
    up: Profile | None = None,
    down: Profile | None = None,
    window: int = 1,
    timeout: float = 0.2,
    congestion: Congestion | None = None,
    seed: int = 1,
    within: float = 600.0,
) -> Transfer:
    """Carry `count` packets from a sender to a receiver. The same arguments give the same run."""
    sender, receiver = Sender(count, window=window, timeout=timeout, congestion=congestion), Receiver()
    simulation = Simulation({"sender": sender, "receiver": receiver}, up=up, down=down, seed=seed)
    simulation.run_until(lambda: sender.done_at is not None, within=within)
    return Transfer(
        sender.done_at if sender.done_at is not None else simulation.now,
        sender.sent,
        sender.repeated,
        receiver.extra,
        sender.timeouts,
        receiver.arrivals,
        simulation.packets,
        congestion.history if congestion else [],
    )


def describe(packet: Packet) -> str:
    """A packet in words, for a ladder."""
    kind, number, tries = _HEAD.unpack_from(packet.data)
    if kind == b"A":
        return f"ack {number}"
    return f"packet {number}" if tries == 1 else f"packet {number}, try {tries}"
