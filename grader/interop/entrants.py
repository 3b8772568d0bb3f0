"""Which submissions of a run take part in the meetings of an assignment: kept copies, taken once more, and built.

Rule: what cannot take part is said in a sentence, and stops no other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from grader.bench.local import Bench
from grader.bench.task import Task
from grader.interop.who import Entrant
from grader.job.built import take_built
from grader.job.run import MARGIN
from grader.job.tester import run_tester
from grader.record.record import Record
from grader.submission import readable_name, take_submission
from harness.course.assignment import Assignment
from harness.course.programs import load_programs
from harness.errors import SubmissionError
from harness.transport.checks.simulation import PROGRAM

#: A file with this name at the root of a submission says that it wants to be on the leaderboard.
OPT_IN = "leaderboard.txt"


def entrants_of(
    record: Record, assignment: Assignment, work: Path, say: Callable[[str], None], only: Sequence[str] = ()
) -> list[Entrant]:
    """Those of an assignment, in the order of their names, copied below `work`; `say` is told of who is left out."""
    found: list[Entrant] = []
    for number, (student, name) in enumerate(sorted(record.journal.finished())):
        if name != assignment.name or (only and student not in only):
            continue
        try:
            found.append(_entrant(record, assignment, student, work / str(number)))
        except SubmissionError as why:
            say(f"{readable_name(student)} takes no part: {why}")
    return found


def _entrant(record: Record, assignment: Assignment, student: str, folder: Path) -> Entrant:
    """Raises SubmissionError."""
    result = record.load(student, assignment.name)
    wanted = str(result["submission"]["hash"] or "") if result is not None else ""
    kept = record.copies.of(wanted or "-")
    if kept is None:
        raise SubmissionError("no graded copy of it is kept.")
    copy = take_submission(kept, folder / "submission", student=student, assignment=assignment.name, unwrap=False)
    if copy.hash != wanted:
        raise SubmissionError("its copy is not what was graded: somebody has changed it. Restore it from a backup.")
    programs = load_programs(assignment.programs, copy.path)
    builds = assignment.build_of(copy.path) is not None
    start = programs[PROGRAM]
    if not builds and len(start) > 1 and start[1].endswith(".py") and not (copy.path / start[1]).is_file():
        raise SubmissionError(f"it has no {start[1]}.")
    return Entrant(student, wanted, copy.path, programs, (copy.path / OPT_IN).is_file(), builds)


def built(entrant: Entrant, task: Task, bench: Bench) -> Entrant:
    """The entrant as it was built on a bench; `task` is of its submission. Raises SubmissionError, Cancelled."""
    build = task.assignment.build_of(entrant.path)
    assert build is not None
    task = replace(task, build=True, pack=True, checks=(), meets=False, seconds=build.timeout + MARGIN)
    ran = run_tester(bench, task)
    assert ran.archive is not None
    with ran.archive:
        if ran.built is None or not ran.built.ok or not ran.packed:
            raise SubmissionError("it cannot be built." if ran.built is not None else f"the lab broke: {ran.broken}")
        ran.archive.seek(0)
        folder = entrant.path.with_name("built")
        take_built(ran.archive, folder, task.assignment.limits.disk_mb << 20)
    return replace(entrant, path=folder, builds=False)
