"""How the checks of a suite are cut into groups, each of them for one tester on one bench. Pure.

Rule 1: checks that need each other stay together, in the rubric's order.
Rule 2: checks that have to run alone, and whatever needs them, make a group of their own, after all others.
Rule 3: nothing else hangs on the cut: every check has a fresh node and a seed of its own wherever it runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from harness.course.assignment import Assignment, Check, Suite

#: What is shorter than this is not cut further (seconds): a group costs a node, a tester and a collection of tests.
LEAST = 3.0


@dataclass(frozen=True)
class Group:
    """Checks for one tester. Without any, it builds the submission."""

    checks: tuple[str, ...] = ()  #: in the rubric's order
    suite: Suite = "public"
    takes: float = 0.0  #: seconds, about
    alone: bool = False  #: only when nothing else runs


def split(assignment: Assignment, suite: Suite, wanted: Collection[str]) -> tuple[list[Check], list[Check]]:
    """The wanted checks of a suite that may run beside others, and those that may not."""
    beside: list[Check] = []
    alone: list[Check] = []
    for check in assignment.checks_of(suite=suite):
        if check.id in wanted:
            apart = check.alone or any(check_before.id in check.needs for check_before in alone)
            (alone if apart else beside).append(check)
    return beside, alone


def cut(checks: Sequence[Check], pieces: int) -> list[Group]:
    """Groups of one suite's checks, at most so many, about as long as each other; the longest first.

    Neighbours in the rubric are joined: their tests are mostly in one file.
    """
    parts = _parts(checks)
    target = max(LEAST, _takes(checks) / max(1, pieces))
    groups, joined = [part for part in parts if _takes(part) >= target], []
    for part in parts:
        if _takes(part) < target:
            joined += part
            if _takes(joined) >= target:
                groups.append(joined)
                joined = []
    groups += [joined] if joined else []
    place = {check.id: number for number, check in enumerate(checks)}
    cut = [group_of(sorted(each, key=lambda check: place[check.id])) for each in groups]
    return sorted(cut, key=lambda group: group.takes, reverse=True)


def group_of(checks: Sequence[Check], *, alone: bool = False) -> Group:
    """One group of these checks of one suite."""
    return Group(tuple(check.id for check in checks), checks[0].suite, _takes(checks), alone)


def _takes(checks: Iterable[Check]) -> float:
    return sum(check.takes for check in checks)


def _parts(checks: Sequence[Check]) -> list[list[Check]]:
    """The connected parts of `needs`, in the order of their first checks."""
    part_of: dict[str, list[Check]] = {}
    for check in checks:
        joined = [check]
        for part in {id(part_of[need]): part_of[need] for need in check.needs if need in part_of}.values():
            joined = part + joined
        for each in joined:
            part_of[each.id] = joined
    return list({id(part): part for part in part_of.values()}.values())
