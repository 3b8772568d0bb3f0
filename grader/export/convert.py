"""A reader's view of a result (grader/reports/view.py) -> what the formats are made from. Pure.

Rule: it is given a view and never the result, so that no format tells a student what the student's page does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from harness.formats.result import CheckResult, Result, StageResult
from harness.tester.border.outcome import Outcome

#: States in which nobody has decided, so that no check has failed.
_OURS = "ours"
WAITS = "Some points wait for a person: they are neither earned nor lost."
NEVER_RAN = "No check was run."


def result_of(view: Mapping[str, Any], *, student: str = "") -> Result:
    """What the formats tell of a view; `student` is a name, empty where it is nobody's business."""
    checks = tuple(_checks(view))
    stages = tuple(_stage(stage, checks) for stage in view["stages"])
    return Result(
        assignment=view["assignment"],
        title=view["title"],
        student=student,
        points=float(view["points"]),
        possible=float(view["possible"]),
        undecided=float(view["undecided"]),
        message=_message(view),
        stages=stages,
        checks=checks,
        remark=WAITS if view["undecided"] and view["state"] != _OURS else "",
    )


def _message(view: Mapping[str, Any]) -> str:
    """What stands on top of the page, and the end of what a failed build said."""
    first = view["first"]
    told = f"{first.text} {first.advice}".strip() if first and not _by_stage(view) else view["message"]
    log = (view["build"] or {}).get("log", "")
    return f"{told}\n{log}" if log else told


def _by_stage(view: Mapping[str, Any]) -> bool:
    """Whether what stands on top is of single stages, which say it themselves."""
    return not view["message"] and not view["build"] and any(stage["forbidden"] for stage in view["stages"])


def _stage(stage: Mapping[str, Any], checks: tuple[CheckResult, ...]) -> StageResult:
    mine = [check for check in checks if check.stage == stage["number"]]
    return StageResult(
        number=stage["number"],
        title=stage["title"],
        points=float(stage["points"]),
        possible=float(stage["possible"]),
        complete=bool(mine) and all(check.outcome is Outcome.PASS for check in mine) and not stage["forbidden"],
        open=any(check.open for check in mine) and not any(check.failed for check in mine),
        message=stage["forbidden"] or "",
    )


def _checks(view: Mapping[str, Any]) -> Iterator[CheckResult]:
    hidden: Counter[str] = Counter()
    for stage in view["stages"]:
        for check in stage["checks"]:
            name = check.get("id", "")
            if not name:  # a student reads of a hidden check where its rule is, and no name
                hidden[check["section"]] += 1
                name = f"hidden {check['section']} ({hidden[check['section']]})"
            yield _check(stage["number"], check, name)


def _check(stage: int, check: Mapping[str, Any], name: str) -> CheckResult:
    outcome = Outcome(check["outcome"])
    steps = [step for part in ("first", "folded", "last") for step in (check.get("story") or {}).get(part) or ()]
    story = tuple(f"{step['at']:7.3f} s  {step['who']}  {step['what']}" for step in steps)
    return CheckResult(
        id=name,
        suite=check["suite"],
        stage=stage,
        section=check["section"],
        rule=check.get("rule") or "",
        outcome=outcome,
        points=float(check["points"]),
        possible=float(check["possible"]),
        seconds=float(check.get("seconds") or 0.0),
        message=_said(check, outcome),
        expected=check.get("expected") or "",
        seen=check.get("seen") or "",
        story=story,
        hint=check.get("hint") or "",
        again=check.get("replay") or "",
    )


def _said(check: Mapping[str, Any], outcome: Outcome) -> str:
    """What broke: the message of a check that is told, the author's text of a hidden one."""
    if outcome is Outcome.PASS:
        return ""
    told = check.get("message") or check.get("feedback") or ""
    return told if told or outcome is not Outcome.FAIL else NEVER_RAN
