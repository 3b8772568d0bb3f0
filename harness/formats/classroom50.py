"""Classroom 50's result.json, schema `classroom50/result/v1`.

The contract: github.com/foundation50/classroom50, wiki "Advanced Autograding" and schemas/result-v1.schema.json. It is
written in the student's repository by the classroom's `autograder.py`, so it is for public checks. Its scores are whole
numbers; ours may be quarters, so all of a result are multiplied by the least power of ten that makes them whole.
"""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

from harness.errors import UsageError
from harness.formats.result import CheckResult, Context, Result
from harness.formats.words import explanation, line
from harness.tester.border.outcome import Outcome

#: Our key -> the variable in which the runner says it.
VARIABLES = {
    "classroom": "CLASSROOM",
    "assignment": "ASSIGNMENT",
    "assignment_type": "ASSIGNMENT_TYPE",
    "owner": "OWNER",
    "submission": "SUBMISSION_TAG",
    "commit": "COMMIT_URL",
    "release": "RELEASE_URL",
}
_FACTORS = (1, 10, 100, 1000)


def render(result: Result, context: Context) -> str:
    """The JSON. Raises UsageError where the runner's variables are missing, or for hidden checks."""
    if any(check.suite == "hidden" for check in result.checks):
        raise UsageError("Classroom 50 shows the result in the student's repository: it is for public checks only.")
    told = {**context.environment}
    told.setdefault("OWNER", told.get("USERNAME", ""))
    missing = [name for name in VARIABLES.values() if not told.get(name)]
    if missing:
        raise UsageError(f"Classroom 50's runner sets {', '.join(missing)}, and here nothing does.")
    factor = _factor(result)
    tests = [_test(check, factor) for check in result.checks]
    data = {
        "schema": "classroom50/result/v1",
        **{key: line(told[name]) for key, name in VARIABLES.items()},
        "review": line(told.get("REVIEW_URL") or told["COMMIT_URL"]),
        "datetime": context.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "score": min(round(result.points * factor), round(result.possible * factor)),
        "max-score": round(result.possible * factor),
        "tests": tests,
    }
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


def _factor(result: Result) -> int:
    """The least power of ten that makes all points whole; a thousand where none does."""
    numbers = [number for check in result.checks for number in (check.points, check.possible)]
    whole = (factor for factor in _FACTORS if all((number * factor).is_integer() for number in map(float, numbers)))
    return next(whole, _FACTORS[-1])


def _test(check: CheckResult, factor: int) -> dict[str, Any]:
    possible = round(check.possible * factor)
    return {
        "test-name": line(f"{check.section} {check.title}"),
        "passed": check.outcome is Outcome.PASS,
        "score": min(round(check.points * factor), possible),
        "max-score": possible,
        "output": explanation(check),  # further keys of a test are kept as they are
    }
