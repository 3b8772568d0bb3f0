"""Several scenarios in one check: who plays which side, and what has to hold besides whole streams.

Rule 1: with the reference at hand a submission plays the client, the server, and both; without it, both.
Rule 2: speed is compared with the reference in the same scenario and seed, in virtual time, never with a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from harness.actors.story import Broken
from harness.transport.checks.simulation import SimulationCheck, Transport
from harness.transport.simulation.catalogue import scenario as by_name
from harness.transport.simulation.repairs import look_at_repairs
from harness.transport.simulation.scenarios import ROLES, Role, Scenario

if TYPE_CHECKING:
    from harness.transport.simulation.world import SimulationOutcome

#: The share of what was under way that a repair may repeat: a quarter (rule 6.4).
MOST_REPEATED = 0.25
#: Of the bytes that a link counts, those that are payload: 1,200 of 1,262 with our header, UDP, IPv4 and Ethernet.
PAYLOAD_SHARE = 1200 / (1200 + 20 + 8 + 20 + 14)


class Series:
    """Scenarios by name, for every available pair of players."""

    def __init__(
        self, transport: Transport, names: Sequence[str | Scenario], *, alone: bool, model: bool = False
    ) -> None:
        """`alone`: the submission plays both sides, as in public checks. Raises LabError without a reference."""
        self._transport = transport
        rows = [by_name(name) if isinstance(name, str) else name for name in names]
        self._checks: list[SimulationCheck] = []
        for row in rows:
            if not alone:
                for role in ROLES:
                    # With the extension's controller the sender matters: the reference's is there to learn from.
                    if role in row.watched and (row.app(role).sends or not model):
                        self._checks.append(
                            SimulationCheck(transport, row, student=role, peer="reference", model=model)
                        )
            self._checks.append(SimulationCheck(transport, row, student="both", peer="itself", model=model))

    def complete(self, *, seeds: int | None = None) -> None:
        """Each of them completes. Raises Broken."""
        for check in self._checks:
            check.completes(seeds=seeds)

    def keep_pace(self, share: float) -> None:
        """Each completes, and the last byte arrives at `share` of the reference's speed at least. Raises Broken."""
        for check in self._checks:
            outcome, best = check.completes(seeds=1), check.by_reference()
            for role in _readers(outcome):
                took, needed = outcome.finished(role), best.finished(role)
                if took * share > needed:
                    raise Broken(
                        f"{check.scenario.name!r} takes too long: {took:.2f} s of virtual time until the {role} has "
                        f"all bytes, the course's own takes {needed:.2f} s",
                        expected=f"at most {needed / share:.2f} s",
                        seen=f"{took:.2f} s",
                    )
                self._transport.story.add(
                    "tester", f"finds {took:.2f} s of virtual time; the course's own takes {needed:.2f} s"
                )

    def fill(self, share: float, *, queue: float | None = None) -> None:
        """Each completes, with `share` of what the first bottleneck can carry at least. Raises Broken.

        That is its final rate less headers, times 1 - loss. `queue`: how long packets may wait in it
        on average in the second half of the transfer, in seconds.
        """
        self._each(lambda check, outcome: self._look_at_speed(check.scenario, outcome, share, queue))

    def _look_at_speed(self, row: Scenario, outcome: SimulationOutcome, share: float, queue: float | None) -> None:
        links = [change.to_server for change in row.changes if change.to_server is not None]
        link, size = links[-1] if links else row.profile("client"), row.client.sends
        ceiling = link.rate * (1 - link.loss) * PAYLOAD_SHARE
        reached = 8 * size / outcome.finished("server") / ceiling
        told = f"{reached:.2f} of the {ceiling / 1e6:.2f} Mbit/s that the link can carry"
        if reached < share:
            raise Broken(f"{row.name!r}: it uses {told}", expected=f"{share:.2f} or more", seen=f"{reached:.2f}")
        half = outcome.finished("server") / 2
        waits = [
            packet.arrived - packet.sent - link.delay
            for packet in outcome.packets_of("client")
            if packet.arrived is not None and packet.sent > half
        ]
        mean = sum(waits) / max(1, len(waits))
        self._transport.story.add("tester", f"finds {told}, and {mean * 1000:.0f} ms in the queue on average")
        if queue is not None and mean > queue:
            raise Broken(
                f"{row.name!r}: it keeps the queue full",
                expected=f"at most {queue * 1000:.0f} ms of waiting on average",
                seen=f"{mean * 1000:.0f} ms",
            )

    def repair(self) -> None:
        """Each completes, and what is lost is sent again at once, with little else. Raises Broken."""
        self._each(lambda check, outcome: self._look(check, outcome))

    def _each(self, look: Callable[[SimulationCheck, SimulationOutcome], None]) -> None:
        for check in self._checks:
            look(check, check.completes(seeds=1))

    def _look(self, check: SimulationCheck, outcome: SimulationOutcome) -> None:
        for sender in (other for other in ROLES if check.scenario.app(other).sends):
            repairs = look_at_repairs(outcome, sender)
            ours = sender in check.students
            who = f"the {sender}" if ours else f"the course's own sender, with this {_other(sender)} as its peer,"
            for repair in repairs.holes:
                if repair.latest is None or repair.again is None or repair.again > repair.latest + 1e-6:
                    when = "never" if repair.again is None else f"at {repair.again:.3f} s"
                    due = (
                        "there were not three segments behind it that could have told"
                        if repair.latest is None
                        else f"the third acknowledgement that told of it had come at {repair.latest:.3f} s"
                    )
                    raise Broken(
                        f"{check.scenario.name!r}: {who} sent the lost segment (bytes {repair.left:,} to "
                        f"{repair.right:,}) again {when}; {due}",
                        expected="a repetition without waiting for the timeout",
                        seen=when,
                    )
            if repairs.repeated > repairs.lost + MOST_REPEATED * max(repairs.under_way, 1):
                raise Broken(
                    f"{check.scenario.name!r}: {who} sent {repairs.repeated:,} bytes again, {repairs.lost:,} were lost",
                    expected=f"at most a quarter of the {repairs.under_way:,} bytes under way besides",
                    seen=f"{repairs.repeated - repairs.lost:,} bytes",
                )
            self._transport.story.add("tester", f"finds {repairs.repeated:,} bytes sent again, all in time")


def _other(role: Role) -> Role:
    return "server" if role == "client" else "client"


def _readers(outcome: SimulationOutcome) -> list[Role]:
    return [role for role in ROLES if outcome.received[role]]
