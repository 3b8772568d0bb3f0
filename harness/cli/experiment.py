"""`lab sim`: a student's connection against itself or another one, in virtual time, over any link.

The only file here that starts programs on the machine of whoever types it: trusted code, as with every local lab.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.actors.story import Broken, Story
from harness.course.assignment import Assignment
from harness.course.programs import load_programs
from harness.errors import SubmissionError, UsageError
from harness.lab.local.lab import local_lab
from harness.link.named import find_profile
from harness.link.profile import BadProfile
from harness.transport.checks.simulation import Transport, transport_of
from harness.transport.pictures.bundle import Bundle, findings_of
from harness.transport.segments import MODULUS
from harness.transport.simulation.catalogue import scenario as find_scenario
from harness.transport.simulation.scenarios import ROLES, App, Role, Scenario, other
from harness.transport.simulation.world import Setting, SimulationOutcome, World

#: Most bytes of one transfer, and seconds of virtual time it may take.
MOST_BYTES, LIMIT = 50_000_000, 3600.0
#: Processor seconds that an experiment may take: nobody is graded here.
CPU_SECONDS = 600.0


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What to run."""

    assignment: Assignment
    folder: Path  #: of the student's solution
    peer: Path | None = None  #: of another solution; None: against itself
    role: Role = "client"  #: what the student's solution plays against another one
    profile: str = "wifi-lossy"  #: name of the link
    scenario: str = ""  #: one from the catalogue, instead of a profile
    size: int = 32_768  #: bytes from the client to the server
    back: int = 0  #: bytes from the server to the client
    seed: int = 1

    def scene(self) -> Scenario:
        """The scenario as data. Raises UsageError."""
        if not 0 <= self.size <= MOST_BYTES or not 0 <= self.back <= MOST_BYTES:
            raise UsageError(f"a stream has 0 to {MOST_BYTES:,} bytes")
        if self.scenario:
            try:
                return find_scenario(self.scenario)
            except KeyError as error:
                raise UsageError(str(error.args[0])) from None
        try:
            profile = find_profile(self.profile)
        except BadProfile as error:
            raise UsageError(f"{error} (`lab profiles` explains them)") from None
        return Scenario(
            name=f"{self.size:,} bytes over {self.profile!r}",
            why="",
            stage=9,
            client=App(sends=self.size),
            server=App(sends=self.back, ends="heard"),
            to_server=profile.up,
            to_client=profile.down,
            limit=LIMIT,
        )

    def options(self) -> dict[str, str | int | float]:
        """What `lab replay` needs to run it again, besides the folders."""
        return {
            "profile": self.profile,
            "scenario": self.scenario,
            "bytes": self.size,
            "back": self.back,
            "role": self.role,
            "seed": self.seed,
        }


def run(experiment: Experiment) -> tuple[SimulationOutcome, Bundle]:
    """Run it. Raises CommandError; what the submission does wrong is in the outcome."""
    scenario = experiment.scene()
    with _transports(experiment) as transports:
        setting = _setting(experiment, scenario, transports[0])
        outcome = _played(setting, transports)
    return outcome, _bundle(experiment, outcome)


@contextmanager
def _transports(experiment: Experiment) -> Iterator[list[Transport]]:
    """What drives the student's solution, and the peer's if there is one, each in a node of its own."""
    assignment = experiment.assignment
    folders = [experiment.folder] + ([experiment.peer] if experiment.peer else [])
    with ExitStack() as stack:
        nodes = []
        for folder in folders:
            node, _, leave = local_lab(folder, assignment.limits)
            stack.callback(leave)
            build = assignment.build_of(folder)
            broken = node.build(build.command if build else None, timeout=build.timeout if build else 60)
            if broken is not None:
                raise SubmissionError(f"{folder}: {broken}")
            nodes.append(node)
        for node in nodes:  # before any is started: this ends what is left of an earlier run
            node.fresh()
        made = []
        for node, folder in zip(nodes, folders, strict=True):
            programs = load_programs(assignment.programs, folder)
            story = Story(time.monotonic)
            transport = transport_of(node, story, assignment, programs, seed=experiment.seed, reference=None)
            stack.callback(transport.dismiss)
            made.append(transport)
        yield made


def _setting(experiment: Experiment, scenario: Scenario, transport: Transport) -> Setting:
    """Everything random, from the seed."""
    dice = random.Random(experiment.seed)
    isn = {role: MODULUS - 5000 if scenario.near_wrap else dice.getrandbits(32) for role in ROLES}
    students = (experiment.role, other(experiment.role))
    data = {role: dice.randbytes(scenario.app(role).sends) for role in ROLES}
    return Setting(scenario=scenario, seed=experiment.seed, data=data, isn=isn, wire=transport.wire, students=students)


def _played(setting: Setting, transports: Sequence[Transport]) -> SimulationOutcome:
    for transport in transports:
        transport.processes.meter.begin(lambda: 0.0, CPU_SECONDS)
    first, second = setting.students
    try:
        players = {
            first: _connection(transports[0], setting, first, 0),
            second: _connection(transports[-1], setting, second, 1 if len(transports) == 1 else 0),
        }
    except Broken as broken:
        raise SubmissionError(f"{broken.message}{f': {broken.seen}' if broken.seen else ''}") from None
    return World(setting, players).run()


def _connection(transport: Transport, setting: Setting, role: Role, which: int) -> Any:
    return transport.connection(role, isn=setting.isn[role], receive_buffer=setting.scenario.buffer(role), which=which)


def _bundle(experiment: Experiment, outcome: SimulationOutcome) -> Bundle:
    first = outcome.setting.first
    return Bundle(
        assignment=experiment.assignment.name,
        title=outcome.setting.scenario.name,
        remark=f"seed {experiment.seed}; {'against itself' if experiment.peer is None else 'two solutions'}",
        message=outcome.faults[0].text if outcome.faults else "",
        seed=str(experiment.seed),
        run=experiment.options(),
        wire=outcome.setting.wire,
        names=(first, other(first)),
        packets=tuple(outcome.packets),
        findings=findings_of(outcome.violations),
    )


def summary_of(outcome: SimulationOutcome) -> list[str]:
    """How it went, as lines: both ends and the speed."""
    lines = [f"{outcome.seconds:.3f} s of virtual time"]
    for role in ROLES:
        events = ", ".join(f"{word} at {at:.3f} s" for at, word in outcome.events[role]) or "no event"
        lines.append(f"{role}: read {len(outcome.received[role]):,} bytes{_speed(outcome, role)}; {events}")
    return lines


def _speed(outcome: SimulationOutcome, role: Role) -> str:
    """Goodput, from the beginning to the last byte."""
    size, end = len(outcome.received[role]), outcome.finished(role)
    return f" by {end:.3f} s ({size * 8 / end / 1e6:.3g} Mbit/s)" if size and end else ""


def from_options(
    assignment: Assignment, folder: Path, options: Mapping[str, str | int | float], peer: Path | None = None
) -> Experiment:
    """The experiment of a bundle. Raises UsageError for unknown options."""
    try:
        made = Experiment(
            assignment=assignment,
            folder=folder,
            peer=peer,
            profile=str(options["profile"]),
            scenario=str(options["scenario"]),
            size=int(options["bytes"]),
            back=int(options["back"]),
            seed=int(options["seed"]),
        )
    except (KeyError, ValueError, OverflowError) as error:
        raise UsageError(f"the bundle does not say how to run it again: {error}") from None
    return replace(made, role="server") if options.get("role") == "server" else made
