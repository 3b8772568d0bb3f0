"""The table of alternates fits the assignments of today; whether they get what they claim, `grader audit` finds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from grader.audit.alternates import Alternate
from grader.course import this_course
from harness.course.forbidden import find_forbidden
from harness.course.programs import load_programs
from tests.alternates import ALTERNATES

RUBRICS = {name: this_course().load(name) for name in this_course().names()}
EACH = pytest.mark.parametrize("alternate", ALTERNATES, ids=lambda one: f"{one.assignment}: {one.name}")


def test_each_assignment_has_several_and_each_a_name_of_its_own() -> None:
    count = Counter(one.assignment for one in ALTERNATES)
    assert set(count) == set(RUBRICS)
    assert min(count.values()) >= 4
    assert len({(one.assignment, one.name) for one in ALTERNATES}) == len(ALTERNATES)


@EACH
def test_nothing_forbidden_is_used(alternate: Alternate, tmp_path: Path) -> None:
    if any(reason for check, reason in alternate.without.items()) and alternate.needs:
        pytest.skip("a program that does it all, in the place of a submission")
    alternate.write(this_course(), tmp_path)
    rubric = RUBRICS[alternate.assignment]
    forbidden = find_forbidden(rubric.rules(load_programs(rubric.programs, tmp_path)), tmp_path)
    assert not set(forbidden) & set(alternate.stages)


@EACH
def test_what_is_claimed_and_what_is_not_exists(alternate: Alternate) -> None:
    rubric = RUBRICS[alternate.assignment]
    ids = {check.id for check in rubric.checks if check.stage in alternate.stages}
    assert set(alternate.without) <= ids | {check.partition("[")[0] for check in ids}
    assert {rubric.check(check).stage for check in alternate.claimed(rubric)} == set(alternate.stages)
    assert set(alternate.less) <= {stage.number for stage in rubric.stages} - set(alternate.stages)
