"""A class in the gradebook: 120 students, the four assignments, SQLite. Time, memory, and what a kill -9 leaves.

python bench/gradebook.py [STUDENTS]
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grader.course import this_course
from grader.gradebook import book as books
from grader.gradebook.settings import default_url
from grader.gradebook.sync import Terms, sync
from harness.course.assignment import Assignment
from harness.errors import SetupError

STORY = [
    {"at": 0.01 * n, "who": ("tester", "student", "link")[n % 3], "what": f"step {n} of the story"} for n in range(24)
]


def result_of(assignment: Assignment, student: str, number: int) -> dict[str, Any]:
    """A result in which about a third of the checks fail, each with a story."""
    checks, points = [], dict.fromkeys((stage.number for stage in assignment.stages), 0.0)
    for nth, check in enumerate(assignment.checks, 1):
        passed = (nth * 7 + number) % 3 != 0
        points[check.stage] += check.points if passed else 0.0
        row: dict[str, Any] = {key: getattr(check, key) for key in ("id", "suite", "stage", "section", "rule", "hint")}
        row |= {"number": nth, "feedback": check.feedback, "possible": check.points, "because": None, "seconds": 0.1}
        row |= {"points": check.points if passed else 0.0, "outcome": "pass" if passed else "fail", "crashed": False}
        row |= {"message": "" if passed else "nobody answered", "expected": None, "seen": None, "replay": None}
        row |= dict.fromkeys(("ladder", "ladder_svg", "plot", "pcapng", "bundle"))
        checks.append({**row, "story": [] if passed else STORY})
    stages = [
        {
            "number": stage.number,
            "title": stage.title,
            "section": stage.section,
            "forbidden": None,
            "points": points[stage.number],
            "possible": stage.points,
            "undecided": 0.0,
        }
        for stage in assignment.stages
    ]
    return {
        "student": student,
        "assignment": assignment.name,
        "title": assignment.title,
        "state": "graded",
        "message": "",
        "points": min(sum(points.values()), assignment.points),
        "possible": assignment.points,
        "undecided": 0.0,
        "stages": stages,
        "checks": checks,
        "build": None,
        "graded_at": "2026-11-30T12:00:00+00:00",
        "submission": {"hash": f"{number:064x}", "notes": []},
        "lab": {"engine": "router"},
        "notes": [],
    }


def put_in(folder: Path, students: int) -> None:
    """One sync, as `grader gradebook sync` does it."""
    course = this_course()
    assignments = [course.load(name) for name in course.names()]
    terms = Terms(folder=folder, run=folder / "run", load=course.load, counts_for=lambda _name, who: (who,))

    def results() -> Iterator[dict[str, Any]]:
        for number in range(students):
            for assignment in assignments:
                # As from a run's folder: a text that is read.
                yield json.loads(json.dumps(result_of(assignment, f"student{number:03}", number)))

    begun = time.monotonic()
    with books.opened(folder, default_url(folder), "bench") as book:
        said = sync(book, terms, results())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took = time.monotonic() - begun
    print(f"  {len(said.changes)} changed, {said.same} as before: {took:.1f} s, at most {memory:.0f} MB", flush=True)


def main(students: int) -> None:
    try:
        books.needed()
    except SetupError as error:
        print(f"left out: {error}")
        return
    folder = Path(tempfile.mkdtemp(prefix="gradebook-"))
    words = [sys.executable, __file__, str(students), str(folder)]
    try:
        print(f"{students} students, {len(this_course().names())} assignments")
        with subprocess.Popen(words) as process:
            while len(list(folder.glob("autograded/*"))) < students // 3:
                time.sleep(0.05)
            os.kill(process.pid, signal.SIGKILL)
        print(f"  killed after {len(list(folder.glob('autograded/*/*')))} submissions; again:", flush=True)
        subprocess.run(words, check=True)
        print("  and again, with nothing new:", flush=True)
        subprocess.run(words, check=True)
        shutil.rmtree(folder)
        folder.mkdir()
        print("  from nothing:", flush=True)
        subprocess.run(words, check=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        put_in(Path(sys.argv[2]), int(sys.argv[1]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 120)
