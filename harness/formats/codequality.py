"""GitLab's Code Quality report: what a merge request shows at file and line.

The format: docs.gitlab.com, "Code Quality", section "Code Quality report format": a list of findings, each with
`description`, `check_name`, `fingerprint`, `severity`, `location.path` and `location.lines.begin`. GitLab shows a path
below the repository only, so a check without a place in a program is told at the place of its test.
"""

from __future__ import annotations

import hashlib
import json

from harness.formats.result import CheckResult, Context, Result
from harness.formats.words import headline, line


def render(result: Result, context: Context) -> str:
    """The findings as JSON; a check that has no place at all is in the JUnit report only."""
    del context
    found = [_finding(result, check) for check in result.checks if check.place and (check.failed or check.open)]
    return json.dumps(found, indent=1) + "\n"


def _finding(result: Result, check: CheckResult) -> dict[str, object]:
    assert check.place is not None
    severity = "info" if check.open else "major" if result.is_due(check.stage) else "minor"
    stage = next((stage for stage in result.stages if stage.number == check.stage), None)
    said = (stage.message if stage else "") or headline(check)
    return {
        "description": line(f"{check.section} {check.title} {said}"),
        "check_name": line(f"{result.assignment}/{check.id}"),
        # What stays the same while its line moves: GitLab tells a new finding from a known one by it.
        "fingerprint": hashlib.sha256(f"{result.assignment}\n{check.id}".encode("utf-8", "replace")).hexdigest(),
        "severity": severity,
        "location": {"path": line(check.place.file), "lines": {"begin": check.place.line}},
    }
