"""A specimen: something to grade of which is known what has to become of it. Pure but for what writes its files.

| part | kinds | what has to become of it |
|---|---|---|
| mutants | hand-written, generated | it loses points, in the stage of its bug and nowhere before it |
| alternates | alternate | it passes all that it claims |
| repetition | reference, alternate | the same, each time |
| redteam | attack, empty | it gets what nothing gets, and nothing of it is undecided |
| redteam | deed | something hostile that honest work does besides: nothing of it is undecided |
| redteam | bystander | it is not harmed by the others |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from grader.campaign.plan import GradingJob
from harness.course.assignment import Assignment

Part = Literal["mutants", "alternates", "repetition", "redteam"]
PARTS: tuple[Part, ...] = get_args(Part)
Kind = Literal["hand-written", "generated", "alternate", "reference", "attack", "deed", "bystander", "empty"]


@dataclass(frozen=True, kw_only=True)
class Specimen:
    """One submission to be, and what is known of it."""

    part: Part
    kind: Kind
    name: str  #: for people
    assignment: Assignment  #: with the checks that are to be run
    write: Callable[[Path], None]  #: puts its files into an empty folder
    about: str = ""  #: what it is, in words; of a generated mutant its difference
    stage: int = 0  #: of a mutant: the first stage that may lose points; 0: any
    caught_by: tuple[str, ...] = ()  #: functions of checks of that stage that must not pass
    until_failure: bool = False  #: whether the first check that fails is all that is asked for
    same: str = ""  #: why it is no bug at all, if somebody has found that out
    file: str = ""  #: of the reference, where there is one change

    @property
    def folder(self) -> str:
        """The name of its folder, in the place of a student's."""
        return slug(self.name)

    def job(self, folder: Path) -> GradingJob:
        """What the campaign is told; `folder` holds its files."""
        return GradingJob(self.folder, self.assignment, folder, self.until_failure)


def slug(name: str) -> str:
    """A name as a folder's.

    >>> slug("size: not compared!")
    'size-not-compared'
    """
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.") or "unnamed"


def restricted(assignment: Assignment, checks: Collection[str]) -> Assignment:
    """The assignment with some of its checks; what they need is dropped where it is not among them."""
    kept = [check for check in assignment.checks if check.id in checks]
    kept = [replace(check, needs=tuple(need for need in check.needs if need in checks)) for check in kept]
    return replace(assignment, checks=tuple(kept))


def with_needed(assignment: Assignment, checks: Collection[str]) -> frozenset[str]:
    """Some checks, and all that they build on."""
    found = set(checks)
    for check in reversed(assignment.checks):  # what a check needs stands above it
        if check.id in found:
            found.update(check.needs)
    return frozenset(found)


def function_of(check: str) -> str:
    """The test's name in the id of a check, with its parameters.

    >>> function_of("test_1.py::test_a[b]")
    'test_a[b]'
    """
    return check.partition("::")[2]


def distinct(specimens: Sequence[Specimen]) -> list[Specimen]:
    """The same, with names whose folders differ."""
    taken: dict[tuple[str, str], int] = {}
    found = []
    for one in specimens:
        count = taken[one.folder.lower(), one.assignment.name] = (
            taken.get((one.folder.lower(), one.assignment.name), 0) + 1
        )
        found.append(one if count == 1 else replace(one, name=f"{one.name} ({count})"))
    return found
