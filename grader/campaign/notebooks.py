"""The notebooks of a class, each graded in a node of its own, beside a copy of what was handed in.

Rule: a notebook that was graded is graded again only if it, its questions or what runs it has changed.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from grader.campaign.plan import GradingJob
from grader.course import Course
from grader.job.questions import grade
from grader.questions import cells as released
from grader.questions.result import Answered, to_row
from grader.questions.source import NAME, Source
from grader.questions.submitted import Cell, cells_of
from grader.record.questions import Questions
from grader.submission import take_submission
from harness.errors import SubmissionError
from harness.lab.docker import containers, owner
from harness.lab.docker.images import ensure_notebook
from harness.lab.docker.notebook import Notebooks
from harness.lab.interface import LabError

#: A change of what runs a notebook that could change what becomes of it.
VERSION = "1"


def notebook_image(say: Callable[[str], None]) -> str:
    """The image, made if it is missing. Raises LabError."""
    containers.sweep()
    return ensure_notebook(containers.DockerEngine(), say)


def copies() -> tempfile.TemporaryDirectory[str]:
    """A folder for copies that a node is given; everybody may read what is in it."""
    made = tempfile.TemporaryDirectory(prefix="notebook-", dir=owner.owned_folder())
    Path(made.name).chmod(0o755)
    return made


def grade_class(
    course: Course, kept: Questions, jobs: Sequence[GradingJob], image: str, *, workers: int, again: bool
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """(name, row) of each submission of an assignment that has questions; None: it is as before. Raises CommandError.

    `again`: what waits through no fault of the student's is run once more.
    """
    sources = {name: course.questions(name) for name in {one.assignment.name for one in jobs}}
    work = [(one, source) for one in jobs if (source := sources[one.assignment.name]) is not None]
    with kept.writing(), Notebooks(image) as nodes, ThreadPoolExecutor(workers) as pool:
        yield from pool.map(lambda one: _graded(nodes, kept, one, image, again), work)


def _graded(
    nodes: Notebooks, kept: Questions, work: tuple[GradingJob, Source], image: str, again: bool
) -> tuple[str, dict[str, Any] | None]:
    """Grade one; its row, None if that is done already."""
    one, source = work
    with copies() as name:
        about: dict[str, Any] = {"image": image, "graded_at": datetime.now(UTC).isoformat(timespec="seconds")}
        about["submission"] = {"hash": ""}  # no copy could be taken
        cells: Sequence[Cell] = ()
        outputs: Sequence[Any] = ()
        handed_in, answers, state, message = b"", _nothing(source), "refused", ""
        try:
            copy = Path(name) / "submission"
            taken = take_submission(one.path, copy, student=one.student, assignment=one.assignment.name)
            about["identity"] = _identity(taken.hash, source, image)
            about["submission"] = {"hash": taken.hash}
            before = kept.result(one.student, one.assignment.name)
            if before and before.get("identity") == about["identity"] and not _open(before, again):
                return one.name, None
            cells = cells_of(source, released.unanswered(source))
            if (copy / f"{NAME}.ipynb").is_file():
                handed_in = (copy / f"{NAME}.ipynb").read_bytes()
                cells = cells_of(source, handed_in)
                graded = grade(nodes, copy, source, cells)
                answers, outputs, state = graded.answers, graded.outputs, "graded"
                about.update(attempts=graded.attempts, seconds=round(graded.seconds, 1))
                if any(answer.outcome == "inconclusive" for answer in answers):
                    state = "undecided"
            else:
                state, message = "missing", f"no {NAME}.ipynb was handed in"
        except SubmissionError as why:
            message = str(why)
        except LabError as why:
            state, message = "ours", f"not graded, through our fault: {why}"
            answers = tuple(_ours(answer, str(why)) for answer in answers)
        row = to_row(one.student, one.assignment.name, answers, state=state, message=message, **about)
        if state != "ours":  # what stood there stands
            kept.save(row, cells, outputs, handed_in)
        return one.name, row


def _open(before: dict[str, Any], again: bool) -> bool:
    return again and before.get("state") == "undecided"


def _identity(submission: str, source: Source, image: str) -> str:
    return hashlib.sha256(repr((submission, source, image, VERSION)).encode()).hexdigest()


def _nothing(source: Source) -> tuple[Answered, ...]:
    return tuple(
        Answered(name=one.name, possible=one.points, outcome="fail", fault="submission") for one in source.questions
    )


def _ours(answer: Answered, why: str) -> Answered:
    return Answered(name=answer.name, possible=answer.possible, outcome="inconclusive", fault="ours", message=why)
