"""The words of a test for the transport: `lab.transport`. A lab of another assignment never loads it.

Rule: words only; what they do is in harness/transport/checks/.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from functools import cached_property

from harness.actors.carried import account_for_all, carried
from harness.actors.cast import Cast, Started, given
from harness.actors.program import Program
from harness.actors.server import Server
from harness.actors.story import Broken
from harness.course.address import Address
from harness.lab.interface import Family, LabError
from harness.link.trace import Direction, Packet
from harness.transport.checks.by_hand import ByHand
from harness.transport.checks.fairness import Sharing
from harness.transport.checks.meeting import GoodputCheck, MeetingCheck
from harness.transport.checks.reference_programs import ReferenceProgram, ReferenceServer, start
from harness.transport.checks.series import Series
from harness.transport.checks.simulation import PROGRAM, Peer, Sides, SimulationCheck, Transport, transport_of
from harness.transport.checks.units import Answer, Segments
from harness.transport.delivered import delivered
from harness.transport.oracle.judge import Case, broken, judge
from harness.transport.pictures.artefacts import bundled
from harness.transport.pictures.bundle import Bundle
from harness.transport.script.peer import ScriptedPeer
from harness.transport.segments import WireFormat
from harness.transport.simulation.meetings import MEETINGS
from harness.transport.simulation.scenarios import Role, Scenario


class TransportWords:
    """A submission's connection: in virtual time, by script, and as programs on real sockets."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast
        self._story = cast.story
        self._last: Bundle | None = None  # the last simulation, the one that failed if one did
        cast.attachment = self._attachment

    @cached_property
    def _driven(self) -> Transport:
        """What drives the submission's connection. Raises LabError."""
        cast = self._cast
        if PROGRAM not in cast.programs:
            raise LabError("this assignment has no program `connection` whose calls could be made")
        made = transport_of(
            cast.node, cast.story, cast.assignment, cast.programs, seed=cast.seed, reference=cast.reference
        )
        made.keep = self.leaves
        return cast.keep(made)

    def leaves(self, run: Bundle) -> None:
        """Should the check fail, this is what there is to look at."""
        self._last = run

    def _attachment(self, **facts: str) -> dict[str, object] | None:
        assignment = self._cast.assignment.name
        return None if self._last is None else bundled(self._last, assignment=assignment, **facts)

    # -- in virtual time -----------------------------------------------------------------------------------------

    def simulation(
        self, scenario: Scenario | str, *, student: Sides = "client", peer: Peer = "reference", model: bool = False
    ) -> SimulationCheck:
        """A scenario in virtual time. `student`: the side that the submission plays; peer "itself": it plays both.

        `model`: with the controller of the extension. Raises LabError if the reference is needed and not there.
        """
        return SimulationCheck(self._driven, scenario, student=student, peer=peer, model=model)

    def simulations(self, *names: Scenario | str, alone: bool = False, model: bool = False) -> Series:
        """Several scenarios, each for every pair of players: the submission and the reference, and it with itself.

        `alone`: with itself only, as public checks do. Raises LabError if the reference is needed and not there.
        """
        return Series(self._driven, names, alone=alone, model=model)

    def meeting(self, letter: str, role: Role) -> MeetingCheck:
        """A scenario of a meeting: the submission plays `role`; the other one the second node's, or the course's own.

        Raises LabError without a reference.
        """
        cast, second = self._cast, None
        if cast.second is not None:
            cast.second_used = True
            made = transport_of(
                cast.second, cast.story, cast.assignment, cast.second_programs, seed=cast.seed, reference=cast.reference
            )
            second = cast.keep(made)
        meeting = next(one for one in MEETINGS if one.letter == letter)
        return MeetingCheck(self._driven, second, meeting, role, cast.facts.update)

    def goodput(self, loss: float, seed: int) -> GoodputCheck:
        """One run of the submission on the leaderboard's link, the course's own at the other end."""
        return GoodputCheck(self._driven, loss, seed, self._cast.facts.update)

    def sharing(self, *, model: bool = False) -> Sharing:
        """Two connections of the submission on one bottleneck."""
        return Sharing(self._driven, model=model)

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
        connection = self._driven.connection(role, isn=isn, receive_buffer=receive_buffer, model=model)
        return ScriptedPeer(connection, role=role, isn=isn, peer_isn=peer_isn, wire=self._wire, story=self._story)

    def segments(self) -> Segments:
        """Stage 1 of the submission. Raises Broken, CannotStart."""
        return Segments(self._driven.segments(), self._wire, self._story)

    def reassembler(self, kind: str, *, capacity: int = 65_536) -> Answer:
        """Stage 2 of the submission: InOrder, WithGaps or NewestOnly. Raises Broken, CannotStart."""
        return Answer(self._driven.reassembler(kind, capacity), kind, capacity, self._story)

    # -- on real sockets -----------------------------------------------------------------------------------------

    def peer_runs(self, program: str, *words: object, stdin: bytes | None = None) -> Program:
        """Start the reference's program, as a peer of the submission's. Raises LabError."""
        return given(self._play(ReferenceProgram, program, words), stdin)

    def peer_serves(
        self, program: str, *words: object, family: Family = 4, flags: Sequence[str] = (), stdin: bytes | None = None
    ) -> Server:
        """Start the reference's server over UDP and wait until it listens; see `address_of`. Raises LabError."""
        at = Address("udp", host=self._cast.network.tester_host(family), port=0)
        server = self._play(ReferenceServer, program, (*flags, at, *words))
        try:
            server.waits_until_listening(at)
        except Broken as error:
            raise LabError(f"the reference does not listen: {error.message} ({error.seen})") from None
        return given(server, stdin)

    def _play(self, kind: type[Started], name: str, words: Sequence[object]) -> Started:
        cast = self._cast
        if cast.reference is None:
            raise LabError("this check needs the reference, and the job names none")
        arguments = [str(word) for word in words]
        self._story.add("tester", f"starts the reference's {shlex.join([name, *arguments])}")
        process = start(cast.reference, cast.assignment.programs, name, arguments)
        return cast.keep(kind(f"the reference's {name}", process, self._story, output_limit=cast.output_limit))

    def by_hand(self, server: Server | None = None, *, family: Family = 4) -> ByHand:
        """A peer whose segments the test says one by one: for a server, or for a client that is told `.address`."""
        cast = self._cast
        datagrams = cast.listens_udp(family=family) if server is None else cast.datagrams(server)
        return ByHand(datagrams, self._wire, self._story, isn=cast.rng.getrandbits(32))

    def came_over_the_link(self, receiver: Program) -> None:
        """What a program printed is what the link brought to its node, and came by no other way. Raises Broken."""
        way = "down" if self._cast.places.get(receiver) == "first" else "up"
        printed = receiver.stdout

        def brought(packets: Sequence[Packet]) -> bytes:
            return bytes(delivered([packet for packet in packets if packet.direction == way], self._wire).stream)

        stream = brought(self._carried(lambda packets: brought(packets) == printed))
        if stream != printed:
            account_for_all(self._cast)
            raise Broken(
                f"what {receiver.name} printed did not come over the link",
                expected=f"the {len(stream):,} bytes that the link brought to its node",
                seen=f"{len(printed):,} bytes" + ("" if len(stream) != len(printed) else ", and other ones"),
            )
        self._story.add("link", f"brought all {len(stream):,} bytes that {receiver.name} printed")

    def keeps_the_rules(self, program: Program, *, stage: int = 9) -> None:
        """What a program sent breaks no rule of these stages that can be judged from outside. Raises Broken."""
        side: Direction = "up" if self._cast.places.get(program) == "first" else "down"
        found = broken(judge(self._carried(), self._wire, Case(stage=stage, judged=[side], real=True)))
        if found:
            account_for_all(self._cast)
            raise Broken(f"{program.name} broke {found[0]}", expected=f"rule {found[0].rule}", seen=found[0].text)
        account_for_all(self._cast)
        self._story.add("tester", f"finds: {program.name} kept the rules on the wire")

    @property
    def _wire(self) -> WireFormat:
        return self._driven.wire

    def _carried(self, enough: Callable[[Sequence[Packet]], bool] = lambda _: True) -> list[Packet]:
        if self._cast.network.flooded():
            raise Broken(
                "more went over the link than the capture of a test holds",
                expected="what the transfer takes, and some repetitions",
                seen="hundreds of megabytes",
            )
        return carried(self._cast, enough)
