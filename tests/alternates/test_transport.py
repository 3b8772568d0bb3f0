"""Solutions of the transport assignment that differ in design from the reference get what their stages deserve."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.assignment import load_assignment
from harness.forbidden import find_forbidden
from tests.grading import ROOT, grade_locally
from tests.mutants import copy_reference

RUBRIC = load_assignment(ROOT / "reference/transport/assignment.toml")
HERE = Path(__file__).parent / "transport"

#: Name -> the files of its connection, by the name they get; the stages it deserves in full; those it deserves less of.
SOLUTIONS: dict[str, tuple[dict[str, str], list[int], list[int]]] = {
    # One class, no congestion control, nothing kept out of order, everything sent again at a timeout.
    "go-back-N": (
        {"machine.py": "machine.py", "connection.py": "go_back_n/connection.py"},
        [1, 2, 3, 4, 5],
        [6, 7],
    ),
    # A timer for each segment, NewReno's recovery without SACK.
    "selective repeat": (
        {"machine.py": "machine.py", "connection.py": "selective_repeat/connection.py"},
        [1, 2, 3, 4, 5, 6, 7, 8],
        [],
    ),
    # As few acknowledgements as are allowed, with blocks that it sends and does not use.
    "every other": (
        {
            "machine.py": "machine.py",
            "selective.py": "selective_repeat/connection.py",
            "connection.py": "every_other/connection.py",
        },
        [1, 2, 3, 4, 5, 6, 7, 8],
        [],
    ),
}
#: Of the reference's own connection; the alternates do not have them.
OWN = ("sender.py", "receiver.py", "scoreboard.py", "recovery.py", "states.py", "bbr.py", "rtt.py", "rate.py")


def submission(name: str, folder: Path) -> None:
    """The reference's segments, reassembly and programs with another connection."""
    copy_reference("transport", folder)
    for file in OWN:
        (folder / file).unlink(missing_ok=True)
    for file, source in SOLUTIONS[name][0].items():
        shutil.copyfile(HERE / source, folder / file)


@pytest.mark.parametrize("name", SOLUTIONS)
def test_nothing_forbidden_is_used(name: str, tmp_path: Path) -> None:
    submission(name, tmp_path)
    for number in SOLUTIONS[name][1]:
        assert find_forbidden(RUBRIC, RUBRIC.stage(number), tmp_path) == []


@pytest.mark.audit
@pytest.mark.parametrize("name", SOLUTIONS)
def test_an_honest_solution_gets_what_it_deserves(name: str, tmp_path: Path) -> None:
    submission(name, tmp_path)
    _, full, less = SOLUTIONS[name]
    graded = grade_locally(tmp_path, "transport", stages=full)
    assert graded.lost == {}
    assert graded.points == sum(RUBRIC.stage(number).points for number in full)
    if less:
        graded = grade_locally(tmp_path, "transport", stages=less)
        assert graded.points < sum(RUBRIC.stage(number).points for number in less)
