"""kill -9 of the grader at random moments: nothing is lost, doubled, wrong or left. As a program it is a grader."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import pytest
from fakes import ALL, END, FakeBench, FakePlace, Runs, hand_in, packets, report

from grader.bench.local import Ended, OnRecord
from grader.bench.task import Task
from grader.campaign.campaign import Campaign
from grader.campaign.plan import make_plan
from grader.course import Course
from grader.record.run_folder import RunFolder

STUDENTS = tuple(f"student-{number}" for number in range(6))


class Slow(FakeBench):
    """Takes a while for each group, as real ones do."""

    def run(self, task: Task, on_record: OnRecord) -> Ended:
        time.sleep(0.03)
        return super().run(task, on_record)


def grading(course: Path, submitted: Path, out: Path) -> None:
    """What `grader run` does, with benches that follow a script."""
    plan = make_plan(Course(course), submitted)
    records = [report(check, "pass" if check != ALL[1] else "fail", pcapng=packets("x" * 50_000)) for check in ALL]
    place = FakePlace(lambda: Slow([[*records, END]]))
    with RunFolder(out, wait=20) as folder:
        campaign = Campaign(Course(course), folder, place, folder.secret("secret"), workers=3)
        for event in campaign.events(plan.jobs):
            if event.kind == "ends":
                folder.write_index(plan.remarks)


def started(runs: Runs, out: Path) -> subprocess.Popen[bytes]:
    words = [str(path) for path in (runs.course.root, runs.submitted, out)]
    return subprocess.Popen([sys.executable, __file__, *words])


def what_counts(out: Path, student: str) -> Any:
    result = json.loads((out / student / "blocking" / "result.json").read_text())
    for check in result["checks"]:
        if check["pcapng"]:
            assert (out / student / "blocking" / check["pcapng"]).stat().st_size > 50_000
    return [result["points"], result["state"], result["identity"], [check["outcome"] for check in result["checks"]]]


def names(out: Path) -> list[str]:
    """Of all files; those of gradings before have a short id in their names."""
    return sorted(str(path.relative_to(out)) for path in out.rglob("*") if "history" not in path.parts)


@pytest.mark.audit
def test_a_grader_that_is_killed_at_any_moment(runs: Runs, tmp_path: Path) -> None:
    for student in STUDENTS:
        hand_in(runs.submitted, student)
    begun = time.monotonic()
    assert started(runs, tmp_path / "whole").wait() == 0
    took = time.monotonic() - begun
    due = {student: what_counts(tmp_path / "whole", student) for student in STUDENTS}
    dice, killed = random.Random(13), 0
    while killed < 30:
        out = tmp_path / f"run-{killed}"
        first = started(runs, out)
        try:
            first.wait(dice.uniform(0.2, 1.0) * took)
        except subprocess.TimeoutExpired:
            first.kill()
            first.wait()
            killed += 1
        assert started(runs, out).wait() == 0
        assert {student: what_counts(out, student) for student in STUDENTS} == due
        rows = [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]
        assert sorted(row["student"] for row in rows) == sorted(STUDENTS)
        assert names(out) == names(tmp_path / "whole")


if __name__ == "__main__":
    grading(*map(Path, sys.argv[1:]))
