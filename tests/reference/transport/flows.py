"""Bulk flows of the reference over a bottleneck of 4 Mbit/s and 40 ms with a queue of one bandwidth-delay product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.link.profile import Profile
from harness.link.simulator import Simulation
from harness.transport.simulation.multiplex import SharedEndpoint
from tests.reference.transport.pairs import Application, Connection

RATE, DELAY = 4_000_000, 0.02  #: bits per second, seconds each way
#: What the link carries of payload: 1,200 of 1,262 bytes.
CEILING = RATE / 8 * 1200 / 1262
#: Packets on 20 ms of way and in 40 ms of queue.
LIMIT = 24


@dataclass(frozen=True)
class Result:
    """What came of it."""

    shares: list[float]  #: of the ceiling, of each flow, in the second half of the time
    queued: float  #: seconds that a packet spent in the queue then, on average
    simulation: Simulation


def link(**changes: Any) -> Profile:
    return Profile(**{"delay": DELAY, "rate": RATE, "limit": LIMIT} | changes)


def carry(*controllers: str | None, seconds: float, seed: int = 1, apart: float = 0.0, **changes: Any) -> Result:
    """As much as they can in so many seconds; each flow begins `apart` seconds after the one before."""
    ends = [
        [Connection(role, isn=7, receive_buffer=1 << 20, controller=each) for role in ("client", "server")]
        for each in controllers
    ]
    clients = [Late(client, number * apart) for number, (client, _) in enumerate(ends)]
    servers = [Application(server, b"") for _, server in ends]
    for server in servers:
        server.ended = True  # nothing to send, and no end
    simulation = Simulation(
        {"clients": SharedEndpoint(clients), "servers": SharedEndpoint(servers)},
        up=link(),
        down=Profile(delay=DELAY),
        seed=seed,
    )
    if changes:
        simulation.at(0.1, lambda _: simulation.set_links(up=link(**changes)))
    simulation.run(until=seconds / 2)
    before = [len(server.got) for server in servers]
    simulation.run(until=seconds)
    late = [p for p in simulation.packets if p.direction == "up" and p.arrived and p.sent > seconds / 2]
    waits = [p.arrived - p.sent - DELAY for p in late if p.arrived]
    came = [len(server.got) - count for server, count in zip(servers, before, strict=True)]
    shares = [count / (seconds / 2) / CEILING for count in came]
    return Result(shares, sum(waits) / len(waits), simulation)


def jain(shares: list[float]) -> float:
    """The index of Jain, Chiu and Hawe: 1 if all have the same, 1/n if one has it all."""
    return sum(shares) ** 2 / len(shares) / sum(share**2 for share in shares)


class Late(Application):
    """Sends for ever, but says nothing before its time."""

    def __init__(self, connection: Any, start: float) -> None:
        super().__init__(connection, b"")
        self.ended = True
        self._start, self._begun = start, False

    def act(self, now: float) -> None:  # noqa: ARG002
        while self.connection.send(bytes(65536)) == 65536:
            pass
        while self.connection.next_event() is not None:
            pass

    def datagrams_to_send(self, *, now: float) -> list[bytes]:
        self._begun = self._begun or now >= self._start
        return super().datagrams_to_send(now=now) if self._begun else []

    def next_timer(self) -> float | None:
        return super().next_timer() if self._begun else self._start

    def handle_timer(self, *, now: float) -> None:
        if self._begun:
            super().handle_timer(now=now)
        self._begun = True
