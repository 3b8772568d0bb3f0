"""Hostile programs that turn to the kernel, graded for real: they earn nothing, and keep nothing from being decided."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.bench.docker import DockerPlace
from grader.bench.local import Bench
from grader.course import this_course
from tests.grading import grade
from tests.mutants import copy_reference
from tests.redteam.attacks_kernel import ATTACKS, CHECKS

pytestmark = [pytest.mark.docker, pytest.mark.slow]

#: What is tried by `make test`: it kept every check undecided.
FIRST = ("locks_that_keep_the_dying",)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    place = DockerPlace(this_course(), ["blocking"], engine="router", say=lambda _: None)
    made = place.bench()
    yield made
    made.close()
    place.close()


@pytest.mark.parametrize(
    "name", [name if name in FIRST else pytest.param(name, marks=pytest.mark.audit) for name in ATTACKS]
)
def test_the_kernel_decides_nothing_for_it(name: str, tmp_path: Path, bench: Bench) -> None:
    for file, contents in ATTACKS[name]["files"].items():
        (tmp_path / file).write_bytes(contents)
    tmp_path.chmod(0o755)  # pytest makes it for its own user alone
    graded = grade(bench, tmp_path, "blocking", only=CHECKS)
    for check in CHECKS:
        report = graded.reports[check]
        if report["outcome"] == "inconclusive":  # beside other tests there may be no processor for one that only waits
            assert "the machine had not enough processors" in report["message"], report["message"]
        else:
            assert report["outcome"] in ("fail", "timeout", "error"), report


def test_honest_work_after_them_is_unharmed(tmp_path: Path, bench: Bench) -> None:
    copy_reference("blocking", tmp_path)
    tmp_path.chmod(0o755)
    assert grade(bench, tmp_path, "blocking", only=CHECKS).lost == {}
