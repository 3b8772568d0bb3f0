"""One graded submission as plain data: what result.json holds, documented in docs/result.md. Pure.

Rule 1: a result is a function of what happened (`outcomes.py`), the rubric as it is now, and the words of people.
Rule 2: reports are made from this and nothing else, so that they can be made again from the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from grader.course import Versions
from grader.verdict.decisions import Decision, standing
from grader.verdict.outcomes import Outcomes
from grader.verdict.rubric import Ending, Stopped, Verdict, everywhere, judge
from grader.verdict.scoring import StageScore, score_stages, total
from harness.course.assignment import Assignment, Check
from harness.tester.border.records import Phase, Report

#: Version of the format; it grows when a key changes its meaning or goes away.
SCHEMA = 1
#: What of a check's files a row names; None where there is none.
_FILES = ("ladder", "pcapng", "bundle", "ladder_svg", "plot")


def verdicts_of(
    outcomes: Outcomes, assignment: Assignment, decisions: Mapping[str, Decision] | None = None
) -> tuple[Verdict, ...]:
    """A verdict for every check of the rubric as it is now; `decisions` by what they are about."""
    endings: Mapping[str, Ending] = outcomes.endings
    if outcomes.refused:
        endings = everywhere(assignment, Ending(Stopped.REFUSED, outcomes.message))
    elif outcomes.broke:
        endings = everywhere(assignment, Ending(Stopped.OURS))
    new = {check.id: Ending(Stopped.NEW) for check in assignment.checks if check.id not in outcomes.versions.checks}
    endings = {**endings, **({} if outcomes.refused or outcomes.build_log else new)}
    return judge(assignment, outcomes.reports, endings=endings, forbidden=outcomes.forbidden, decisions=decisions)


def result_of(
    outcomes: Outcomes, assignment: Assignment, decisions: Iterable[Decision] = (), versions: Versions | None = None
) -> dict[str, Any]:
    """The result under the rubric as it is now. `versions`: of today's tests, to tell rows that are older."""
    words = standing(decisions, outcomes.submission["hash"])
    verdicts = verdicts_of(outcomes, assignment, words)
    stages = score_stages(assignment, verdicts, words)
    score = total(stages)
    stale = outcomes.stale(versions) if versions is not None else frozenset()
    return {
        "schema": SCHEMA,
        "short": outcomes.short,
        "kind": outcomes.kind,
        "student": outcomes.student,
        "assignment": assignment.name,
        "title": assignment.title,
        "state": _state(outcomes, verdicts, score.undecided),
        "message": "The build failed." if outcomes.build_log else outcomes.message,
        "points": score.points,
        "possible": score.possible,
        "undecided": score.undecided,
        "stages": [_stage_row(row, outcomes.forbidden or {}) for row in stages],
        "checks": [_check_row(assignment, n, verdict, outcomes, stale) for n, verdict in enumerate(verdicts, 1)],
        "build": {"log": outcomes.build_log} if outcomes.build_log else None,
        "submission": dict(outcomes.submission),
        "identity": outcomes.identity,
        "versions": outcomes.versions.base,
        "graded_at": outcomes.graded_at,
        "lab": dict(outcomes.lab),
        "link": link_of(verdict.report for verdict in verdicts),
        "seed": dict(outcomes.seed),
        "phases": phases_of(outcomes.phases),
        "attempts": outcomes.attempts,
        "notes": list(outcomes.notes),
        "log": outcomes.log,
    }


def _state(outcomes: Outcomes, verdicts: Sequence[Verdict], undecided: float) -> str:
    if outcomes.refused:
        return "refused"
    if outcomes.broke:
        return "ours" if undecided else "graded"
    if not undecided:
        return "graded"
    ours = {check for check, ending in outcomes.endings.items() if ending.stopped is Stopped.OURS}
    return "ours" if any(not v.settled.decided and v.check.id in ours for v in verdicts) else "undecided"


def _check_row(
    assignment: Assignment, number: int, verdict: Verdict, outcomes: Outcomes, stale: frozenset[str]
) -> dict[str, Any]:
    check, report = verdict.check, verdict.report or Report(check=verdict.check.id, outcome=verdict.outcome)
    files = outcomes.files.get(check.id, {})
    return {
        "number": number,
        "id": check.id,
        "suite": check.suite,
        "stage": check.stage,
        "outcome": verdict.settled.value,
        "points": verdict.points,
        "possible": check.points,
        "section": check.section,
        "rule": check.rule,
        "hint": check.hint,
        "feedback": check.feedback,
        "message": verdict.message,
        "crashed": report.crashed,
        "because": verdict.because,
        "decided": _decided_check(verdict),
        "stale": check.id in stale,
        "seconds": report.seconds,
        "waited": report.waited,
        "used": report.used,
        "expected": report.expected,
        "seen": report.seen,
        "story": [{"at": step.at, "who": step.who, "what": step.what} for step in report.story or ()],
        "link": dict(report.link) if report.link else None,
        **{what: files.get(what) for what in _FILES},
        "replay": _replay(assignment, check, report.seed),
    }


def _replay(assignment: Assignment, check: Check, seed: str | None) -> str | None:
    """The command that runs a public check again, with the same random data."""
    return f"lab check {assignment.name} --stage {check.stage} --seed {seed}" if seed else None


def _stage_row(row: StageScore, forbidden: Mapping[int, str]) -> dict[str, Any]:
    return {
        "number": row.stage.number,
        "title": row.stage.title,
        "section": row.stage.section,
        "points": row.score.points,
        "possible": row.score.possible,
        "undecided": row.score.undecided,
        "forbidden": forbidden.get(row.stage.number),
        "bonus": row.stage.bonus,
        "decided": _decided(row.decision, row.seen.points, None),
    }


def _decided_check(verdict: Verdict) -> dict[str, Any] | None:
    if verdict.decision is None:
        return None
    return _decided(verdict.decision, replace(verdict, decision=None).points, verdict.outcome.value)


def _decided(word: Decision | None, points: float, outcome: str | None) -> dict[str, Any] | None:
    """A person's word, and what stood there before it."""
    return {**word.shown(), "before": {"outcome": outcome, "points": points}} if word else None


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
