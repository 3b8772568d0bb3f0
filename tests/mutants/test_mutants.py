"""The tables of typical bugs are about the references of today; whether each is caught, `grader audit` finds out."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader.audit.generated import equivalents
from grader.course import this_course
from harness.course.assignment import Assignment, load_assignment
from tests.grading import ROOT
from tests.mutants import Mutant, files_of_stages, load_mutants, mutate

ASSIGNMENTS = sorted(path.parent.name for path in Path(__file__).parent.glob("*/mutants.toml"))
RUBRICS = {name: load_assignment(ROOT / "reference" / name / "assignment.toml") for name in ASSIGNMENTS}
FILES = {name: files_of_stages(rubric) for name, rubric in RUBRICS.items()}
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
    assert mutant.file in FILES[rubric.name][mutant.stage]


@pytest.mark.parametrize("name", ASSIGNMENTS)
def test_what_is_no_bug_says_why(name: str) -> None:
    assert all(len(why) > 20 for why in equivalents(this_course(), name).values())
