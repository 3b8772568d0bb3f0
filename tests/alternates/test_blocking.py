"""Solutions of the blocking assignment that keep every rule of the handout in other ways get every point."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.course.assignment import load_assignment
from harness.course.forbidden import find_forbidden
from harness.course.programs import load_programs
from tests.alternates import CLASS, lay
from tests.grading import ROOT, grade_locally
from tests.mutants import copy_reference

RUBRIC = load_assignment(ROOT / "reference/blocking/assignment.toml")
HERE = Path(__file__).parent / "blocking"

#: Folder -> the stages it is about. What a folder lacks is the reference's.
SOLUTIONS: dict[str, tuple[Path, list[int]]] = {
    # Everything read through makefile("rb"), regular expressions for requests, one module for all sockets.
    "buffered": (HERE / "buffered", [1, 2, 3, 4, 5, 6]),
    # One thread with poll() for the mailbox, a process for each client that asks for the time.
    "poll and fork": (HERE / "poll_and_fork", [1, 2, 3, 4, 5, 6]),
    # 100 workers that wait in accept() themselves, and a keeper that owns the messages; chatters on standard error.
    "pool": (HERE / "pool", [5, 6]),
    # The client in C, built by make.
    "C": (CLASS / "grace/blocking", [1, 2, 3]),
}


@pytest.mark.parametrize("name", SOLUTIONS)
def test_nothing_forbidden_is_used(name: str) -> None:
    folder, stages = SOLUTIONS[name]
    for number in stages:
        assert number not in find_forbidden(RUBRIC.rules(load_programs(RUBRIC.programs, folder)), folder)


@pytest.mark.audit
@pytest.mark.parametrize("name", SOLUTIONS)
def test_an_honest_solution_gets_full_marks(name: str, tmp_path: Path) -> None:
    folder, stages = SOLUTIONS[name]
    copy_reference("blocking", tmp_path)
    lay(tmp_path, folder)
    graded = grade_locally(tmp_path, "blocking", stages=stages)
    assert graded.lost == {}
    assert graded.points == sum(RUBRIC.stage(number).points for number in stages)
