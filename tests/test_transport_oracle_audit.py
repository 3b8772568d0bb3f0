"""The oracle against thousands of random simulations of correct transports: not one broken rule."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.transport.calls.reference import LoadedSolution, load_solution
from harness.transport.oracle.judge import broken
from tests.alternates import DESIGNS, write_design
from tests.harness.transport.random_runs import REFERENCE, play, random_scenario, verdict

#: Random simulations of the reference, and of each other design; AUDIT_SIMULATIONS=500 for a quick look.
SIMULATIONS = int(os.environ.get("AUDIT_SIMULATIONS", "5000"))
OF_OTHERS = SIMULATIONS // 10
# What breaks a rule on purpose is in tests/mutants/transport.


def judged(seeds: range, *, stage: int = 9, solution: LoadedSolution = REFERENCE) -> tuple[list[str], list[str]]:
    """The MUSTs and the SHOULDs that were broken, each with its seed. Streams that differ fail at once."""
    musts, shoulds = [], []
    for seed in seeds:
        outcome = play(random_scenario(seed), seed, client=solution, server=solution)
        assert not [fault for fault in outcome.faults if fault.kind in ("call", "covert", "stream")], seed
        found = verdict(outcome, stage=stage)
        musts += [f"{seed}: {violation}" for violation in broken(found)]
        shoulds += [f"{seed}: {violation}" for violation in found if violation.level == "SHOULD"]
    return musts, shoulds


def test_fifty_random_simulations_of_the_reference_break_no_rule() -> None:
    assert judged(range(50)) == ([], [])


@pytest.mark.audit
@pytest.mark.parametrize("block", range(10))
def test_thousands_of_random_simulations_of_the_reference_break_no_rule(block: int) -> None:
    size = SIMULATIONS // 10
    assert judged(range(block * size, (block + 1) * size)) == ([], [])


@pytest.mark.audit
@pytest.mark.parametrize("name", DESIGNS)
def test_other_designs_break_no_must(name: str, tmp_path: Path) -> None:
    write_design(name, tmp_path)
    musts, _ = judged(range(OF_OTHERS), stage=DESIGNS[name], solution=load_solution(tmp_path))
    assert musts == []
