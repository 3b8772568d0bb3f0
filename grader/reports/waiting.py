"""What waits for a person: each undecided check, why, and what to type. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grader.reports.explain import commands


@dataclass(frozen=True)
class Waiting:
    """An undecided check, with those that wait for it."""

    student: str
    assignment: str
    check: str
    points: float  #: that hang on it, its followers' as well
    followers: int
    cause: str
    commands: Sequence[str]


def waiting(results: Iterable[Mapping[str, Any]], run: str) -> list[Waiting]:
    """The queue: what most points hang on first."""
    rows = [row for result in results if result["undecided"] for row in _of_one(result, run)]
    return sorted(rows, key=lambda row: (-row.points, row.assignment, row.student))


def _of_one(result: Mapping[str, Any], run: str) -> list[Waiting]:
    if not result["checks"] or result["state"] == "ours":
        first = "The grading broke through our fault: the same grader run grades it again."
        why = result["message"] or next((str(note) for note in reversed(result["notes"])), "")
        return [_row(result, "(all)", result["undecided"], 0, f"{first} {why}".strip(), [])]
    decided = {stage["number"] for stage in result["stages"] if stage.get("decided")}
    undecided = [c for c in result["checks"] if c["outcome"] == "inconclusive" and c["stage"] not in decided]
    ids = {check["id"]: check for check in undecided}
    rows = []
    for check in undecided:
        if _root(check, ids) is not check:
            continue
        behind = [other for other in undecided if other is not check and _root(other, ids) is check]
        points = sum(one["possible"] for one in (check, *behind))
        told = commands(result, check, run)
        rows.append(_row(result, check["id"], points, len(behind), _cause(check), told))
    return rows


def _root(check: Mapping[str, Any], ids: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The check that this one waits for in the end."""
    seen = {check["id"]}
    while (before := ids.get(check["because"] or "")) is not None and before["id"] not in seen:
        seen.add(before["id"])
        check = before
    return check


def _cause(check: Mapping[str, Any]) -> str:
    if check["message"]:
        return str(check["message"])
    if check.get("waited", 0.0) > 0.2 * max(check["seconds"], 0.1):
        return "The machine had no processor to give."
    return "The lab could not tell."


def _row(
    result: Mapping[str, Any], check: str, points: float, followers: int, cause: str, commands: Sequence[str]
) -> Waiting:
    return Waiting(result["student"], result["assignment"], check, points, followers, cause, commands)
