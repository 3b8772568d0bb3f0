"""A run whose submissions are kept, without grading them: what meetings begin with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from grader.bench.local import LocalPlace
from grader.campaign.tasks import make_task
from grader.course import this_course
from grader.job.grading import Grading, seed_of
from grader.record.run_folder import RunFolder
from grader.submission import take_submission

COURSE = this_course()


def kept(path: Path, submissions: Mapping[str, Path], assignment: str = "transport") -> None:
    """A run in `path` that has a copy of each submission, by student, and a result in which nothing was decided."""
    place = LocalPlace(COURSE.root)
    loaded, versions = COURSE.load(assignment), COURSE.versions(assignment)
    with RunFolder(path) as run:
        for number, (student, folder) in enumerate(submissions.items()):
            target = run.work / str(number) / "submission"
            copy = take_submission(folder, target, student=student, assignment=assignment)
            seed = seed_of(run.secret(None), student, assignment)
            task = make_task(
                COURSE,
                place,
                {},
                student=student,
                assignment=loaded,
                versions=versions,
                submission=copy.hash,
                seed=seed,
            )
            run.save(Grading(task, copy, lambda _: None).graded(), versions)
