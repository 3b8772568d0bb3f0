"""kill -9 of ten workers at random moments of one class: every submission is graded, once, in full."""

from __future__ import annotations

import json
import random
import threading

import pytest
from fakes import Runs, hand_in
from machines import Farm

from grader.farm.place import FarmPlace

STUDENTS = tuple(f"student-{number:02d}" for number in range(60))


@pytest.mark.audit
def test_ten_workers_are_killed_in_one_class(runs: Runs, farm: Farm) -> None:
    for student in STUDENTS:
        hand_in(runs.submitted, student)
    dice = random.Random(13)
    working = [farm.worker(f"first-{number}", pause=1.0) for number in range(2)]
    place = FarmPlace(runs.course, farm.address, None, say=print)
    runs.place = place  # type: ignore[assignment]
    thread = threading.Thread(target=lambda: runs.go(workers=place.labs))
    thread.start()
    for number in range(10):
        victim = working.pop(dice.randrange(2))
        for _ in range(dice.randint(1, 3)):
            victim.says("runs ")
        victim.kill()
        working.append(farm.worker(f"next-{number}", pause=1.0))
    assert thread.is_alive(), "the class was over before all were killed: take more students"
    thread.join(200)
    place.close()
    rows = [json.loads(row) for row in (runs.out / "journal.jsonl").read_text().splitlines()]
    assert sorted(row["student"] for row in rows) == sorted(STUDENTS)
    results = [runs.result(student) for student in STUDENTS]
    assert {(result["points"], result["state"]) for result in results} == {(15, "graded")}
