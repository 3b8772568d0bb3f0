"""The words of a test for the transport: `lab.simulation`, `lab.scripted`, `lab.segments`, `lab.reassembler`.

Rule: words only; what they do is in harness/transport/checks/, and a lab of another assignment never loads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.lab.interface import LabError

if TYPE_CHECKING:
    from harness.transport.checks.fairness import Sharing
    from harness.transport.checks.series import Series
    from harness.transport.checks.simulation import Peer, Sides, SimulationCheck, Transport
    from harness.transport.checks.units import Answer, Segments
    from harness.transport.script.peer import ScriptedPeer
    from harness.transport.simulation.scenarios import Role, Scenario


class TransportWords:
    """Mixed into `harness.tester.scene.Scene`."""

    story: Any
    #: what drives the submission's connection; None where an assignment has no program `connection`
    transport: Transport | None = None

    simulated: object = None  #: the last simulation, the one that failed if one did: a Bundle

    def keep_simulation(self, run: object) -> None:
        """For pictures, should the check fail."""
        self.simulated = run

    def _driven(self) -> Transport:
        if self.transport is None:
            raise LabError("this assignment has no program `connection` whose calls could be made")
        return self.transport

    def simulation(
        self, scenario: Scenario | str, *, student: Sides = "client", peer: Peer = "reference", model: bool = False
    ) -> SimulationCheck:
        """A scenario in virtual time. `student`: the side that the submission plays; peer "itself": it plays both.

        `model`: with the controller of the extension. Raises LabError if the reference is needed and not there.
        """
        from harness.transport.checks.simulation import SimulationCheck

        return SimulationCheck(self._driven(), scenario, student=student, peer=peer, model=model)

    def simulations(self, *names: Scenario | str, alone: bool = False, model: bool = False) -> Series:
        """Several scenarios, each for every pair of players: the submission and the reference, and it with itself.

        `alone`: with itself only, as public checks do. Raises LabError if the reference is needed and not there.
        """
        from harness.transport.checks.series import Series

        return Series(self._driven(), names, alone=alone, model=model)

    def shares(self, *, model: bool = False) -> Sharing:
        """Two connections of the submission on one bottleneck."""
        from harness.transport.checks.fairness import Sharing

        return Sharing(self._driven(), model=model)

    def scripted(
        self,
        role: Role,
        *,
        isn: int = 7000,
        peer_isn: int = 0x8000_0000 - 500,
        receive_buffer: int = 65_536,
        model: bool = False,
    ) -> ScriptedPeer:
        """A scripted peer for the submission's connection, which plays `role`. Raises Broken, CannotStart."""
        from harness.transport.script.peer import ScriptedPeer

        driven = self._driven()
        connection = driven.connection(role, isn=isn, receive_buffer=receive_buffer, model=model)
        return ScriptedPeer(connection, role=role, isn=isn, peer_isn=peer_isn, wire=driven.wire, story=self.story)

    def segments(self) -> Segments:
        """Stage 1 of the submission. Raises Broken, CannotStart."""
        from harness.transport.checks.units import Segments

        driven = self._driven()
        return Segments(driven.segments(), driven.wire, self.story)

    def reassembler(self, kind: str, *, capacity: int = 65_536) -> Answer:
        """Stage 2 of the submission: InOrder, WithGaps or NewestOnly. Raises Broken, CannotStart."""
        from harness.transport.checks.units import Answer

        return Answer(self._driven().reassembler(kind, capacity), kind, capacity, self.story)
