"""The applications on both ends of a simulated connection, and the party that joins one to its connection. Pure.

Rule 1: an application knows its plan, the time, and what its connection reported; never the link or the other side.
Rule 2: everything that happens to a connection at one instant is one step, the same for a class in this process and
for one behind a guest: `harness.transport.calls.guest.take_step` has the order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.actors.story import Broken
from harness.transport.calls.guest import take_step
from harness.transport.calls.player import Player, StepResult
from harness.transport.simulation.scenarios import App, Role

#: Events after which a connection is over.
OVER = ("closed", "reset", "timed out")
#: Bytes offered to `send` at a time: at first, and when the buffer was full before.
OFFER, OFFER_AGAIN = 65_536, 8192
#: Most steps of one connection within one instant.
MOST_STEPS = 4000
#: Most bytes that a connection may send within one instant, and that it may hand to its application altogether.
MOST_AT_ONCE, MOST_READ = 32_000_000, 64_000_000


class LocalConnection:
    """A connection in this process: the reference, or a test's own."""

    def __init__(self, connection: Any, cpu: Callable[[], float] = lambda: 0.0) -> None:
        """`cpu`: processor seconds of this thread."""
        self.connection = connection
        self.cpu_seconds = 0.0  #: used by its steps so far
        self._cpu = cpu

    def step(self, **what: Any) -> StepResult:
        began = self._cpu()
        result = StepResult(*take_step(self.connection, **what))
        self.cpu_seconds += self._cpu() - began
        return result


@dataclass(slots=True)
class AppAction:
    """What an application does in one step."""

    send: bytes = b""
    end: bool = False
    abort: bool = False
    read: int = 0

    def __bool__(self) -> bool:
        return bool(self.send or self.end or self.abort or self.read)


class Application:
    """An application that follows its plan."""

    def __init__(self, plan: App, data: bytes) -> None:
        """`data`: what it sends, as many bytes as the plan says."""
        self.plan = plan
        self.received = bytearray()
        self.sent = 0  #: bytes that `send` took
        self.events: list[tuple[float, str]] = []
        self.arrivals: list[tuple[float, int]] = []  #: (when, bytes received by then)
        self.ended = self.aborted = False
        self._data = memoryview(data)
        self._offer = OFFER
        self._granted = plan.chunk if plan.every else 0  # bytes that the clock allows
        self._next_write = plan.every
        self._next_read = 0.0
        self._full = False  # the last offer was not taken whole
        self._unread = False  # the last read was as large as it could be
        self._dry = False  # the last read found nothing
        self._started = False  # it was asked after its time to start

    @property
    def heard(self) -> bool:
        """Whether the peer's stream has ended."""
        return any(word == "end of stream" for _, word in self.events)

    @property
    def over(self) -> str:
        """How the connection ended, "" while it did not."""
        return next((word for _, word in self.events if word in OVER), "")

    # -- its wishes --------------------------------------------------------------------------------------------

    def action(self, now: float, *, disturbed: bool) -> AppAction:
        """What it does now. `disturbed`: something else happened, so a step is taken anyway."""
        action = AppAction()
        self._started = now >= self.plan.starts
        if self._awake(now) and (disturbed or self._unread or self._wakes(now)):
            action.read = self.plan.reads
        if self.over or self.aborted:
            return action
        if self.plan.aborts is not None and now >= self.plan.aborts:
            action.abort = True
            return action
        allowed = min(self._allowed(now), len(self._data))
        if allowed > self.sent and (disturbed or not self._full):
            action.send = bytes(self._data[self.sent : min(self.sent + self._offer, allowed)])
        elif self.sent == len(self._data) and not self.ended:
            action.end = self.plan.ends == "sent" or (self.plan.ends == "heard" and self.heard)
        return action

    def _allowed(self, now: float) -> int:
        """How much of its data it may have sent by now."""
        plan, whole = self.plan, len(self._data)
        if now < plan.starts:
            return 0
        if plan.turn == "after the end":
            return whole if self.heard else 0
        if plan.turn == "asks":
            return plan.chunk * (1 + len(self.received) // plan.chunk)
        if plan.turn == "answers":
            return plan.chunk * (len(self.received) // plan.chunk)
        if not plan.every:
            return whole
        while now >= self._next_write and self._granted < whole:
            self._granted += plan.chunk
            self._next_write += plan.every
        return self._granted

    def _awake(self, now: float) -> bool:
        return now >= self._next_read and not self._asleep(now)

    def _asleep(self, at: float) -> bool:
        sleeps = self.plan.sleeps
        return sleeps is not None and sleeps[0] <= at < sleeps[1]

    def _wakes(self, now: float) -> bool:
        """Whether the time to read has just come."""
        sleeps = self.plan.sleeps
        if sleeps and now >= sleeps[1] and self._next_read < sleeps[1]:
            return True
        return bool(self.plan.reads_every) and now >= self._next_read > 0

    # -- what it is told ---------------------------------------------------------------------------------------

    def take_result(self, action: AppAction, result: StepResult, now: float) -> None:
        """Take note of the outcome of its wish."""
        self.events += [(now, word) for word in result.events]
        if action.send:
            self.sent += result.accepted
            self._full = result.accepted < len(action.send)
            self._offer = OFFER_AGAIN if self._full else min(2 * self._offer, OFFER)
        self.ended = self.ended or action.end
        self.aborted = self.aborted or action.abort
        if action.read:
            self._unread = len(result.read) == action.read and not self.plan.reads_every
            self._dry = not result.read
            self._next_read = now + self.plan.reads_every
        if result.read:
            self.received += result.read
            self.arrivals.append((now, len(self.received)))

    def next_timer(self) -> float | None:
        """When it next wants to act by itself."""
        plan, due = self.plan, []
        done = bool(self.over) or self.aborted
        if plan.starts and not self._started and not done:
            due.append(plan.starts)
        if plan.every and not done and self._granted < len(self._data):
            due.append(self._next_write)
        if plan.aborts is not None and not done:
            due.append(plan.aborts)
        if plan.sleeps and self._next_read < plan.sleeps[1]:
            due.append(plan.sleeps[1])
        finished = (self.heard or done) and self._dry
        # What would be read during its sleep is read when it wakes.
        if plan.reads_every and self._next_read and not (finished or self._asleep(self._next_read)):
            due.append(self._next_read)
        return min(due, default=None)


class Party:
    """One side of a simulation: an `harness.link.simulator.Endpoint`."""

    def __init__(self, role: Role, player: Player, application: Application) -> None:
        self.role = role
        self.application = application
        self.steps = 0
        self.broken = False  #: whether it was this side's call that was broken
        self._player = player
        self._arrived: list[bytes] = []
        self._fired = False
        self._begun = False
        self._timer: float | None = None

    def receive_datagram(self, data: bytes, *, now: float) -> None:  # noqa: ARG002 - passed on with the turn
        self._arrived.append(data)

    def handle_timer(self, *, now: float) -> None:
        """The time that has come may be the application's own."""
        self._fired = self._timer is not None and self._timer <= now

    def datagrams_to_send(self, *, now: float) -> list[bytes]:
        """Take as many steps as this instant needs. Raises Broken."""
        try:
            return self._turns(now)
        except Broken:
            self.broken = True
            raise

    def _turns(self, now: float) -> list[bytes]:
        out: list[bytes] = []
        total = 0
        for _ in range(MOST_STEPS):
            disturbed = bool(self._arrived) or self._fired or not self._begun
            action = self.application.action(now, disturbed=disturbed)
            if not disturbed and not action:
                return out
            arrived, self._arrived = self._arrived, []
            fired, self._fired, self._begun = self._fired, False, True
            result = self._player.step(
                now=now,
                receive=arrived,
                timer=fired,
                abort=action.abort,
                send=action.send,
                end=action.end,
                read=action.read,
            )
            self.steps += 1
            out += result.datagrams
            total += sum(map(len, result.datagrams))
            self._timer = result.timer
            self.application.take_result(action, result, now)
            if total > MOST_AT_ONCE:
                raise Broken(f"the {self.role} sends {total:,} bytes in one instant, at {now:.6f} s")
            if len(self.application.received) > MOST_READ:
                raise Broken(f"the {self.role} reads bytes for ever: {MOST_READ:,} of them at {now:.6f} s")
        raise Broken(
            f"the {self.role} takes and gives bytes for ever at {now:.6f} s: {MOST_STEPS} turns in one instant"
        )

    def next_timer(self) -> float | None:
        mine, other = self._timer, self.application.next_timer()
        if mine is None or other is None:
            return other if mine is None else mine
        return min(mine, other)
