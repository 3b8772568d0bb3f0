"""How long a corrected rubric takes for a class: 120 students, four assignments, real rubrics, results as large as real
ones. Scores are made again from what happened; nothing is graded.

    .venv/bin/python bench/rescore.py [STUDENTS]
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from grader.course import Versions, this_course
from grader.job.grading import Graded
from grader.record.run_folder import RunFolder
from grader.verdict.outcomes import Outcomes
from harness.actors.story import Step
from harness.course.assignment import Assignment
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Report

STORY = tuple(
    Step(0.01 * n, "tester", f"step {n}: sends 1,024 bytes, of which the first are 'abcdefgh'") for n in range(25)
)


def outcomes(assignment: Assignment, versions: Versions, student: str) -> Outcomes:
    """One submission of which about one check in eight fails."""
    dice = random.Random(f"{student} {assignment.name}")
    reports = {}
    for check in assignment.checks:
        good = dice.random() < 0.88
        reports[check.id] = Report(
            check=check.id,
            outcome=Outcome.PASS if good else Outcome.FAIL,
            seconds=0.2,
            message="" if good else "the server closed the connection after 3 of 10 lines",
            expected=None if good else "10 lines",
            seen=None if good else "3 lines\n" * 10,
            story=STORY,
        )
    return Outcomes(
        student=student,
        assignment=assignment.name,
        graded_at=f"2026-11-30T12:00:00.{dice.randrange(10**6):06d}+00:00",
        identity=f"{dice.getrandbits(256):064x}",
        versions=versions,
        submission={"hash": f"{dice.getrandbits(256):064x}", "files": 4, "bytes": 9000, "notes": []},
        lab={"kind": "docker", "engine": "router", "image": "i", "unprotected": None},
        seed={"fingerprint": "0123456789ab", "note": ""},
        reports=reports,
        attempts=1,
    )


def processor() -> float:
    """Seconds of processor time so far, with those of processes that have ended."""
    return sum(os.times()[:4])


def main() -> None:
    students = int(sys.argv[1]) if len(sys.argv) > 1 else 120
    course = this_course()
    rubrics = {name: (course.load(name), course.versions(name)) for name in course.names()}
    with tempfile.TemporaryDirectory() as scratch, RunFolder(Path(scratch) / "run") as folder:
        begun = time.perf_counter()
        for number in range(students):
            for assignment, versions in rubrics.values():
                folder.save(Graded(outcomes(assignment, versions, f"student-{number:03d}"), assignment))
        print(f"{students} x {len(rubrics)} results kept in {time.perf_counter() - begun:.1f} s")
        begun = time.perf_counter()
        assert folder.rescore(rubrics.__getitem__) == []
        print(f"nothing has changed: {time.perf_counter() - begun:.1f} s")
        assignment, versions = rubrics["blocking"]
        first, second = assignment.checks[:2]
        checks = (replace(first, points=first.points + 0.5), replace(second, points=second.points - 0.5))
        changed = dict(rubrics, blocking=(replace(assignment, checks=(*checks, *assignment.checks[2:])), versions))
        begun = time.perf_counter()
        rows = folder.rescore(changed.__getitem__)
        took = time.perf_counter() - begun
        print(f"points of two checks of one assignment: {took:.1f} s, {len(rows)} have other points")
        worded = {
            name: (replace(one, checks=tuple(replace(check, hint=check.hint + "!") for check in one.checks)), version)
            for name, (one, version) in changed.items()
        }
        begun, used = time.perf_counter(), processor()
        folder.rescore(worded.__getitem__)
        took, used = time.perf_counter() - begun, processor() - used
        print(f"a word in every check of all four: {took:.1f} s, {used:.1f} s of processor time")
        begun = time.perf_counter()
        index = folder.write_index([])
        print(f"the class page: {time.perf_counter() - begun:.1f} s, {index.stat().st_size / 1e3:.0f} KB")


if __name__ == "__main__":
    main()
