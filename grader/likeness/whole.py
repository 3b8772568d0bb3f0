"""The hints of an assignment, from the kept copies of a run to the pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from grader.course import Course
from grader.likeness.container import compared
from grader.likeness.hints import hint_of, view_of
from grader.likeness.sources import gather, request
from grader.record.journal import write_file
from grader.record.run_folder import RunFolder
from grader.reports.likeness_view import hints_page, pair_page
from harness.errors import UsageError

#: The folder in a run; no student can have this name (grader/campaign/plan.py).
FOLDER = "likeness"
#: How many pairs are told.
MOST_PAIRS = 50


def find_hints(
    course: Course, run: RunFolder, assignment: str, say: Callable[[str], None], *, most: int = MOST_PAIRS
) -> tuple[Path, list[dict[str, Any]]]:
    """Compare, and write the pages; where they are, and the pairs. Raises UsageError, LabError, OSError."""
    place = run.work / FOLDER
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    sources, given = gather(run, assignment, course.released(assignment), place)
    if sum(bool(one.files) for one in sources) < 2:
        raise UsageError(f"{run.path} has fewer than two submissions of {assignment} with sources of their own.")
    texts = [one.texts for one in sources]
    said = [hint_of(row, texts) for row in compared(place, request(sources, given, most), say)]
    hints = [hint for hint in said if hint is not None]
    if len(hints) < len(said):
        say(f"{len(said) - len(hints)} lines of the node were no hints; ignored")
    students = [one.student for one in sources]
    rows = view_of(hints, students, [one.files for one in sources])
    return _write(run, assignment, rows, texts, students), rows


def _write(
    run: RunFolder,
    assignment: str,
    rows: Sequence[dict[str, Any]],
    texts: Sequence[dict[str, str]],
    students: list[str],
) -> Path:
    folder = run.path / FOLDER / assignment
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for row in rows:
        page = pair_page(assignment, row, texts)
        write_file(folder / f"pair-{row['number']}.html", page.encode("utf-8"))
    write_file(folder / "index.html", hints_page(assignment, rows, len(students)).encode("utf-8"))
    return folder / "index.html"
