"""Every typical bug of the blocking assignment loses points in the stage it belongs to, and nowhere before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.assignment import load_assignment
from tests.grading import ROOT, grade_locally
from tests.mutants import Mutant, load_mutants, mutate, stages_with, write_mutant

MUTANTS = load_mutants("blocking")
RUBRIC = load_assignment(ROOT / "reference/blocking/assignment.toml")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_bug_is_one_change_to_the_reference_of_today(mutant: Mutant) -> None:
    text = (ROOT / "reference/blocking" / mutant.file).read_text()
    assert mutate(text, mutant) != text


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_bug_names_checks_of_its_stage(mutant: Mutant) -> None:
    functions = {check.id.partition("::")[2] for check in RUBRIC.checks_of(stage=mutant.stage)}
    assert set(mutant.caught_by) <= functions


@pytest.mark.audit
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_bug_loses_points_in_its_stage_and_nowhere_before(mutant: Mutant, tmp_path: Path) -> None:
    write_mutant("blocking", mutant, tmp_path)
    stages = [number for number in stages_with(RUBRIC, mutant.file) if number <= mutant.stage]
    graded = grade_locally(tmp_path, "blocking", stages=stages)
    lost = {
        (RUBRIC.check(check).stage, check.partition("::")[2]): report["outcome"]
        for check, report in graded.reports.items()
        if report["outcome"] != "pass"
    }
    early = [key for key in lost if key[0] < mutant.stage]
    assert not early, f"points lost before stage {mutant.stage}: {early}"
    missed = [
        name
        for name in mutant.caught_by
        if lost.get((mutant.stage, name)) not in ("fail", "timeout", "error")
    ]
    assert not missed, f"not noticed by {missed}; lost: {lost}"
