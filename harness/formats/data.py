"""JSON with everything that a result has, for programs of one's own. Described in docs/formats.md."""

from __future__ import annotations

import json
from typing import Any

from harness.formats.result import CheckResult, Context, Result
from harness.formats.words import line, shown

#: Grows when a key changes its meaning or goes away, not when one is added.
SCHEMA = 1


def render(result: Result, context: Context) -> str:
    """The result as JSON."""
    return json.dumps({**as_data(result), "at": context.now.isoformat()}, indent=1, allow_nan=False) + "\n"


def as_data(result: Result) -> dict[str, Any]:
    """The result as plain data, its texts harmless."""
    return {
        "schema": SCHEMA,
        "assignment": line(result.assignment),
        "title": line(result.title),
        "student": line(result.student),
        "points": result.points,
        "possible": result.possible,
        "undecided": result.undecided,
        "message": shown(result.message),
        "remark": line(result.remark),
        "stages": [
            {
                "number": stage.number,
                "title": line(stage.title),
                "points": stage.points,
                "possible": stage.possible,
                "complete": stage.complete,
                "message": line(stage.message),
            }
            for stage in result.stages
        ],
        "checks": [_check(check) for check in result.checks],
    }


def _check(check: CheckResult) -> dict[str, Any]:
    return {
        "id": line(check.id),
        "suite": check.suite,
        "stage": check.stage,
        "section": line(check.section),
        "rule": line(check.rule),
        "outcome": check.outcome.value if check.outcome else None,
        "points": check.points,
        "possible": check.possible,
        "seconds": check.seconds,
        "message": shown(check.message),
        "expected": shown(check.expected),
        "seen": shown(check.seen),
        "story": [line(step) for step in check.story],
        "hint": line(check.hint),
        "again": line(check.again),
        "place": {"file": line(check.place.file), "line": check.place.line} if check.place else None,
    }
