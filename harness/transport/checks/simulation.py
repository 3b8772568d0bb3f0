"""Simulations in a test: a submission's connection against the reference or itself, k of n seeds, and the story.

Rule 1: the reference is in a folder that the job names; it runs here, with the tests, never near a submission.
Rule 2: a failure is reported with its scenario, its seed, what was expected, and the fewest misfortunes that cause it.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NoReturn

from harness.actors.story import Broken, Story
from harness.course.assignment import Assignment
from harness.lab.interface import LabError, Node
from harness.transport.calls.calls import RemoteConnection, RemoteReassembler, RemoteSegments
from harness.transport.calls.meter import LEAST_BUDGET, TooSlow
from harness.transport.calls.player import Player
from harness.transport.calls.processes import GuestProcesses
from harness.transport.calls.reference import LoadedSolution, load_solution
from harness.transport.pictures.bundle import Bundle, findings_of
from harness.transport.segments import MODULUS, WireFormat, load_wire
from harness.transport.simulation import k_of_n as kofn
from harness.transport.simulation import shrink
from harness.transport.simulation.applications import LocalConnection
from harness.transport.simulation.catalogue import scenario as by_name
from harness.transport.simulation.scenarios import ROLES, Role, Scenario, other
from harness.transport.simulation.world import Around, Fault, Setting, SimulationOutcome, World

Sides = Literal["client", "server", "both"]
Peer = Literal["reference", "itself"]

#: The row of the programs table that offers the calls; a submission that overrides it offers the calls itself.
PROGRAM = "connection"
#: Default number of seeds of a random scenario.
SEEDS = 3
#: Processor seconds that a segment of the stream may cost, on top of the least budget of a simulation.
PER_SEGMENT = 0.0005
#: Most bytes of packets of a run that is repeated to find a reason: each repetition keeps as many for a while.
MOST_SHRUNK = 16_000_000


class Transport:
    """What one check needs to drive a submission's connection."""

    def __init__(
        self,
        node: Node,
        story: Story,
        *,
        program: Sequence[str] | None,
        seed: int,
        wire: WireFormat,
        reference: Path | None = None,
        cpus: float = 1.0,
    ) -> None:
        """`program`: how the submission offers the calls itself; None: the harness's guest offers its class."""
        self.story = story
        self.seed = seed
        self.wire = wire
        self.processes = GuestProcesses(node, story, program=program, cpus=cpus)
        self.keep: Callable[[Bundle], None] = lambda _: None  #: called with every run, for pictures
        self._reference = reference
        self._number = 0

    def reference(self) -> LoadedSolution:
        """The reference. Raises LabError if the job names none."""
        if self._reference is None:
            raise LabError("this check needs the reference, and the job names none")
        return load_solution(self._reference)

    def fresh_number(self) -> int:
        """A new id for a connection or reassembler of this check."""
        self._number += 1
        return self._number

    # -- single calls ------------------------------------------------------------------------------------------

    def connection(
        self, role: Role, *, isn: int, receive_buffer: int = 65_536, model: bool = False, which: int = 0
    ) -> RemoteConnection:
        """A new connection of the submission; `which`: in which of its processes. Raises Broken, CannotStart."""
        remote = self.processes.get(which)
        return RemoteConnection(
            remote, self.fresh_number(), role=role, isn=isn, receive_buffer=receive_buffer, model=model
        )

    def segments(self) -> RemoteSegments:
        """Stage 1 of the submission."""
        return RemoteSegments(self.processes.get(0))

    def reassembler(self, kind: str, capacity: int) -> RemoteReassembler:
        """Stage 2 of the submission."""
        return RemoteReassembler(self.processes.get(0), self.fresh_number(), kind, capacity)

    def dismiss(self) -> None:
        """End the submission's processes."""
        self.processes.dismiss()


class SimulationCheck:
    """A scenario for a submission, with the words of a test."""

    def __init__(
        self,
        transport: Transport,
        scenario: Scenario | str,
        *,
        student: Sides,
        peer: Peer = "reference",
        model: bool = False,
    ) -> None:
        """Raises LabError if the reference is needed and not there."""
        self.scenario = by_name(scenario) if isinstance(scenario, str) else scenario
        self.students: tuple[Role, ...] = ("client", "server") if student == "both" or peer == "itself" else (student,)
        if not set(self.students) & set(self.scenario.watched):
            raise ValueError(f"the scenario {self.scenario.name!r} does not look at the {student}")
        self._transport = transport
        self._model = model
        self._reference = transport.reference() if len(self.students) == 1 else None

    # -- for tests ---------------------------------------------------------------------------------------------

    def completes(self, *, seeds: int | None = None) -> SimulationOutcome:
        """All is well in as many of the seeds as a correct program manages; returns the last run. Raises Broken."""
        count = (seeds or SEEDS) if self.scenario.random else 1
        wanted = kofn.needed(count, self.scenario.flaky)
        self._say(f"simulates {self.scenario.name!r}: {self._who()}")
        if self.scenario.random:
            self._say(kofn.sentence(wanted, count, self.scenario.flaky))
        failed: list[SimulationOutcome] = []
        outcome = None
        for number in range(count):
            outcome = self.run(number)
            failed += [] if outcome.well else [outcome]
            if len(failed) > count - wanted:
                self._fail(failed[-1], number, count)
        assert outcome is not None
        self._say(
            f"sees both streams whole after {outcome.seconds:.2f} s of virtual time, {len(outcome.packets):,} packets"
        )
        return outcome

    def run(self, number: int = 0) -> SimulationOutcome:
        """One run, whatever its outcome. Raises CannotStart, LabError."""
        outcome = self._run(self.setting(number))
        self._transport.keep(self._bundle(outcome))
        return outcome

    def by_reference(self, number: int = 0) -> SimulationOutcome:
        """The same run with the reference on both sides: what can be reached. Raises LabError."""
        solution = self._transport.reference()
        setting = self.setting(number)
        players = {role: LocalConnection(solution.connection(**what_is_new(setting, role))) for role in ROLES}
        outcome = World(setting, players).run()
        if not outcome.well:
            raise LabError(f"the reference fails {self.scenario.name!r} itself: {outcome.faults[0].text}")
        return outcome

    def setting(self, number: int = 0) -> Setting:
        """All random choices, from the check's seed, the scenario and the number of the run."""
        return setting_of(self._transport, self.scenario, number, students=self.students, model=self._model)

    # -- running -----------------------------------------------------------------------------------------------

    def _run(self, setting: Setting, around: Around | None = None) -> SimulationOutcome:
        """Run from the beginning, with new connections."""
        here: list[LocalConnection] = []
        remote: list[RemoteConnection] = []
        meter = self._transport.processes.meter
        meter.begin(lambda: sum(player.cpu_seconds for player in here), budget_of(setting.scenario))
        players: dict[Role, Player] = {}
        outcome = None
        try:
            for role in ROLES:
                if role in self.students:
                    remote.append(self._connection(setting, role, len(remote)))
                    players[role] = remote[-1]
                else:
                    assert self._reference is not None
                    made = self._reference.connection(**what_is_new(setting, role))
                    here.append(LocalConnection(made, time.thread_time))
                    players[role] = here[-1]
            outcome = World(setting, players, around=around).run()
            meter.end()
            for connection in remote:
                connection.drop()
        except Broken as broken:  # before or after the run
            return _spoilt(setting, outcome, broken)
        return outcome

    def _connection(self, setting: Setting, role: Role, which: int) -> RemoteConnection:
        return self._transport.connection(model=self._model, which=which, **what_is_new(setting, role))

    # -- reporting ---------------------------------------------------------------------------------------------

    def _bundle(self, outcome: SimulationOutcome, found: shrink.Shrunk | None = None) -> Bundle:
        setting = outcome.setting
        return Bundle(
            assignment="transport",
            title=f"{self.scenario.name} ({self._who()})",
            remark="" if found is None else found.sentence,
            misfortunes=found.clauses if found else (),
            wire=setting.wire,
            names=(setting.first, other(setting.first)),
            packets=tuple(outcome.packets),
            findings=findings_of(outcome.violations),
        )

    def _who(self) -> str:
        if len(self.students) == 2:
            return "the submission against itself"
        return f"the submission is the {self.students[0]}, the reference its peer"

    def _say(self, what: str) -> None:
        self._transport.story.add("tester", what)

    def _fail(self, outcome: SimulationOutcome, number: int, count: int) -> NoReturn:
        fault = outcome.faults[0]
        self._say(f"looks for: {self.scenario.why}")
        for role in ROLES:
            told = ", ".join(f"{word} at {at:.3f} s" for at, word in outcome.events[role][:8]) or "nothing"
            self._say(f"the {role} read {len(outcome.received[role]):,} bytes and told: {told}")
        for more in outcome.faults[1:6]:
            self._say(f"also: {more.text}")
        found = shrink.shrunk(outcome, self._run, clock=time.monotonic) if _worth_shrinking(outcome) else None
        if found is not None:
            self._say(found.sentence)
            outcome = found.outcome
            fault = outcome.faults[0]
        self._transport.keep(self._bundle(outcome, found))
        which = f", run {number + 1} of {count}" if count > 1 else ""
        message = f"simulation {self.scenario.name!r}{which} ({self._who()}): {fault.text}"
        if found is not None:
            message += f"; {found.sentence}"
        verdict = outcome.broken.verdict if outcome.broken else "fail"
        raise Broken(message, expected=fault.expected, seen=fault.seen, verdict=verdict)


def budget_of(scenario: Scenario) -> float:
    """Processor seconds that a run may cost a submission whatever its peer needs."""
    return LEAST_BUDGET + (scenario.client.sends + scenario.server.sends) / 1200 * PER_SEGMENT


def setting_of(
    transport: Transport, scenario: Scenario, number: int, *, students: tuple[Role, ...], model: bool = False
) -> Setting:
    """All random choices of a run, from the check's seed, the scenario and the number of the run."""
    base = f"{transport.seed}\0{scenario.name}\0{number}".encode()
    seed = int.from_bytes(hashlib.sha256(base).digest()[:8], "big")
    dice = random.Random(seed)
    wrap = scenario.near_wrap
    isn = {role: MODULUS - dice.randrange(1, 20_000) if wrap else dice.getrandbits(32) for role in ROLES}
    return Setting(
        scenario=scenario,
        seed=seed,
        data={role: dice.randbytes(scenario.app(role).sends) for role in ROLES},
        isn=isn,
        wire=transport.wire,
        students=students,
        model=model,
    )


def what_is_new(setting: Setting, role: Role) -> dict[str, Any]:
    """What a new connection of a side is told."""
    return {"role": role, "isn": setting.isn[role], "receive_buffer": setting.scenario.buffer(role)}


def _spoilt(setting: Setting, outcome: SimulationOutcome | None, broken: Broken) -> SimulationOutcome:
    """The outcome of a run that could not begin, or that failed after its end."""
    fault = Fault("call", broken.message, broken.expected, broken.seen)
    if outcome is not None:
        return replace(outcome, faults=[*outcome.faults, fault], broken=outcome.broken or broken)
    return SimulationOutcome.unplayed(setting, fault, broken)


def _worth_shrinking(outcome: SimulationOutcome) -> bool:
    """Whether there is something to leave out, and a run is quick enough."""
    scenario = outcome.setting.scenario
    slow = isinstance(outcome.broken, TooSlow)
    misfortunes = scenario.random or scenario.lose or scenario.replay or scenario.garbage
    packets = outcome.packets
    small = 0 < len(packets) < 20_000 and sum(len(packet.data) for packet in packets) < MOST_SHRUNK
    return bool(misfortunes) and scenario.ending == "closed" and not slow and small


def transport_of(
    node: Node,
    story: Story,
    assignment: Assignment,
    programs: Mapping[str, Sequence[str]],
    *,
    seed: int,
    reference: Path | None,
) -> Transport:
    """What the fixture `lab` needs for a check. Raises BadWire for a term.toml of ours that cannot be read."""
    own = list(programs[PROGRAM]) != list(assignment.programs[PROGRAM])
    folder = assignment.path.parent
    terms = [folder / "term.toml", folder / "reference" / "term.toml"]
    wire = next((load_wire(path) for path in terms if path.is_file()), WireFormat())
    return Transport(
        node,
        story,
        program=programs[PROGRAM] if own else None,
        seed=seed,
        wire=wire,
        reference=reference,
        cpus=assignment.limits.cpus,
    )
