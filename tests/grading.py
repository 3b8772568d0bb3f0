"""Grade a folder for a test: the suites against it, without a campaign around them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader.bench.local import Bench, LocalBench
from grader.bench.task import Task
from grader.course import this_course
from harness.course.programs import load_programs
from harness.tester.border.records import BadRecord, Record, Report, line_of

ROOT = Path(__file__).parent.parent


@dataclass
class Graded:
    """What came of it."""

    reports: dict[str, dict[str, Any]] = field(default_factory=dict)  #: by check, as the tester writes them
    wanted: dict[str, float] = field(default_factory=dict)  #: points of each check that was run

    def hear(self, record: Record | BadRecord) -> None:
        """A record of the tester."""
        if isinstance(record, Report):
            self.reports[record.check] = json.loads(line_of(record))

    @property
    def points(self) -> float:
        """Points of the checks that passed."""
        passed = (check for check, report in self.reports.items() if report["outcome"] == "pass")
        return sum(self.wanted[check] for check in passed)

    @property
    def lost(self) -> dict[str, str]:
        """Checks that gave no points -> outcome and message."""
        return {
            check: f"{self.reports[check]['outcome']}: {self.reports[check]['message']}"
            if check in self.reports
            else "no report"
            for check in self.wanted
            if check not in self.reports or self.reports[check]["outcome"] != "pass"
        }


def grade_locally(folder: Path, assignment: str, *, stages: Iterable[int] = range(100), seed: str = "5") -> Graded:
    """Run all checks of some stages in the local lab."""
    bench = LocalBench(ROOT)
    try:
        return grade(bench, folder, assignment, stages=stages, seed=seed)
    finally:
        bench.close()


def grade(
    bench: Bench,
    folder: Path,
    assignment: str,
    *,
    stages: Iterable[int] = range(100),
    seed: str = "5",
    only: Iterable[str] = (),
) -> Graded:
    """Run all checks of some stages on a bench, or only those of these ids."""
    course = this_course()
    spec = course.load(assignment)
    checks = [check for check in spec.checks if check.stage in stages and (not only or check.id in only)]
    # A check of a later stage may need one of an earlier stage; here it does without.
    graded = Graded(wanted={check.id: check.points for check in checks})

    task = Task(
        student="",
        identity="",
        lab={},
        submission=folder,
        assignment=spec,
        suites=course.suites(assignment),
        checks=list(graded.wanted),
        programs=load_programs(spec.programs, folder),
        build=spec.build_of(folder) is not None,
        seed=seed,
        seconds=300,
        reference=course.reference(assignment),
    )
    bench.run(task, graded.hear)
    return graded
