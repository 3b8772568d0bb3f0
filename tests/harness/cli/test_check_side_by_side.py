"""`lab check` with several testers: what is printed does not tell which of them was first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli import check as checking
from harness.course.assignment import Assignment, load_assignment
from harness.tester.border.job import Job, LocalLab
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Built, Forbidden, Phase, Record, Report
from tests.grading import ROOT


def a_report(check: str, outcome: str = "pass", because: str = "") -> Report:
    return Report(check=check, outcome=Outcome(outcome), because=because or None)


def test_reports_come_in_the_rubrics_order_and_after_what_is_forbidden() -> None:
    came = [a_report("c"), a_report("a"), Phase("x", 1.0), Forbidden({1: "no"}), a_report("d"), a_report("b")]
    found = list(checking._in_order("abcde", came))
    assert [getattr(record, "check", type(record).__name__) for record in found] == [
        *("Phase", "Forbidden", "a", "b", "c", "d")
    ]


@pytest.fixture
def solution(tmp_path: Path) -> checking.Solution:
    spec: Assignment = load_assignment(ROOT / "assignments/nonblocking/assignment.toml")
    return checking.Solution(spec, tmp_path, ROOT / "assignments/nonblocking/tests")


def test_what_is_undecided_beside_others_runs_once_more_alone(
    solution: checking.Solution, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = solution.assignment
    doubtful = next(check for check in spec.checks if any(check.id in other.needs for other in spec.checks))
    needs_it = [check.id for check in spec.checks if doubtful.id in check.needs]
    ran: list[list[Job]] = []

    def run_testers(jobs: Sequence[Job]) -> Iterator[Record]:
        ran.append(list(jobs))
        for job in jobs:
            if job.look:
                yield Forbidden({})
            for check in job.checks:
                report = a_report(check)
                if len(ran) == 1 and check == doubtful.id:
                    report = replace(report, outcome=Outcome.INCONCLUSIVE)
                elif len(ran) == 1 and check in needs_it:
                    report = a_report(check, "skipped", doubtful.id)
                yield report

    monkeypatch.setattr(checking, "run_testers", run_testers)
    found = [row for row in checking.run_checks(solution, spec.checks, testers=4) if isinstance(row, Report)]
    assert sorted(row.check for row in found) == sorted(check.id for check in spec.checks)
    assert {row.outcome for row in found} == {Outcome.PASS}
    first, (again,) = ran
    assert len(first) > 1 and [job.look for job in first].count(True) == 1
    assert set(again.checks) >= {doubtful.id, *needs_it}
    assert not set(again.checks) & set(again.outcomes)


def test_what_is_built_is_built_once(solution: checking.Solution, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Sequence[Job]] = []

    def run(jobs: Sequence[Job]) -> Iterator[Record]:
        ran.append(jobs)
        for job in jobs:
            assert isinstance(job.lab, LocalLab) and (job.lab.submission / "made").is_file() and not job.build
        yield from ()

    monkeypatch.setattr(checking, "run_testers", run)
    (solution.folder / "Makefile").write_text("all:\n\ttouch made\n")
    first, *_ = checking.run_checks(solution, solution.assignment.checks, testers=4)
    assert isinstance(first, Built) and first.ok and first.text.startswith("Built with `make` in")
    assert len(ran[0]) > 1


def test_a_build_that_fails_is_an_error_of_every_check(solution: checking.Solution) -> None:
    (solution.folder / "Makefile").write_text("all:\n\tfalse\n")
    first, *others = checking.run_checks(solution, solution.assignment.checks, testers=4)
    assert isinstance(first, Built) and not first.ok and "ended with status 2" in first.text
    assert [(row.check, row.outcome) for row in others if isinstance(row, Report)] == [
        (check.id, Outcome.ERROR) for check in solution.assignment.checks
    ]
