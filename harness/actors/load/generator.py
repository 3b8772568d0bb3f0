"""What runs in the load generator's own thread: who connects, who speaks when, what was measured. asyncio.

Rule: nothing here judges or waits for ever; it collects faults and figures, and `load` judges them.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from harness.actors.load.clients import Bystander, Client, Exchange, Faults, GreedyClient, Place
from harness.errors import cause_of
from harness.lab.interface import OURS

#: Makes a socket for one more client: with a place to connect it to, or None if it is connected.
Connect = Callable[[], tuple[socket.socket, Place | None]]

#: Clients that are closed between two pauses, so that the other side's queues do not overflow.
CLOSED_AT_ONCE = 200
#: Seconds between two ticks of the generator's timer.
TICK = 0.005
#: Seconds of lag after which missed turns are dropped, or a late generator would send bursts.
_TOO_FAR_BEHIND = 0.25


@dataclass
class Figures:
    """What one interval of load gave, unjudged. Times in seconds."""

    seconds: float = 0.0
    answered: list[float] = field(default_factory=list)  #: of the active clients
    bystander: list[float] = field(default_factory=list)
    lateness: list[float] = field(default_factory=list)  #: of our own timer
    skipped: int = 0
    unanswered: int = 0  #: exchanges that were never answered
    greedy_bytes: int = 0


@dataclass
class TrafficPlan:
    """Who speaks, and how often."""

    seconds: float
    active: Sequence[Client]
    bystanders: Sequence[Bystander]
    rate: float  #: exchanges a second of each active client
    bystander_rate: float
    greedy: Sequence[GreedyClient]
    patience: float  #: seconds after the end within which every answer has to be there


class Schedule:
    """Says whose turn it is, evenly spread."""

    def __init__(self, clients: Sequence[Client], rate: float) -> None:
        self._clients = clients
        self._apart = 1.0 / (rate * len(clients)) if clients and rate > 0 else 0.0
        self._next = time.monotonic()
        self._index = 0

    def due(self, now: float) -> Iterable[Client]:
        """The clients whose turn has come by now."""
        if not self._apart:
            return
        if now - self._next > _TOO_FAR_BEHIND:
            self._next = now
        while self._next <= now:
            self._next += self._apart
            self._index = (self._index + 1) % len(self._clients)
            yield self._clients[self._index]


class Generator:
    """The clients and their thread's work. Its coroutines run in the loop's thread only."""

    def __init__(self, loop: asyncio.AbstractEventLoop, connect: Connect, exchange: Exchange) -> None:
        self.loop = loop
        self.faults = Faults()
        self.clients: list[Client] = []
        self._connect = connect
        self._exchange = exchange

    # -- all clients, once each ----------------------------------------------------------------------------------

    async def connects(self, clients: Sequence[Client], *, window: int, deadline: float) -> int:
        """Connect and prove each, `window` under way at once; returns how many are not proven at the deadline."""
        self.clients.extend(clients)
        return await self._each(
            clients,
            lambda client, done: self._join(client, lambda ready: ready.says(self._exchange, done)),
            window,
            deadline,
        )

    async def joins(self, clients: Sequence[Client], *, deadline: float) -> int:
        """Connect each and prove nothing; returns how many are not connected at the deadline."""
        return await self._each(
            clients, lambda client, done: self._join(client, lambda ready: done(ready, 0.0)), len(clients), deadline
        )

    def _join(self, client: Client, ready: Callable[[Client], None]) -> None:
        try:
            sock, place = self._connect()
        except OSError as error:
            if error.errno in OURS:
                self.faults.ours = f"no further connection can be made by the tester: {cause_of(error)}"
            self.faults.add(client.number, f"the connection was not made ({error.strerror or error})")
            return
        if place is None:
            client.takes(sock, ready)
        else:
            client.connects(sock, place, ready)

    async def exchanges(self, clients: Sequence[Client], *, window: int, deadline: float) -> int:
        """One more exchange on each; returns how many have none at the deadline."""
        return await self._each(clients, lambda client, done: client.says(self._exchange, done), window, deadline)

    async def _each(
        self,
        clients: Sequence[Client],
        begin: Callable[[Client, Callable[[Client, float], None]], None],
        window: int,
        deadline: float,
    ) -> int:
        waiting = deque(clients)
        missing = len(clients)
        over = asyncio.Event()

        def done(_client: Client, _seconds: float) -> None:
            nonlocal missing
            missing -= 1
            if waiting:
                begin(waiting.popleft(), done)
            elif not missing:
                over.set()

        for _ in range(min(window, len(waiting))):
            if waiting:  # one that is done at once has already begun the next
                begin(waiting.popleft(), done)
        while missing and not self.faults.count and time.monotonic() < deadline:
            try:
                await asyncio.wait_for(over.wait(), 0.02)
            except TimeoutError:
                continue
        return missing

    # -- traffic -------------------------------------------------------------------------------------------------

    async def drives(self, plan: TrafficPlan) -> Figures:
        """Let the active clients speak for some seconds, each at its rate."""
        figures = Figures()
        active, bystanders = Schedule(plan.active, plan.rate), Schedule(plan.bystanders, plan.bystander_rate)
        for greedy in plan.greedy:
            greedy.starts()
        began = ring = time.monotonic()
        while (now := time.monotonic()) < began + plan.seconds and not self.faults.count:
            figures.lateness.append(now - ring)
            self._speak(active.due(now), bystanders.due(now), figures)
            ring = max(ring + TICK, now)
            await asyncio.sleep(max(0.0, ring - time.monotonic()))
        figures.seconds = time.monotonic() - began
        for greedy in plan.greedy:
            figures.greedy_bytes += greedy.sent
            greedy.leaves(reset=True)
        await self._hear_the_rest([*plan.active, *plan.bystanders], plan.patience)
        figures.unanswered = sum(client.busy for client in (*plan.active, *plan.bystanders))
        return figures

    def _speak(self, active: Iterable[Client], bystanders: Iterable[Client], figures: Figures) -> None:
        def answered(_client: Client, seconds: float) -> None:
            figures.answered.append(seconds)

        def bystander_answered(client: Client, seconds: float) -> None:
            assert isinstance(client, Bystander)
            figures.bystander.append(seconds)
            # Turns that were due meanwhile waited as well, or one long wait would count no more than one short one.
            figures.bystander.extend(client.said_at + seconds - due for due in client.dues)
            client.dues.clear()

        for client in bystanders:
            assert isinstance(client, Bystander)
            if client.busy:
                client.dues.append(client.now())
            elif client.open:
                client.says(self._exchange, bystander_answered)
        for client in active:
            if client.busy:
                figures.skipped += 1
            elif client.open:
                client.says(self._exchange, answered)

    async def _hear_the_rest(self, clients: Sequence[Client], patience: float) -> None:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and not self.faults.count:
            if not any(client.busy for client in clients):
                return
            await asyncio.sleep(0.01)

    # -- the end -------------------------------------------------------------------------------------------------

    async def leaves(self, clients: Sequence[Client], *, reset: bool, paced: bool) -> None:
        """Close the connections of these clients, with pauses or all at once."""
        for number, client in enumerate(clients):
            client.leaves(reset=reset)
            if paced and number % CLOSED_AT_ONCE == CLOSED_AT_ONCE - 1:
                await asyncio.sleep(0.005)
