"""A result -> the points of each stage's cell in the gradebook. Pure.

Rule 1: what goes in is finite and between 0 and what the stage is worth, whatever a result says.
Rule 2: the cells' sum is the score: an extension's cell is worth nothing by itself (so that the assignment's maximum
        stays what it is), and holds what its points make up for.
Rule 3: what a person gave counts before an extension does, and is never changed here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.course.assignment import Assignment


@dataclass(frozen=True)
class Cell:
    """A graded cell of the notebook `checks`."""

    name: str  #: the grade_id, `stage-<number>`
    title: str
    possible: float  #: the most that formgrader lets a person give
    bonus: float = 0.0  #: an extension's points; 0 for every other stage

    @property
    def number(self) -> int:
        """The stage's."""
        return int(self.name.removeprefix("stage-"))


@dataclass(frozen=True)
class Entry:
    """A cell of a notebook, as nbgrader has to know it."""

    name: str  #: the grade_id
    source: str
    kind: str = "code"  #: or "markdown"
    possible: float | None = None  #: None: it has no points
    open: bool = True  #: a student answers in it, or a person comments on it: it has a box for a comment


@dataclass(frozen=True)
class Given:
    """What a person gave for a stage, each None if nothing."""

    points: float | None = None  #: instead of the automatic ones
    extra: float | None = None  #: on top
    comment: str | None = None

    @property
    def said(self) -> bool:
        """Whether a person decided points."""
        return self.points is not None or bool(self.extra)


@dataclass(frozen=True)
class Automatic:
    """What a run found for a stage."""

    points: float
    undecided: float = 0.0


def cells_of(assignment: Assignment) -> tuple[Cell, ...]:
    """The graded cells of an assignment, a cell for each stage."""
    return tuple(
        Cell(
            f"stage-{stage.number}",
            f"Stage {stage.number}: {stage.title}",
            0.0 if stage.bonus else stage.points,
            stage.points if stage.bonus else 0.0,
        )
        for stage in assignment.stages
    )


def automatic(
    cells: Sequence[Cell], result: Mapping[str, Any] | None, given: Mapping[str, Given]
) -> dict[str, Automatic]:
    """What goes into each cell. Without a result nothing was earned; a stage that it lacks has earned nothing."""
    rows = {f"stage-{row['number']}": row for row in (result["stages"] if result else ())}
    found = {}
    for cell in cells:
        most = cell.bonus or cell.possible
        points = _clamp(rows.get(cell.name, {}).get("points"), most)
        found[cell.name] = Automatic(points, _clamp(rows.get(cell.name, {}).get("undecided"), most - points))
    left = math.fsum(cell.possible for cell in cells) - math.fsum(
        effective(found[cell.name].points, given.get(cell.name, Given())) for cell in cells if not cell.bonus
    )
    for cell in cells:
        if cell.bonus:
            one, theirs = found[cell.name], given.get(cell.name, Given())
            left -= theirs.extra or 0.0
            counts = _clamp(one.points, max(0.0, left))
            found[cell.name] = Automatic(counts, _clamp(one.undecided, max(0.0, left - counts)))
            left -= counts
    return found


def effective(points: float, given: Given) -> float:
    """What a cell counts, as nbgrader adds it up."""
    return (points if given.points is None else given.points) + (given.extra or 0.0)


def needs_a_look(before: float | None, now: Automatic, given: Given, needed: bool) -> bool:
    """Whether a person should look at a stage.

    `before`: its automatic points until now, None for the first time; `needed`: whether a look was due until now.
    """
    if given.points is None:
        return now.undecided > 0
    changed = before is not None and not math.isclose(before, now.points, abs_tol=1e-6)
    if changed:
        return not math.isclose(effective(now.points, given), now.points, abs_tol=1e-6)
    return needed


def _clamp(value: object, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0.0
    return min(max(round(float(value), 6), 0.0), most)
