"""A person's word on a check or a stage: it wins over what was seen, and can be taken back. Pure.

Rule 1: a decision is about one graded copy, by its hash. It outlives every rescore and rerun of that copy, and says
        nothing of another one.
Rule 2: the latest word on a check or a stage counts; the earlier ones stay to be read.
Rule 3: what was seen stays beside it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

#: Version of a decision as it is kept.
SCHEMA = 1

#: What a person gives: all of the points, none, so many, or nothing any more: what was seen counts again.
Given = Literal["pass", "fail"] | float | None


class BadDecision(ValueError):
    """This is no decision; the text says why."""


#: A number of points, as a person writes it.
_POINTS = re.compile(r"\s*[-+]?(\d{1,9}(\.\d{0,9})?|\.\d{1,9})\s*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One person's word."""

    id: str  #: short, of its own
    student: str
    assignment: str
    submission: str  #: hash of the copy it is about; empty: no copy could be taken
    target: str  #: a check's id, "stage N", or "question NAME"
    given: Given
    because: str
    by: str
    at: str  #: UTC, ISO 8601
    source: str = "grader decide"  #: where it was said: here, or in formgrader

    @property
    def taken_back(self) -> bool:
        """Whether it only takes back the word before it."""
        return self.given is None

    def points_of(self, possible: float) -> float:
        """What it gives of so many points, never more."""
        if self.given == "pass":
            return possible
        return min(self.given, possible) if isinstance(self.given, float) else 0.0

    def to_row(self) -> dict[str, Any]:
        """As it is kept."""
        return {"schema": SCHEMA, **vars(self)}

    def shown(self) -> dict[str, Any]:
        """As a result tells it."""
        return {key: getattr(self, key) for key in ("id", "given", "because", "by", "at", "source")}


def decision_of(row: Mapping[str, Any]) -> Decision:
    """The decision in a row as it is kept. Raises BadDecision."""
    keys = [key for key in Decision.__dataclass_fields__ if key not in ("given", "source")]
    for key in keys:
        if not isinstance(row.get(key), str):
            raise BadDecision(f'"{key}" is missing')
    given = row.get("given")
    if given not in ("pass", "fail", None):
        given = points(given)
    source = row.get("source")
    return Decision(**{key: row[key] for key in keys}, given=given, source=source if isinstance(source, str) else "")


def points(value: object) -> float:
    """A number of points that a person gives. Raises BadDecision."""
    written = isinstance(value, str) and _POINTS.fullmatch(value)  # float() takes 1_0, 1e1 and other digits, too
    kept = isinstance(value, int | float) and not isinstance(value, bool)
    number = float(value) if written or kept else math.nan  # type: ignore[arg-type]
    if not math.isfinite(number) or number < 0:
        raise BadDecision(f"{str(value)[:40]!r} is not pass, fail or a number of points")
    return number + 0.0  # -0.0 is 0.0


def standing(decisions: Iterable[Decision], submission: str | None) -> dict[str, Decision]:
    """Target -> the word that counts for a copy. `decisions` in the order in which they were said.

    A submission that could not be taken has no hash: what is said of it holds until a copy can be taken.
    """
    latest = {one.target: one for one in decisions if one.submission == (submission or "")}
    return {target: one for target, one in latest.items() if not one.taken_back}


def stage_target(number: int) -> str:
    """What a decision on a whole stage is about.

    >>> stage_target(3)
    'stage 3'
    """
    return f"stage {number}"


def question_target(name: str) -> str:
    """What a decision on a question of a notebook is about: it counts in the gradebook, and in no stage.

    >>> question_target("why")
    'question why'
    """
    return f"question {name}"


def is_of_question(target: str) -> bool:
    """Whether a decision is about a question of a notebook."""
    return target.startswith(question_target(""))
