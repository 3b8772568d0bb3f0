"""Verdicts -> points. Pure.

Rule: points come from the rubric, never from a record. A score is finite, from 0 to what is possible.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from grader.verdict.decisions import Decision, stage_target
from grader.verdict.rubric import Verdict
from harness.course.assignment import Assignment, Stage


@dataclass(frozen=True)
class Score:
    """What was earned of what. `points + undecided <= possible`."""

    points: float  #: earned
    possible: float  #: at most
    undecided: float  #: neither earned nor lost: waits for a person

    def __str__(self) -> str:
        text = f"{number(self.points)} of {number(self.possible)}"
        return f"{text} ({number(self.undecided)} undecided)" if self.undecided else text


@dataclass(frozen=True)
class StageScore:
    """A stage and what it came to."""

    stage: Stage
    score: Score
    seen: Score  #: what it would be without a person's word on the whole of it
    decision: Decision | None = None  #: a person's word on the whole of it


def score(verdicts: Iterable[Verdict], possible: float) -> Score:
    """The sum of some verdicts, clamped to what is possible."""
    verdicts = list(verdicts)
    possible = _clamp(possible, sys.float_info.max)
    points = _clamp(math.fsum(verdict.points for verdict in verdicts), possible)
    return Score(points, possible, _open(math.fsum(verdict.undecided for verdict in verdicts), points, possible))


def score_stages(
    assignment: Assignment, verdicts: Sequence[Verdict], decisions: Mapping[str, Decision] | None = None
) -> tuple[StageScore, ...]:
    """Stage by stage; a person's word on a whole stage settles all of it."""
    rows = []
    for stage in assignment.stages:
        seen = score((v for v in verdicts if v.check.stage == stage.number), stage.points)
        word = (decisions or {}).get(stage_target(stage.number))
        given = (
            seen if word is None else Score(_clamp(word.points_of(seen.possible), seen.possible), seen.possible, 0.0)
        )
        rows.append(StageScore(stage, given, seen, word))
    return tuple(rows)


def total(stages: Iterable[StageScore]) -> Score:
    """The whole assignment. An extension's points make up for lost ones, and no more."""
    rows = list(stages)
    scores = [row.score for row in rows]
    possible = math.fsum(row.score.possible for row in rows if not row.stage.bonus)
    points = _clamp(math.fsum(one.points for one in scores), possible)
    return Score(points, possible, _open(math.fsum(one.undecided for one in scores), points, possible))


def number(value: float) -> str:
    """Points for people to read.

    >>> number(15.0), number(2.5), number(1 / 3)
    ('15', '2.5', '0.33')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _open(undecided: float, points: float, possible: float) -> float:
    """What is undecided, so that it and the points are never more than what is possible, not by a rounding either."""
    undecided = _clamp(undecided, possible - points)
    return undecided if points + undecided <= possible else math.nextafter(undecided, 0.0)


def _clamp(value: float, most: float) -> float:
    """Between 0 and `most`; NaN is 0. Rounded, so that sums of thirds come out even."""
    if not math.isfinite(value):
        return 0.0
    return min(max(round(value, 6), 0.0), most)
