"""Two connections of a submission on one bottleneck, in virtual time: rule 7.4.

Both send as much as they can; the second one begins later. What each has delivered is compared when both have settled.
"""

from __future__ import annotations

import random

from harness.actors.story import Broken
from harness.link.profile import Profile
from harness.link.simulator import BadEndpoint, Endless, Simulation
from harness.transport.checks.simulation import Transport
from harness.transport.segments import MODULUS
from harness.transport.simulation.applications import Application, Party
from harness.transport.simulation.multiplex import SharedEndpoint
from harness.transport.simulation.scenarios import App, Role

#: Bits per second, seconds of round trip, packets of queue: the queue holds a little more than the path.
RATE, ROUND_TRIP, QUEUE = 1_500_000, 0.06, 24
#: Seconds of virtual time: when the second flow begins, when counting begins, and when it ends.
SECOND, FROM, UNTIL = 3.0, 8.0, 48.0
#: Jain's index that has to be reached, and the share of the link that both use together.
FAIR, USED = 0.9, 0.66


class Sharing:
    """Two flows and what came of them."""

    def __init__(self, transport: Transport, *, model: bool = False) -> None:
        self._transport = transport
        self._model = model

    def is_fair(self) -> None:
        """Both have fair shares, and together they use the link. Raises Broken, CannotStart."""
        flows = self._run()
        amounts = [_between(receiver) for _, receiver in flows]
        index = jain(amounts)
        used = 8 * sum(amounts) / (UNTIL - FROM) / RATE
        shares = " and ".join(f"{amount * 8 / (UNTIL - FROM) / 1e6:.2f} Mbit/s" for amount in amounts)
        self._require_movement(flows, amounts)
        self._transport.story.add("tester", f"finds {shares} on {RATE / 1e6:g} Mbit/s: Jain's index {index:.3f}")
        if index < FAIR:
            raise Broken(
                "two connections do not share a link fairly",
                expected=f"Jain's index of {FAIR} or more",
                seen=f"{index:.3f}: {shares}",
            )
        if used < USED:
            raise Broken(
                "two connections together leave a link empty",
                expected=f"{USED:.0%} of {RATE / 1e6:g} Mbit/s or more",
                seen=f"{used:.0%}: {shares}",
            )

    @staticmethod
    def _require_movement(flows: list[tuple[Application, Application]], amounts: list[int]) -> None:
        """Raise Broken if one of them moved nothing: then there is nothing to be shared."""
        idle = [number for number, amount in enumerate(amounts) if not amount]
        if not idle:
            return
        if len(idle) == len(amounts):
            who = "neither of two connections on one link delivered"
        else:
            who = f"the {('first', 'second')[idle[0]]} of two connections on one link did not deliver"
        sender, receiver = flows[idle[0]]
        raise Broken(
            f"{who} a byte from {FROM:g} to {UNTIL:g} s of virtual time",
            expected="both move",
            seen=f"{len(receiver.received):,} bytes read in all; the sender told {_told(sender)}, "
            f"the receiver {_told(receiver)}",
        )

    def _run(self) -> list[tuple[Application, Application]]:
        """The applications of each flow, sender and receiver, after the run. Raises Broken."""
        dice = random.Random(self._transport.seed)
        size = int(RATE / 8 * UNTIL)
        plans = [App(sends=size, ends="never"), App(sends=size, ends="never", starts=SECOND)]
        self._transport.processes.meter.begin(lambda: 0.0, 10.0)
        senders = [self._party("client", plan, dice) for plan in plans]
        receivers = [self._party("server", App(ends="never"), dice) for _ in plans]
        simulation = Simulation(
            {"the senders": SharedEndpoint(senders), "the receivers": SharedEndpoint(receivers)},
            up=Profile(delay=ROUND_TRIP / 2, rate=RATE, limit=QUEUE + 8),
            down=Profile(delay=ROUND_TRIP / 2),
            seed=dice.getrandbits(32),
            most_events=1_000_000,
        )
        try:
            simulation.run(until=UNTIL)
        except (BadEndpoint, Endless) as error:
            raise Broken(str(error)) from None
        self._transport.processes.meter.end()
        return [(one.application, other.application) for one, other in zip(senders, receivers, strict=True)]

    def _party(self, role: Role, plan: App, dice: random.Random) -> Party:
        which = 0 if role == "client" else 1
        player = self._transport.connection(
            role, isn=dice.randrange(MODULUS), which=which, model=self._model, receive_buffer=262_144
        )
        return Party(role, player, Application(plan, dice.randbytes(plan.sends)))


def _told(application: Application) -> str:
    """What a connection told its application, for messages."""
    return ", ".join(f"{word!r} at {at:.3f} s" for at, word in application.events[:4]) or "nothing"


def _between(application: Application) -> int:
    """Bytes that arrived while they were counted."""
    before = max((count for at, count in application.arrivals if at <= FROM), default=0)
    after = max((count for at, count in application.arrivals if at <= UNTIL), default=0)
    return after - before


def jain(amounts: list[int]) -> float:
    """Jain's fairness index: 1 for equal shares, 1/n if one has all (Jain, Chiu, Hawe: DEC-TR-301, 1984).

    >>> jain([5, 5]), jain([1, 0])
    (1.0, 0.5)
    """
    squares = sum(amount * amount for amount in amounts)
    return sum(amounts) ** 2 / (len(amounts) * squares) if squares else 0.0
