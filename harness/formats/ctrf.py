"""CTRF, the Common Test Report Format (github.com/ctrf-io/ctrf, docs/specification; npm's `ctrf` has its schema)."""

from __future__ import annotations

import json
from typing import Any

from harness.formats.result import CheckResult, Context, Result
from harness.formats.words import explanation, headline, line
from harness.tester.border.outcome import Outcome

SPECIFICATION = "0.0.0"
_STATES = {
    Outcome.PASS: "passed",
    Outcome.FAIL: "failed",
    Outcome.TIMEOUT: "failed",
    Outcome.ERROR: "failed",
    Outcome.SKIPPED: "skipped",
    Outcome.INCONCLUSIVE: "other",
    None: "other",
}


def render(result: Result, context: Context) -> str:
    """The report as JSON. Times are in milliseconds; the run ends at `context.now`."""
    states = [_STATES[check.outcome] for check in result.checks]
    stop = round(context.now.timestamp() * 1000)
    summary: dict[str, Any] = {"tests": len(states)}
    summary |= {state: states.count(state) for state in ("passed", "failed", "skipped", "pending", "other")}
    summary |= {"start": stop - round(sum(check.seconds for check in result.checks) * 1000), "stop": stop}
    summary["extra"] = {"points": result.points, "possible": result.possible, "undecided": result.undecided}
    data = {
        "reportFormat": "CTRF",
        "specVersion": SPECIFICATION,
        "generatedBy": "lab",
        "results": {
            "tool": {"name": "lab check"},
            "summary": summary,
            "tests": [_test(result, check) for check in result.checks],
            "extra": {"assignment": line(result.assignment), "message": line(result.message)},
        },
    }
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


def _test(result: Result, check: CheckResult) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": line(f"{check.section} {check.title}"),
        "status": _STATES[check.outcome],
        "duration": round(check.seconds * 1000),
        "suite": [line(result.assignment), f"stage {check.stage}"],
        "testId": line(f"{result.assignment}/{check.id}"),
        "rawStatus": check.outcome.value if check.outcome else "no report",
        "tags": [check.suite],
        "extra": {"points": check.points, "possible": check.possible, "section": line(check.section)},
    }
    if check.outcome is not Outcome.PASS:
        row |= {"message": headline(check), "trace": explanation(check)}
    if check.place:
        row |= {"filePath": line(check.place.file), "line": check.place.line}
    return row
