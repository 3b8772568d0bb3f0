"""A grading once more, to see whether it says the same: the same copy, seed and link.

Rule: what comes of it is kept beside the result, in front of nothing. A person decides what a difference means.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from grader.bench.local import Place
from grader.bench.task import Task
from grader.campaign.tasks import make_task
from grader.course import Course
from grader.job.grading import fingerprint_of, grade, seed_of
from grader.job.run import Progress
from grader.record.record import Kept
from grader.record.run_folder import RunFolder
from grader.submission import Submission, take_submission
from grader.verdict.outcomes import Outcomes
from grader.verdict.result import verdicts_of
from harness.course.assignment import Assignment
from harness.errors import SetupError, UsageError


@dataclass(frozen=True)
class Difference:
    """A check that said something else."""

    check: str
    before: str  #: outcome
    now: str


@dataclass(frozen=True)
class Again:
    """One more grading, compared."""

    number: int  #: from 1
    short: str  #: its name in the history
    checks: int  #: how many were run
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Rerun:
    """What is to be graded once more, and with what."""

    course: Course
    run: RunFolder
    place: Place
    secret: bytes
    kept: Kept
    check: str = ""  #: its id; empty: all of them

    def remarks(self) -> list[str]:
        """In what the second grading differs from the first, a sentence each."""
        outcomes = self.kept.outcomes()
        told = []
        if outcomes.versions != self.course.versions(outcomes.assignment):
            told.append("The tests or the harness have changed since: a difference may be theirs.")
        for key, now in (("kind", self.place.kind), ("engine", self.place.engine), ("image", self.place.image or None)):
            if outcomes.lab.get(key) != now:
                told.append(f"The lab's {key} was {outcomes.lab.get(key)}, and is {now}.")
        return told

    def go(self, times: int, show: Callable[[Progress], None]) -> Iterator[Again]:
        """Grade so many times. Raises UsageError, SetupError, LabError, Cancelled."""
        outcomes, assignment = self.kept.outcomes(), self.course.load(self.kept.result["assignment"])
        task = self._task(outcomes, assignment)
        only = [self.check] if self.check else [check.id for check in assignment.checks]
        for number in range(1, times + 1):
            folder = self.run.work / f"rerun-{number}"
            bench = self.place.bench()
            try:
                submission = self._copy(outcomes, folder)
                graded = grade(task, submission, bench, show, known=outcomes, only=only)
                graded = replace(
                    graded, outcomes=replace(graded.outcomes, kind="rerun", only=only if self.check else ())
                )
                self.run.save_rerun(graded)
            finally:
                bench.close()
                shutil.rmtree(folder, ignore_errors=True)
            yield Again(
                number, graded.outcomes.short, len(only), differences(outcomes, graded.outcomes, assignment, only)
            )

    def _copy(self, outcomes: Outcomes, folder: Path) -> Submission:
        """The kept copy once more, as it was. Raises SetupError."""
        wanted = outcomes.submission["hash"]
        kept = self.run.copies.of(wanted or "-")
        if kept is None:
            why = "is not kept any more" if wanted else "was never taken"
            raise SetupError(f"the copy of {self.kept.short} {why}, so it cannot be graded again. Use grader run.")
        copy = take_submission(
            kept, folder / "submission", student=outcomes.student, assignment=outcomes.assignment, unwrap=False
        )
        if copy.hash != wanted:
            raise SetupError(f"{kept} is not what was graded: somebody has changed it. Restore it from a backup.")
        return copy

    def _task(self, outcomes: Outcomes, assignment: Assignment) -> Task:
        seed = seed_of(self.secret, outcomes.student, outcomes.assignment)
        if fingerprint_of(seed) != outcomes.seed["fingerprint"]:
            raise UsageError("the secret is another than the one it was graded with; give that one: --seed")
        return make_task(
            self.course,
            self.place,
            self.place.tools(),
            student=outcomes.student,
            assignment=assignment,
            versions=self.course.versions(assignment.name),
            submission=outcomes.submission["hash"] or "",
            seed=seed,
        )


def differences(
    before: Outcomes, now: Outcomes, assignment: Assignment, only: Collection[str] = ()
) -> tuple[Difference, ...]:
    """The checks that say something else, of `only` those, if they are named."""
    old = {verdict.check.id: verdict.outcome.value for verdict in verdicts_of(before, assignment)}
    new = {verdict.check.id: verdict.outcome.value for verdict in verdicts_of(now, assignment)}
    return tuple(Difference(check, old[check], new[check]) for check in only or old if old[check] != new[check])
