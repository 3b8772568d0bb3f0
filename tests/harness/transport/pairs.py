"""Two solutions in this process that play a scenario of a meeting: what blame is read from, without any lab."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

from grader.audit.alternates import load_alternates
from grader.audit.handwritten import load_mutants, write_mutant
from grader.course import this_course
from harness.transport.calls.reference import load_solution
from harness.transport.segments import load_wire
from harness.transport.simulation.applications import LocalConnection
from harness.transport.simulation.catalogue import scenario
from harness.transport.simulation.scenarios import ROLES, Role
from harness.transport.simulation.world import Setting, SimulationOutcome, World

COURSE = this_course()
REFERENCE = COURSE.reference("transport")


def mutant(name: str, folder: Path) -> Path:
    """The reference with one bug, in a new folder."""
    found = next(one for one in load_mutants(COURSE, "transport") if one.name == name)
    target = folder / name.replace(" ", "-")
    target.mkdir()
    write_mutant(COURSE, "transport", found, target)
    return target


def alternate(name: str, folder: Path) -> Path:
    """A correct solution that looks like nobody expects, in a new folder."""
    found = next(one for one in load_alternates(COURSE) if (one.assignment, one.name) == ("transport", name))
    target = folder / name.replace(" ", "-")
    target.mkdir()
    found.write(COURSE, target)
    return target


def played(name: str, solutions: Mapping[Role, Path], number: int = 0) -> SimulationOutcome:
    """What came of a scenario between two solutions."""
    row, dice = scenario(name), random.Random(f"{name} {number}")
    setting = Setting(
        scenario=row,
        seed=dice.getrandbits(60),
        data={role: dice.randbytes(row.app(role).sends) for role in ROLES},
        isn={role: dice.getrandbits(32) for role in ROLES},
        wire=load_wire(REFERENCE / "term.toml"),
        students=ROLES,
    )

    def player(role: Role) -> LocalConnection:
        made = load_solution(solutions[role])
        return LocalConnection(made.connection(role=role, isn=setting.isn[role], receive_buffer=row.buffer(role)))

    return World(setting, {role: player(role) for role in ROLES}).run()
