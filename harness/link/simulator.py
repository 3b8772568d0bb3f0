"""Virtual time: two sans-IO endpoints, a `Link` each way between them, and nothing else. Pure.

Rule 1: no clock, no socket, no thread, no global random: the same endpoints, profiles and seed give the same trace.
Rule 2: integer nanoseconds inside, seconds (float) at the endpoints, which never ask for the time: they are told.
Rule 3: what happens at one instant happens in this order: scheduled actions, arrivals, timers.

    simulation = Simulation({"sender": sender, "receiver": receiver}, up=Profile(delay=0.02, loss=0.1), seed=7)
    sender.send(b"...")                  # the application's verbs are called by whoever runs the simulation
    simulation.run()                     # until nothing is under way and no timer is set
    print(ladder_text(simulation.packets))
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import heappop, heappush
from typing import Protocol

from harness.link.model import SECOND, UDP_FRAMING, Delivery, Fate, Link, direction_seeds
from harness.link.profile import Profile
from harness.link.trace import Direction, Event, Packet


class Endpoint(Protocol):
    """What a sans-IO transport has to offer, besides its calls for the application."""

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        """A datagram arrived."""

    def datagrams_to_send(self, *, now: float) -> Iterable[bytes]:
        """What to send now, in order; called after everything that may have changed it."""

    def next_timer(self) -> float | None:
        """When `handle_timer` wants to be called: absolute seconds, None for never."""

    def handle_timer(self, *, now: float) -> None:
        """The time of `next_timer` has come; afterwards it has to be later than `now`."""


class Carrier(Protocol):
    """Carries the packets of one direction: a `Link`, or a wrapper that does more to them."""

    @property
    def why(self) -> str:
        """Why the last lost packet was lost."""

    def transmit(self, packet: bytes, *, now: int) -> list[Delivery[bytes]]:
        """Send a packet; what comes out, as from `Link.transmit`."""


class BadEndpoint(Exception):
    """An endpoint broke the promise of `Endpoint`; the message names it, the time, and what was expected."""

    def __init__(self, name: str, what: str) -> None:
        """`name`: which of the two it was."""
        super().__init__(f"{name}: {what}")
        self.name = name


class Endless(Exception):
    """The bound on events or bytes was reached; the message says what time it was and who sent how much."""


#: Bytes that both endpoints together may send: all of them are kept.
MOST_BYTES = 100_000_000


class _Side:
    """One endpoint and the link out of it."""

    def __init__(self, name: str, endpoint: Endpoint, direction: Direction) -> None:
        self.name = name
        self.endpoint = endpoint
        self.direction: Direction = direction
        self.link = Link(Profile(), seed=0)
        self.carrier: Carrier = self.link
        self.timer: int | None = None  # nanoseconds
        self.sent = 0  # datagrams


#: What is kept of a packet: number, sent, due (None: never), direction, as sent, as it arrives, fate, why lost.
_Row = tuple[int, int, int | None, Direction, bytes, bytes, Fate, str]


class Simulation:
    """The first endpoint is the student's side and sends up, the second sends down."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        *,
        up: Profile | None = None,
        down: Profile | None = None,
        seed: int = 0,
        most_events: int = 1_000_000,
        describe: Callable[[bytes], str] | None = None,
        drop_if: Mapping[Direction, Callable[[int, bytes], bool]] | None = None,
        around: Callable[[Direction, Link], Carrier] | None = None,
    ) -> None:
        """`endpoints`: two, by the names that errors use. None for a profile: that direction changes nothing.

        `most_events`: bound on packets sent, packets arrived, timers and actions together; beyond it `run` raises
        Endless. `describe`: what the trace calls a datagram, "udp" by default. `drop_if`: by direction, which
        datagrams to lose besides those that the profile loses, by number and content, as in `Link`. `around`
        wraps each link when it is set, so that more can be done to its packets.
        """
        if len(endpoints) != 2:
            raise ValueError(f"a simulation has two endpoints, not {len(endpoints)}")
        (first, one), (second, other) = endpoints.items()
        self._sides = (_Side(first, one, "up"), _Side(second, other, "down"))
        self._seed = seed
        self._most, self._count = most_events, 0
        self._describe = describe
        self._drop_if = dict(drop_if or {})
        self._around: Callable[[Direction, Link], Carrier] = around or (lambda _, link: link)
        self._now = 0
        self._number = 0  # breaks ties in the heaps: first come, first served
        self._under_way: list[tuple[int, int, _Side, bytes]] = []  # due, tie, who receives, what
        self._actions: list[tuple[int, int, Callable[[float], None]]] = []
        self._rows: list[_Row] = []
        self._sent = self._bytes = 0  # datagrams and their bytes, both sides together
        self.set_links(up=up or Profile(), down=down or Profile())

    # -- for the caller ------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return self._now / SECOND

    @property
    def events(self) -> list[Event]:
        """Every packet sent so far, copies included, in the order of sending: when, when it arrives, or why not."""
        describe = self._describe or (lambda _: "udp")
        return [
            Event(p.sent, p.arrived, p.direction, describe(p.data), len(p.data), p.fate, p.why) for p in self.packets
        ]

    @property
    def packets(self) -> list[Packet]:
        """The same with the bytes, as they were sent and as they arrived."""
        return [
            Packet(n, at / SECOND, None if due is None else due / SECOND, way, data, delivered, fate, why)
            for n, at, due, way, data, delivered, fate, why in self._rows
        ]

    @property
    def links(self) -> dict[Direction, Link]:
        """The current links, with their counters."""
        return {side.direction: side.link for side in self._sides}

    def set_links(self, *, up: Profile | None = None, down: Profile | None = None, seed: int | None = None) -> None:
        """New profiles from now on; None leaves a direction as it is. What is under way keeps its time.

        The new link starts afresh, with `seed` or the simulation's: counters, draws, queue, and the seconds and
        numbers that `blackout` and `drop` count.
        """
        seeds = direction_seeds(self._seed if seed is None else seed)
        for side, profile, own_seed in zip(self._sides, (up, down), seeds, strict=True):
            if profile is not None:
                side.link = Link(
                    profile,
                    seed=own_seed,
                    start=self._now,
                    framing=UDP_FRAMING,
                    drop_if=self._drop_if.get(side.direction),
                )
                side.carrier = self._around(side.direction, side.link)

    def at(self, seconds: float, action: Callable[[float], None]) -> None:
        """Call `action(now)` at that time, or now if it is past: send, close, change the links."""
        self._number += 1
        heappush(self._actions, (max(self._now, _nanoseconds(seconds)), self._number, action))

    def run(self, until: float | None = None) -> None:
        """Go on until nothing is left to happen, or until that time, events at that very time included.

        Raises BadEndpoint, Endless, and what endpoints and actions raise.
        """
        horizon = None if until is None else _nanoseconds(until)
        self._settle_both()
        while self._step(horizon):
            pass
        if horizon is not None:
            self._now = max(self._now, horizon)

    def run_until(self, condition: Callable[[], bool], *, within: float | None = None) -> bool:
        """Go on until the condition holds, checking after every event; returns whether it holds in the end.

        It gives up if nothing is left to happen or `within` seconds have passed. Raises as `run` does.
        """
        horizon = None if within is None else self._now + _nanoseconds(within)
        self._settle_both()
        while not condition():
            if not self._step(horizon):
                if horizon is not None:
                    self._now = max(self._now, horizon)
                return False
        return True

    # -- events --------------------------------------------------------------------------------------------------

    def _step(self, horizon: int | None) -> bool:
        """Do what is next; False if there is nothing, or nothing up to the horizon."""
        one, other = self._sides
        waiting = one if other.timer is None or (one.timer is not None and one.timer <= other.timer) else other
        due, kind = waiting.timer, 2
        if self._under_way and (due is None or self._under_way[0][0] <= due):
            due, kind = self._under_way[0][0], 1
        if self._actions and (due is None or self._actions[0][0] <= due):
            due, kind = self._actions[0][0], 0
        if due is None or (horizon is not None and due > horizon):
            return False
        self._now = max(self._now, due)
        self._count_one()
        if kind == 0:
            heappop(self._actions)[2](self.now)
            self._settle_both()
        elif kind == 1:
            _, _, side, data = heappop(self._under_way)
            side.endpoint.receive_datagram(data, now=self.now)
            self._settle(side)
        else:
            self._fire(waiting)
        return True

    def _fire(self, side: _Side) -> None:
        side.endpoint.handle_timer(now=self.now)
        self._settle(side)
        if side.timer is not None and side.timer <= self._now:
            raise BadEndpoint(
                side.name,
                f"at {self.now:.6f} s handle_timer was called, and next_timer() still answers "
                f"{side.endpoint.next_timer()!r}, which is not later: time would stand still",
            )

    def _settle_both(self) -> None:
        for side in self._sides:
            self._settle(side)

    def _settle(self, side: _Side) -> None:
        """Something happened to an endpoint: send what it has to send, and learn its timer."""
        for data in self._asked(side):
            self._count_one()
            self._send(side, data)
        timer = side.endpoint.next_timer()
        if timer is None:
            side.timer = None
        elif isinstance(timer, int | float) and math.isfinite(timer):
            side.timer = _nanoseconds(timer)
        else:
            raise BadEndpoint(
                side.name,
                f"at {self.now:.6f} s next_timer() answered {timer!r}: "
                "it has to be a time in seconds, or None for never",
            )

    def _asked(self, side: _Side) -> Iterator[bytes]:
        """What the endpoint sends."""
        where = f"at {self.now:.6f} s datagrams_to_send gave"
        found = side.endpoint.datagrams_to_send(now=self.now)
        if not isinstance(found, Iterable):
            raise BadEndpoint(side.name, f"{where} {found!r} instead of a list of bytes")
        for data in found:
            if not isinstance(data, bytes | bytearray | memoryview):
                raise BadEndpoint(side.name, f"{where} {data!r} instead of bytes")
            yield bytes(data)

    def _send(self, side: _Side, data: bytes) -> None:
        now, direction = self._now, side.direction
        side.sent += 1
        self._sent += 1
        self._bytes += len(data)
        if self._bytes > MOST_BYTES:
            raise Endless(f"{self._in_words()}, and more than {MOST_BYTES:,} bytes together")
        number = self._sent
        out = side.carrier.transmit(data, now=now)
        if not out:
            why = side.carrier.why
            fate: Fate = "overflowed" if why == "limit" else "lost"
            self._rows.append((number, now, None, direction, data, b"", fate, why))
        receiver = self._sides[1] if side is self._sides[0] else self._sides[0]
        for due, packet, fate in out:
            due = max(due, now)  # jitter exceeded the delay: at once
            self._rows.append((number, now, due, direction, data, packet, fate, ""))
            self._number += 1
            heappush(self._under_way, (due, self._number, receiver, packet))

    def _count_one(self) -> None:
        self._count += 1
        if self._count > self._most:
            raise Endless(
                f"{self._most} events and no end; {self._in_words()}. "
                "Either they answer each other for ever, or most_events is too small"
            )

    def _in_words(self) -> str:
        one, other = self._sides
        sent = f"{one.name} sent {one.sent} datagrams, {other.name} {other.sent}"
        return f"it is {self.now:.6f} s. {sent}"


def _nanoseconds(seconds: float) -> int:
    """The first nanosecond that is not before that time when converted back to seconds."""
    found = math.ceil(seconds * SECOND)
    return found if found / SECOND >= seconds else found + 1
