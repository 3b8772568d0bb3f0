"""What a student is told of a push, line by line: made of the student's view and of points, never of more. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from grader.job.run import Progress
from grader.verdict.rubric import Verdict
from grader.verdict.scoring import number
from harness.course.assignment import Assignment, Stage
from harness.formats.words import counted, line

#: Says one line.
Tell = Callable[[str], None]


def stage_line(number_: int, title: str, points: float, possible: float, undecided: float, *, over: bool = True) -> str:
    """One stage; `over`: nothing more will come of it.

    >>> stage_line(2, "Serving", 4, 10, 0)
    '✗ stage 2, Serving: 4 of 10 points'
    """
    sign = "–" if undecided else "✓" if points >= possible else "✗"
    waits = f", {number(undecided)} undecided{'' if over else ' so far'}" if undecided else ""
    return line(f"{sign} stage {number_}, {title}: {number(points)} of {number(possible)} points{waits}")


class Stages:
    """Tells each stage as it ends, and again what has changed by the end."""

    def __init__(self, assignment: Assignment, tell: Tell) -> None:
        self._assignment, self._tell = assignment, tell
        self._told: dict[int, str] = {}

    def see(self, progress: Progress) -> None:
        """A check has begun or reported."""
        for stage in self._assignment.stages:
            wanted = {check.id for check in self._assignment.checks_of(stage=stage.number)}
            if stage.number not in self._told and wanted and wanted <= progress.reported:
                self._say(stage.number, _line_so_far(stage, progress.verdicts))

    def end(self, stages: Sequence[Mapping[str, Any]]) -> None:
        """All is over: `stages` of a student's view."""
        for row in stages:
            text = stage_line(row["number"], row["title"], row["points"], row["possible"], row["undecided"])
            if self._told.get(row["number"]) != text:
                self._say(row["number"], text)

    def _say(self, stage: int, text: str) -> None:
        self._told[stage] = text
        self._tell(text)


def _line_so_far(stage: Stage, verdicts: Sequence[Verdict]) -> str:
    mine = [verdict for verdict in verdicts if verdict.check.stage == stage.number]
    points = math.fsum(verdict.points for verdict in mine)
    undecided = math.fsum(verdict.undecided for verdict in mine)
    possible = math.fsum(verdict.check.points for verdict in mine)
    return stage_line(stage.number, stage.title, points, possible, undecided, over=False)


def points_of(view: Mapping[str, Any]) -> str:
    """The sum of a student's view, in one line."""
    waits = f", {number(view['undecided'])} undecided" if view["undecided"] else ""
    return line(f"{number(view['points'])} of {counted(view['possible'])}{waits}")


def first_cause(view: Mapping[str, Any]) -> list[str]:
    """What to mend before anything else, with its rule; nothing where all is well."""
    if view["first"]:
        first = view["first"]
        return [line(f"First: {first.text} {first.advice}".strip())]
    reason = view["next"]
    if reason is None:
        return []
    check = reason.check
    costs = "; ".join(filter(None, (f"costs {counted(reason.lost)}", reason.costs)))
    told = [line(f"First: section {check['section']}: {reason.title} ({costs})")]
    said = check.get("message") or check.get("feedback") or ""
    told += [line(f"  {said}")] if said and said != reason.title else []
    told += [line(f"  hint: {check['hint']}")] if check.get("hint") else []
    return told


def verdict_of(view: Mapping[str, Any], *, public_only: str) -> list[str]:
    """The verdict, but for its page. `public_only`: why hidden checks were not run."""
    what = " (public checks only)" if public_only else ""
    lines = [f"{points_of(view)}{what}.", *first_cause(view)]
    lines += [line(public_only)] if public_only else []
    return lines
