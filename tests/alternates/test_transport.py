"""Solutions of the transport assignment that differ in design from the reference get what their stages deserve."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.course.assignment import load_assignment
from harness.course.forbidden import find_forbidden
from harness.course.programs import load_programs
from tests.alternates import write_design
from tests.grading import ROOT, grade_locally

RUBRIC = load_assignment(ROOT / "reference/transport/assignment.toml")
#: Name -> the stages it deserves in full; those it deserves less of.
SOLUTIONS: dict[str, tuple[list[int], list[int]]] = {
    "go_back_n": ([1, 2, 3, 4, 5], [6, 7]),
    "selective_repeat": ([1, 2, 3, 4, 5, 6, 7, 8], []),
    "every_other": ([1, 2, 3, 4, 5, 6, 7, 8], []),
    "step_by_step": ([1, 2, 3, 4, 5, 6, 7, 8], []),
}


@pytest.mark.parametrize("name", SOLUTIONS)
def test_nothing_forbidden_is_used(name: str, tmp_path: Path) -> None:
    write_design(name, tmp_path)
    for number in SOLUTIONS[name][0]:
        assert number not in find_forbidden(RUBRIC.rules(load_programs(RUBRIC.programs, tmp_path)), tmp_path)


@pytest.mark.audit
@pytest.mark.parametrize("name", SOLUTIONS)
def test_an_honest_solution_gets_what_it_deserves(name: str, tmp_path: Path) -> None:
    write_design(name, tmp_path)
    full, less = SOLUTIONS[name]
    graded = grade_locally(tmp_path, "transport", stages=full)
    assert graded.lost == {}
    assert graded.points == sum(RUBRIC.stage(number).points for number in full)
    if less:
        graded = grade_locally(tmp_path, "transport", stages=less)
        assert graded.points < sum(RUBRIC.stage(number).points for number in less)
