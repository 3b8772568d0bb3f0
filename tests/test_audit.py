"""The long calibrations of `make audit`: the reference again and again, with another seed each time."""

from __future__ import annotations

import os

import pytest

from grader.bench.docker import DockerPlace
from grader.bench.local import LocalBench
from grader.course import this_course
from tests.grading import ROOT, grade

#: How often; AUDIT_ROUNDS=5 for a quick look.
ROUNDS = int(os.environ.get("AUDIT_ROUNDS", "20"))
ASSIGNMENTS = this_course().names()


@pytest.mark.audit
@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_reference_gets_full_marks_every_time_in_the_local_lab(assignment: str) -> None:
    bench = LocalBench(ROOT)
    reference = this_course().reference(assignment)
    lost = [grade(bench, reference, assignment, seed=f"local {n}").lost for n in range(ROUNDS)]
    assert lost == [{}] * ROUNDS


@pytest.mark.audit
@pytest.mark.docker
@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_reference_gets_full_marks_every_time_in_the_docker_lab(assignment: str) -> None:
    place = DockerPlace(this_course(), [assignment], engine="auto", say=print)
    bench = place.bench()
    reference = this_course().reference(assignment)
    try:
        lost = [grade(bench, reference, assignment, seed=f"docker {n}").lost for n in range(ROUNDS)]
    finally:
        bench.close()
        place.close()
    assert lost == [{}] * ROUNDS
