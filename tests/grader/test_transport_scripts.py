"""The scripts of the suites against the reference and solutions of other designs: all pass, and keep the rules."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.transport.calls.reference import LoadedSolution, load_solution
from harness.transport.oracle.judge import Case, broken, judge
from harness.transport.script.peer import ScriptedPeer
from harness.transport.simulation.applications import LocalConnection
from tests.alternates import DESIGNS, write_design

ROOT = Path(__file__).parents[2]
SUITES = ROOT / "grader/suites/transport"
FILES = sorted(path.relative_to(SUITES) for path in SUITES.glob("*/test_[0-9]_*.py"))
#: The stages that each deserves in full.
SOLUTIONS = {"reference": 9, **DESIGNS}


class Lab:
    """As much of a scene as scripts need, in this process."""

    def __init__(self, solution: LoadedSolution) -> None:
        self._solution = solution
        self.transport = self
        self.peers: list[ScriptedPeer] = []

    def scripted(
        self, role: Any, *, isn: int = 7000, peer_isn: int = 0x8000_0000 - 500, receive_buffer: int = 65_536
    ) -> ScriptedPeer:
        """See TransportWords."""
        made = self._solution.connection(role=role, isn=isn, receive_buffer=receive_buffer)
        self.peers.append(ScriptedPeer(LocalConnection(made), role=role, isn=isn, peer_isn=peer_isn))
        return self.peers[-1]

    def says(self, what: str) -> None:
        """See Scene: there is no story here."""


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"scripts_{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def checks() -> list[Any]:
    found = []
    for file in FILES:
        stage = int(file.name.split("_")[1])
        for name, check in vars(load(SUITES / file)).items():
            if name.startswith("test_") and "scripted" in check.__code__.co_names:
                where = f"{file.parent}/{file.stem}::{name}"
                found += [
                    pytest.param(who, check, stage, id=f"{where}-{who}")
                    for who, most in SOLUTIONS.items()
                    if stage <= most
                ]
    return found


@pytest.fixture(scope="session")
def solutions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LoadedSolution]:
    found = {"reference": load_solution(ROOT / "reference/transport")}
    for name in DESIGNS:
        folder = tmp_path_factory.mktemp(name)
        write_design(name, folder)
        found[name] = load_solution(folder)
    return found


@pytest.mark.parametrize(("name", "check", "stage"), checks())
def test_a_correct_solution_passes(
    name: str, check: Callable[[Any], None], stage: int, solutions: dict[str, LoadedSolution]
) -> None:
    lab = Lab(solutions[name])
    check(lab)
    assert lab.peers
    for peer in lab.peers:
        case = Case(stage=stage, judged=["up"], isns=peer.isns, servers=["up"] if peer.role == "server" else [])
        assert broken(judge(peer.packets, peer.wire, case)) == []
