"""One graded submission as plain data: what result.json holds, documented in docs/result.md. Pure.

Rule: reports are made from this and nothing else, so that they can be made again from the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from grader.verdict.pictures import Looks, names_of
from grader.verdict.rubric import Verdict
from grader.verdict.scoring import score_stages, total
from harness.course.assignment import Assignment, Check
from harness.tester.border.records import MOST_TEXT, Phase, Report, cut
from harness.transport.pictures import artefacts

#: Version of the format; it grows when a key changes its meaning or goes away.
SCHEMA = 1


def checks_of(assignment: Assignment, verdicts: Sequence[Verdict], looks: Looks) -> list[dict[str, Any]]:
    """A row per check, in the rubric's order. `looks`: the files there are to look at."""
    return [_check_row(assignment, number, verdict, looks) for number, verdict in enumerate(verdicts, 1)]


def _check_row(assignment: Assignment, number: int, verdict: Verdict, looks: Looks) -> dict[str, Any]:
    check, report = verdict.check, verdict.report or Report(check=verdict.check.id, outcome=verdict.outcome)
    return {
        "number": number,
        "id": check.id,
        "suite": check.suite,
        "stage": check.stage,
        "outcome": verdict.outcome.value,
        "points": verdict.points,
        "possible": check.points,
        "section": check.section,
        "rule": check.rule,
        "hint": check.hint,
        "feedback": check.feedback,
        "message": verdict.message,
        "crashed": report.crashed,
        "because": verdict.because,
        "seconds": report.seconds,
        "waited": report.waited,
        "used": report.used,
        "expected": report.expected,
        "seen": report.seen,
        "story": [{"at": step.at, "who": step.who, "what": step.what} for step in report.story or ()],
        "link": dict(report.link) if report.link else None,
        "ladder": _ladder(looks.get(check.id, {})),
        **names_of(number, check, looks),
        "replay": _replay(assignment, check, report.seed),
    }


def _replay(assignment: Assignment, check: Check, seed: str | None) -> str | None:
    """The command that runs a public check again, with the same random data."""
    return f"lab check {assignment.name} --stage {check.stage} --seed {seed}" if seed else None


def _ladder(files: Mapping[str, bytes]) -> str | None:
    """The ladder as text, cut as every text of a result is."""
    return cut(files[artefacts.TEXT].decode("utf-8"), MOST_TEXT) if artefacts.TEXT in files else None


def stages_of(
    assignment: Assignment, verdicts: Sequence[Verdict], forbidden: Mapping[int, str]
) -> list[dict[str, Any]]:
    """A row per stage."""
    return [
        {
            "number": row.stage.number,
            "title": row.stage.title,
            "section": row.stage.section,
            "points": row.score.points,
            "possible": row.score.possible,
            "undecided": row.score.undecided,
            "forbidden": forbidden.get(row.stage.number),
            "bonus": row.stage.bonus,
        }
        for row in score_stages(assignment, verdicts)
    ]


def points_of(assignment: Assignment, verdicts: Sequence[Verdict]) -> dict[str, float]:
    """The sum over the stages: points, possible, undecided."""
    score = total(score_stages(assignment, verdicts))
    return {"points": score.points, "possible": score.possible, "undecided": score.undecided}


def link_of(reports: Iterable[Report | None]) -> dict[str, Any] | None:
    """What the link did over all checks: counters added, the worst lateness. None if no check got that far."""
    links = [report.link for report in reports if report and report.link]
    if not links:
        return None
    counters = ("packets", "delivered", "lost", "duplicated", "reordered", "overflowed", "engine_drops")
    return {
        "engine": next((link["engine"] for link in links if isinstance(link.get("engine"), str)), "unknown"),
        **{name: sum(_integer(link.get(name)) for link in links) for name in counters},
        "late_p99": max((_float(link.get("late_p99")) for link in links), default=0.0),
    }


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def phases_of(phases: Iterable[Phase]) -> list[dict[str, Any]]:
    """The measured parts; the same name twice is added up."""
    seconds: dict[str, float] = {}
    for phase in phases:
        seconds[phase.name] = seconds.get(phase.name, 0.0) + phase.seconds
    return [{"name": name, "seconds": round(value, 4)} for name, value in seconds.items()]
