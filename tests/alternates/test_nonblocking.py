"""Solutions of the nonblocking assignment that keep every rule of the handout in other ways get every point."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from harness.course.assignment import load_assignment
from harness.course.forbidden import find_forbidden
from harness.course.programs import load_programs
from tests.alternates import CLASS, lay
from tests.grading import ROOT, grade_locally
from tests.mutants import copy_reference

RUBRIC = load_assignment(ROOT / "reference/nonblocking/assignment.toml")
HERE = Path(__file__).parent / "nonblocking"

ADA = CLASS / "ada/nonblocking"

#: Name -> what is laid over the reference, one after the other, and the stages it is about.
SOLUTIONS: dict[str, tuple[list[Path], list[int]]] = {
    # poll(), a reactor that remembers readiness, transports in the manner of asyncio; lines stay bytes.
    "poll": ([ADA, HERE / "poll"], [1, 2, 3, 4, 5]),
    # The same over edge-triggered epoll: told once, so that whoever forgets hangs.
    "epoll, edge-triggered": ([ADA], [1, 2, 3, 4, 5]),
    # Offers what waits again with every line: tells what it dropped more than once, and may go on after it.
    "offers again": ([HERE / "offers_again"], [3, 5]),
    # Callbacks instead of coroutines.
    "asyncio protocols": ([ADA], [6]),
    "uvloop": ([ADA, HERE / "uvloop"], [6]),
}


def prepare(name: str, folder: Path) -> list[int]:
    """Write a solution into a folder; the stages it is about."""
    copy_reference("nonblocking", folder)
    layers, stages = SOLUTIONS[name]
    if name == "uvloop":
        shutil.copyfile(ADA / "chat_server_asyncio.py", folder / "protocols.py")
    if name == "offers again":
        shutil.copyfile(folder / "chat_server.py", folder / "patient_chat.py")
    lay(folder, *layers)
    return stages


@pytest.mark.parametrize("name", SOLUTIONS)
def test_nothing_forbidden_is_used(name: str, tmp_path: Path) -> None:
    for number in prepare(name, tmp_path):
        assert number not in find_forbidden(RUBRIC.rules(load_programs(RUBRIC.programs, tmp_path)), tmp_path)


@pytest.mark.audit
@pytest.mark.parametrize("name", SOLUTIONS)
def test_an_honest_solution_gets_full_marks(name: str, tmp_path: Path) -> None:
    if name == "uvloop" and importlib.util.find_spec("uvloop") is None:
        pytest.skip("uvloop is not installed here: pip install uvloop")
    stages = prepare(name, tmp_path)
    graded = grade_locally(tmp_path, "nonblocking", stages=stages)
    assert graded.lost == {}
    assert graded.points == sum(RUBRIC.stage(number).points for number in stages)
