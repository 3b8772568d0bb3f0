"""The handouts, which are written by hand, agree with the rubric."""

from __future__ import annotations

import re

import pytest

from grader.course import Course, this_course

COURSE: Course = this_course()


@pytest.mark.parametrize("name", COURSE.names())
def test_every_check_points_to_a_rule_that_is_there(name: str) -> None:
    assignment = COURSE.load(name)
    rules = set(re.findall(r"^- \*\*(\d\.\d+)\*\*", _text(name), re.MULTILINE))
    assert {check.section for check in assignment.checks} <= rules


@pytest.mark.parametrize("name", COURSE.names())
def test_the_points_are_those_of_the_rubric(name: str) -> None:
    text = _text(name)
    for stage in COURSE.load(name).stages:
        assert re.search(rf"^## {stage.section}: .* \({stage.points:g} points\)$", text, re.MULTILINE)
        public = COURSE.load(name).checks_of(stage=stage.number, suite="public")
        (file,) = {check.file for check in public}
        worth = sum(check.points for check in public)
        row = rf"^\| {stage.number} \|.*\| {stage.points:g} \| `tests/{file}`, {worth:g} points \|$"
        assert re.search(row, text, re.MULTILINE), row


@pytest.mark.parametrize("name", COURSE.names())
def test_what_is_forbidden_is_told(name: str) -> None:
    text = _text(name)
    for stage in COURSE.load(name).stages:
        assert all(f"`{word}`" in text for word in stage.forbidden)


def _text(name: str) -> str:
    return (COURSE.released(name) / COURSE.load(name).handout).read_text()
