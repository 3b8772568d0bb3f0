"""Another term, another wire: reference and tests follow term.toml, and last term's solution does not pass."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from grader.bench.local import LocalBench
from grader.bench.task import Task
from grader.course import this_course
from grader.release.markers import GIVEN
from grader.release.term import load_term, term_module
from harness.course.assignment import load_assignment
from tests.grading import ROOT, Graded

COURSE = this_course()
REFERENCE = COURSE.reference("transport")
#: What needs the wire: bytes there and back, damage, a stream, and a conversation by hand.
CHECKS = [
    "test_1_segments.py::test_a_segment_is_encoded",
    "test_1_segments.py::test_a_segment_is_decoded",
    "test_1_segments.py::test_every_part_is_covered_by_the_checksum",
    "test_1_segments.py::test_the_checksum_alone",
    "test_3_retransmission.py::test_damage",
    "test_4_states.py::test_opening",
]


def graded_in(term: str, submission: Path, folder: Path) -> Graded:
    """Grade a submission in a term: `folder` becomes the reference of that term."""
    shutil.copytree(REFERENCE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "term.toml").write_text(term)
    (folder / "term.py").write_text(f"{GIVEN}\n{term_module(load_term(folder / 'term.toml'))}")
    assignment = load_assignment(folder / "assignment.toml")
    graded = Graded(wanted={check: assignment.check(check).points for check in CHECKS})
    task = Task(
        student="",
        identity="",
        lab={},
        submission=submission if submission != REFERENCE else folder,
        assignment=assignment,
        suites=COURSE.suites("transport"),
        checks=CHECKS,
        programs={name: list(argv) for name, argv in assignment.programs.items()},
        build=False,
        seed="a term",
        seconds=100,
        reference=folder,
    )
    bench = LocalBench(ROOT)
    try:
        bench.run(task, graded.hear)
    finally:
        bench.close()
    return graded


@pytest.mark.slow
@pytest.mark.parametrize(("magic", "checksum"), [(0xA7, "fletcher-32"), (0x01, "internet-16")])
def test_the_reference_follows_the_term(magic: int, checksum: str, tmp_path: Path) -> None:
    term = f'[term]\nname = "another"\nmagic = {magic}\nchecksum = "{checksum}"\n'
    assert graded_in(term, REFERENCE, tmp_path / "reference").lost == {}


@pytest.mark.slow
def test_the_solution_of_another_term_earns_nothing(tmp_path: Path) -> None:
    term = '[term]\nname = "another"\nmagic = 0x5C\nchecksum = "fletcher-32"\n'
    old = tmp_path / "old"
    shutil.copytree(REFERENCE, old, ignore=shutil.ignore_patterns("__pycache__"))
    assert graded_in(term, old, tmp_path / "reference").points == 0
