"""The class: students by assignments, what it has not understood, what is open, what is slow. Pure.

Rule: everything here is for instructors, and counted from results and nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from grader.reports.moments import moment, when_of
from grader.reports.view import said_of
from grader.verdict.causes import Cause, causes_of

#: How many causes, slow checks and open ones an assignment shows; and how many causes unfolded.
MOST_CAUSES, MOST_SLOW, MOST_OPEN, FIRST_CAUSES = 12, 5, 60, 5
#: Bars of a histogram: from nothing to everything in equal parts.
BARS = 10


def class_view(results: Sequence[Mapping[str, Any]], course: Mapping[str, Any]) -> dict[str, Any]:
    """Everything on the page of a class. `course`: what is known of `name`, `term`, `when`, `weights`."""
    told = {**next((row["course"] for row in results if row.get("course")), {}), **course}
    latest = max(results, key=lambda row: str(row["graded_at"]), default=None)
    students = sorted({row["student"] for row in results})
    places = {student: number for number, student in enumerate(students, 1)}
    names = sorted({row["assignment"] for row in results})
    weights = told.get("weights") or {}
    tables = [_assignment([row for row in results if row["assignment"] == name], places, weights) for name in names]
    return {
        "name": told.get("name", ""),
        "term": told.get("term", ""),
        "when": told.get("when") or (when_of(latest) if latest else ""),
        "tables": tables,
        "weighed": bool(weights),
        "possible": _possible(tables, weights),
        "rows": _rows(results, tables, places, weights),
        "open": sum(len(table["open"]) for table in tables),
        "stale": sum(bool(check.get("stale")) for row in results for check in row["checks"]),
    }


def _possible(tables: Sequence[Mapping[str, Any]], weights: Mapping[str, float]) -> float:
    """What the last column counts up to: 100 percent where there are weights, else the points' sum."""
    if weights:
        return 100.0
    return float(sum(table["possible"] for table in tables))


def _rows(
    results: Sequence[Mapping[str, Any]],
    tables: Sequence[Mapping[str, Any]],
    places: Mapping[str, int],
    weights: Mapping[str, float],
) -> list[dict[str, Any]]:
    """A row for each student: a cell for each assignment, the total, and what is to be said."""
    found = {(row["student"], row["assignment"]): row for row in results}
    rows = []
    whole = sum(weights.get(table["name"], 0.0) for table in tables)
    for student, place in places.items():
        cells = [found.get((student, table["name"])) for table in tables]
        graded = [row for row in cells if row is not None]
        rows.append(
            {
                "place": place,
                "student": student,
                "cells": cells,
                "total": sum(_worth(row, weights) for row in graded) * (100 / whole if whole else 1.0),
                "states": [row for row in graded if row["state"] != "graded"],
                "said": [(row["assignment"], said) for row in graded if (said := said_of(row))],
                "stale": any(check.get("stale") for row in graded for check in row["checks"]),
            }
        )
    return rows


def _worth(row: Mapping[str, Any], weights: Mapping[str, float]) -> float:
    """What a result adds to the total."""
    if not weights:
        return float(row["points"])
    share = row["points"] / row["possible"] if row["possible"] else 0.0
    return float(weights.get(row["assignment"], 0) * share)


def _assignment(
    rows: Sequence[Mapping[str, Any]], places: Mapping[str, int], weights: Mapping[str, float]
) -> dict[str, Any]:
    latest = max(rows, key=lambda row: str(row["graded_at"]))
    decided = [row for row in rows if row["state"] in ("graded", "refused")]
    points = [row["points"] for row in decided]
    return {
        "name": latest["assignment"],
        "title": latest["title"],
        "possible": latest["possible"],
        "weight": weights.get(latest["assignment"]),
        "stages": [{**stage, "bars": histogram(_stage_shares(decided, stage["number"]))} for stage in latest["stages"]],
        "count": len(rows),
        "states": Counter(row["state"] for row in rows),
        "median": median(points) if points else None,
        "bars": histogram([(row["points"], row["possible"]) for row in decided]),
        "labs": sorted({(row["lab"]["kind"], row["lab"]["engine"]) for row in rows}),
        "unprotected": sorted({row["lab"]["unprotected"] for row in rows if row["lab"]["unprotected"]}),
        "causes": class_causes(rows, places),
        "slowest": _slowest(rows),
        "open": _open(rows, places),
    }


def _stage_shares(rows: Iterable[Mapping[str, Any]], number: int) -> list[tuple[float, float]]:
    return [
        (stage["points"], stage["possible"]) for row in rows for stage in row["stages"] if stage["number"] == number
    ]


def histogram(shares: Iterable[tuple[float, float]]) -> dict[str, Any]:
    """How many have how much: `bars` of (count, share of the highest), and `none`, `some`, `full` in numbers."""
    shares = [(points, possible) for points, possible in shares if possible > 0]
    counts = [0] * BARS
    for points, possible in shares:
        counts[max(0, min(BARS - 1, int(BARS * points / possible)))] += 1
    highest = max(counts, default=0) or 1
    full = sum(points >= possible for points, possible in shares)
    none = sum(points <= 0 for points, _ in shares)
    bars = [(count, count / highest) for count in counts]
    return {"bars": bars, "none": none, "some": len(shares) - none - full, "full": full, "count": len(shares)}


@dataclass
class ClassCause:
    """One reason for lost points, of everybody who has it."""

    kind: str
    title: str
    of: int  #: submissions there are
    check: Mapping[str, Any] | None  #: the check, where it is one
    lost: float = 0.0
    open: float = 0.0
    waiting: int = 0  #: checks that were not run because of it, over all
    students: list[tuple[int, str]] = field(default_factory=list)  #: place of their row, name


def class_causes(rows: Sequence[Mapping[str, Any]], places: Mapping[str, int]) -> list[ClassCause]:
    """Why the class loses points, by root cause, what costs most first."""
    found: dict[tuple[str, str], ClassCause] = {}
    for row in rows:
        for cause in causes_of(row):
            check = row["checks"][cause.own[0]] if cause.kind == "check" else None
            key = (cause.kind, check["id"] if check else _title(cause))
            mine = found.setdefault(key, ClassCause(cause.kind, _title(cause), len(rows), check))
            mine.lost += cause.lost
            mine.open += cause.open
            mine.waiting += len(cause.waiting)
            if (who := (places[row["student"]], row["student"])) not in mine.students[-1:]:
                mine.students.append(who)
    return sorted((one for one in found.values() if one.lost > 0), key=lambda one: (-one.lost, -len(one.students)))


_TITLES = {
    "refused": "The submission could not be run.",
    "build": "The build failed.",
    "unreported": "Checks did not come to an end.",
    "late": "Handed in late.",
    "decision": "A person gave less than the checks.",
}


def _title(cause: Cause) -> str:
    """What is the same for everybody who has it: no message, which names one submission's files."""
    if cause.kind == "forbidden":
        return f"Stage {cause.stage}: a forbidden name."
    return _TITLES.get(cause.kind, cause.text)


def _slowest(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The checks that take longest, by their median."""
    took: dict[str, list[float]] = {}
    checks: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        for check in row["checks"]:
            if check["seconds"]:
                took.setdefault(check["id"], []).append(check["seconds"])
                checks[check["id"]] = check
    slow = sorted(took, key=lambda name: (-median(took[name]), name))[:MOST_SLOW]
    return [{"check": checks[name], "median": median(took[name]), "most": max(took[name])} for name in slow]


def _open(rows: Sequence[Mapping[str, Any]], places: Mapping[str, int]) -> list[dict[str, Any]]:
    """What waits for a person, by cause: a check that others wait for stands for them."""
    return [
        {
            "student": row["student"],
            "assignment": row["assignment"],
            "place": places[row["student"]],
            "points": cause.open,
            "check": row["checks"][cause.own[0]],
            "waiting": len(cause.waiting),
        }
        for row in rows
        for cause in causes_of(row)
        if cause.open and cause.own
    ]


# --- runs ---


def run_row(folder: str, results: Sequence[Mapping[str, Any]], *, left: int = 0, **course: Any) -> dict[str, Any]:
    """What `runs_page` shows of a run in a folder beside that page. `left`: submissions without a result; `course` as
    `class_view` takes it.
    """
    told = {**next((row["course"] for row in results if row.get("course")), {}), **course}
    latest = max((str(row["graded_at"]) for row in results), default="")
    return {
        "folder": folder,
        "name": told.get("name", ""),
        "term": told.get("term", ""),
        "at": latest,
        "when": told.get("when") or moment(latest),
        "students": len({row["student"] for row in results}),
        "submissions": len(results),
        "left": left,
        "open": sum(row["state"] in ("undecided", "ours") for row in results),
        "assignments": sorted({row["assignment"] for row in results}),
    }
