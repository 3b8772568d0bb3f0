"""Every typical bug of an assignment loses points in the stage it belongs to, and nowhere before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.course.assignment import Assignment, load_assignment
from tests.grading import ROOT, grade_locally
from tests.mutants import Mutant, load_mutants, mutate, stages_with, write_mutant

ASSIGNMENTS = sorted(path.parent.name for path in Path(__file__).parent.glob("*/mutants.toml"))
RUBRICS = {name: load_assignment(ROOT / "reference" / name / "assignment.toml") for name in ASSIGNMENTS}
MUTANTS = [
    pytest.param(RUBRICS[name], mutant, id=f"{name}: {mutant.name}")
    for name in ASSIGNMENTS
    for mutant in load_mutants(name)
]


@pytest.mark.parametrize(("rubric", "mutant"), MUTANTS)
def test_every_bug_is_one_change_to_the_reference_of_today(rubric: Assignment, mutant: Mutant) -> None:
    text = (rubric.path.parent / mutant.file).read_text()
    assert mutate(text, mutant) != text


@pytest.mark.parametrize(("rubric", "mutant"), MUTANTS)
def test_every_bug_names_checks_of_its_stage(rubric: Assignment, mutant: Mutant) -> None:
    functions = {check.id.partition("::")[2] for check in rubric.checks_of(stage=mutant.stage)}
    assert set(mutant.caught_by) <= functions
    assert mutant.caught_by


@pytest.mark.audit
@pytest.mark.parametrize(("rubric", "mutant"), MUTANTS)
def test_a_bug_loses_points_in_its_stage_and_nowhere_before(rubric: Assignment, mutant: Mutant, tmp_path: Path) -> None:
    write_mutant(rubric.name, mutant, tmp_path)
    stages = [number for number in stages_with(rubric, mutant.file) if number <= mutant.stage]
    graded = grade_locally(tmp_path, rubric.name, stages=stages)
    lost = {
        (rubric.check(check).stage, check.partition("::")[2]): report["outcome"]
        for check, report in graded.reports.items()
        if report["outcome"] != "pass"
    }
    early = [key for key in lost if key[0] < mutant.stage]
    assert not early, f"points lost before stage {mutant.stage}: {early}"
    missed = [name for name in mutant.caught_by if lost.get((mutant.stage, name)) not in ("fail", "timeout", "error")]
    assert not missed, f"not noticed by {missed}; lost: {lost}"
