"""How a suite is cut into groups: what needs each other stays together, whatever else."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence

import pytest

from grader.course import this_course
from harness.course.assignment import SUITES, Assignment, Check
from harness.course.groups import LEAST, cut, split


def a_check(name: str, *needs: str, takes: float = LEAST, alone: str = "") -> Check:
    return Check(
        id=name, suite="public", stage=1, points=1, section="1", rule="", needs=needs, takes=takes, alone=alone
    )


def cut_names(checks: Sequence[Check], pieces: int) -> list[str]:
    return [" ".join(group.checks) for group in cut(checks, pieces)]


def test_checks_that_need_each_other_stay_together_in_their_order() -> None:
    checks = [a_check("a"), a_check("b"), a_check("c", "a"), a_check("d", "b"), a_check("e", "a", "d"), a_check("f")]
    assert cut_names(checks, 9) == ["a b c d e", "f"]


def test_the_longest_comes_first_and_neighbours_are_joined() -> None:
    checks = [a_check("a", takes=2), a_check("b", takes=8), a_check("c", takes=4), a_check("d", takes=3)]
    assert cut_names(checks, 3) == ["b", "a c", "d"]
    assert cut_names(checks, 2) == ["a b", "c d"]
    assert cut_names(checks, 1) == ["a b c d"]


def test_what_is_short_is_not_cut() -> None:
    short = [a_check(name, takes=LEAST / 11) for name in "abcdefghij"]
    assert cut_names(short, 8) == ["a b c d e f g h i j"]
    assert cut([], 8) == []


def test_what_runs_alone_takes_with_it_what_needs_it() -> None:
    checks = (a_check("a"), a_check("b", alone="measures idle CPU"), a_check("c", "b"), a_check("d", "a"))
    spec = dataclasses.replace(this_course().load("blocking"), checks=checks)
    beside, alone = split(spec, "public", {"a", "b", "c", "d"})
    assert [check.id for check in beside] == ["a", "d"]
    assert [check.id for check in alone] == ["b", "c"]
    assert split(spec, "public", {"a", "c"}) == ([checks[0], checks[2]], [])


@pytest.mark.parametrize("name", this_course().names())
@pytest.mark.parametrize("pieces", [1, 3, 12, 1000])
def test_every_assignment_is_cut_whole(name: str, pieces: int) -> None:
    spec: Assignment = this_course().load(name)
    dice = random.Random(name)
    for suite in SUITES:
        wanted = {check.id for check in spec.checks_of(suite=suite) if dice.random() < 0.8}
        beside, alone = split(spec, suite, wanted)
        groups = cut(beside, pieces)
        assert len(groups) <= pieces
        found = [check for group in groups for check in group.checks] + [check.id for check in alone]
        assert sorted(found) == sorted(wanted)
        of = {check: number for number, group in enumerate(groups) for check in group.checks}
        for check in beside:
            assert all(of[need] == of[check.id] for need in check.needs if need in of)
        for group in groups:
            assert list(group.checks) == [check.id for check in beside if check.id in group.checks]
