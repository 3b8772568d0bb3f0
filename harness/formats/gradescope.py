"""Gradescope's results.json.

The format: gradescope-autograders.readthedocs.io, "Autograder Specifications", section "Output Format". Everything is
declared as plain text, so neither Markdown nor HTML is read in it. What is undecided has no `status`.
"""

from __future__ import annotations

import json
from typing import Any

from harness.formats.result import CheckResult, Context, Result
from harness.formats.words import NAMES, counted, explanation, line, points, shown
from harness.tester.border.outcome import Outcome

#: What students may see of a check that is told in full although it is hidden (the instructor's view).
_HIDDEN = "hidden"


def render(result: Result, context: Context) -> str:
    """The JSON. `score` is the result's own: a stage that uses what it forbids gives nothing, whatever passes in it."""
    data: dict[str, Any] = {
        "score": result.points,
        "execution_time": round(sum(check.seconds for check in result.checks)),
        "output": _overall(result),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {"possible": result.possible, "undecided": result.undecided},
        "tests": [_test(check) for check in result.checks],
    }
    if context.leaderboard:
        data["leaderboard"] = [{"name": "Points", "value": result.points, "order": "desc"}]
    return json.dumps(data, indent=1, allow_nan=False) + "\n"


def _overall(result: Result) -> str:
    rows = [result.message, result.remark]
    if result.undecided:
        rows.append(
            f"Undecided, through no fault of yours: {counted(result.undecided)}. That counts as 0 here "
            "until a person has looked."
        )
    rows += [f"{points(result.points)} of {points(result.possible)} points"]
    rows += [
        f"stage {stage.number}  {stage.title}: {points(stage.points)} of {points(stage.possible)}"
        + (f". {stage.message}" if stage.message else "")
        for stage in result.stages
    ]
    return "\n".join(shown(row) for row in rows if row)


def _test(check: CheckResult) -> dict[str, Any]:
    told_in_full = check.suite == "hidden" and (check.story or check.rule)
    row: dict[str, Any] = {
        "score": check.points,
        "max_score": check.possible,
        "name": line(f"{check.section} {check.title}"),
        "name_format": "text",
        "output": explanation(check) or NAMES[check.outcome],
        "output_format": "text",
        "tags": [f"stage {check.stage}", check.suite],
        "visibility": _HIDDEN if told_in_full else "visible",
        "extra_data": {"id": line(check.id), "outcome": check.outcome.value if check.outcome else None},
    }
    if not check.open:
        row["status"] = "passed" if check.outcome is Outcome.PASS else "failed"
    return row
