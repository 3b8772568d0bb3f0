"""A whole run once more, to see whether every verdict says the same: the kept copies, graded as a class is.

Rule 1: what comes of it is kept beside each result, as one rerun is (`again.py`), and in front of nothing.
Rule 2: what has been repeated already, by the same tests in the same lab, is not repeated: started again, it does what
        is left, and what it says is about all of it.
Rule 3: whoever made a class of examples says which of its mistakes are races (expected.toml). A difference there is
        told, and is no surprise.
"""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from grader.bench.local import Place
from grader.campaign.again import Difference, differences
from grader.campaign.campaign import Campaign
from grader.campaign.plan import GradingJob
from grader.course import Course
from grader.job.grading import Graded
from grader.record.record import Kept
from grader.record.run_folder import RunFolder
from grader.submission import readable_name
from grader.verdict.outcomes import Outcomes
from harness.course.assignment import Assignment
from harness.errors import CommandError, UsageError

#: (student, assignment) -> the stages in which luck has a say.
Races = Mapping[tuple[str, str], Collection[int]]


@dataclass(frozen=True)
class Repeated:
    """What the repetitions of one submission say."""

    student: str
    assignment: str
    times: int  #: how often it was repeated
    verdicts: int  #: how many verdicts that were
    differences: tuple[Difference, ...] = ()  #: that nothing explains
    races: tuple[Difference, ...] = ()  #: in stages where luck has a say
    why: str = ""  #: why it cannot be repeated, or was not

    @property
    def name(self) -> str:
        """Whose, in messages."""
        return f"{readable_name(self.student)}/{self.assignment}"


def races_of(path: Path) -> Races:
    """The stages of a class of examples whose points expected.toml says as [low, high]. Raises UsageError."""
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8"))
        return {
            (student, name): {number for number, due in enumerate(row["stages"], 1) if isinstance(due, list)}
            for name, students in rows.items()
            for student, row in students.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} does not say which stages are races ({error}). Give a class's expected.toml, in which"
            " [assignment.student] has stages = [...], with [low, high] where luck has a say."
        ) from None


@dataclass(frozen=True)
class Repetition:
    """What is to be repeated, and where: results of one kind of lab."""

    course: Course
    run: RunFolder
    place: Place
    secret: bytes
    pairs: Sequence[tuple[str, str]]  #: (student, assignment)
    times: int
    races: Races
    workers: int = 1

    def go(self) -> Iterator[str]:
        """Repeat what has not been repeated yet; a name as soon as each is done. Raises SetupError, UsageError."""
        for number in range(1, self.times + 1):
            jobs = [job for pair in self.pairs if (job := self._job(pair, number)) is not None]
            scratch = self.run.work / "again"
            shutil.rmtree(scratch, ignore_errors=True)
            if not jobs:
                continue
            with RunFolder(scratch) as again:
                campaign = Campaign(self.course, again, self.place, self.secret, workers=self.workers)
                for event in campaign.events(jobs):
                    if event.kind == "ends" and self._keep(again, event.job):
                        yield event.job.name

    def said(self) -> list[Repeated]:
        """What all repetitions say that are kept."""
        return [self._said(*pair) for pair in self.pairs]

    def _job(self, pair: tuple[str, str], number: int) -> GradingJob | None:
        """The job of a repetition; None if it has been done, or cannot be."""
        copy = self._copy(self.run.front(*pair))
        if copy is None or len(self._kept(*pair)) >= number:
            return None
        return GradingJob(pair[0], self.course.load(pair[1]), copy)

    def _copy(self, kept: Kept) -> Path | None:
        return self.run.copies.of(kept.result["submission"]["hash"] or "-")

    def _keep(self, again: RunFolder, job: GradingJob) -> bool:
        """Put a new grading beside the result; whether there is one that can be compared."""
        outcomes, before = again.outcomes(job.student, job.assignment.name), self._outcomes(job)
        if outcomes is None or outcomes.broke or before is None:
            return False
        if outcomes.submission["hash"] != before.submission["hash"]:
            return False
        folder = again.folder(job.student, job.assignment.name)
        names = {name for named in outcomes.files.values() for what, name in named.items() if what != "ladder"}
        captures = {name: (folder / name).read_bytes() for name in sorted(names) if (folder / name).is_file()}
        self.run.save_rerun(Graded(replace(outcomes, kind="rerun"), job.assignment, captures))
        return True

    def _outcomes(self, job: GradingJob) -> Outcomes | None:
        return self.run.outcomes(job.student, job.assignment.name)

    def _kept(self, student: str, assignment: str) -> list[Outcomes]:
        """The repetitions of the result in front by today's tests, in this lab, of all its checks."""
        now, found = self.course.versions(assignment), []
        lab = {"kind": self.place.kind, "engine": self.place.engine, "image": self.place.image or None}
        front = self.run.front(student, assignment)
        for kept in self.run.history(student, assignment):
            if kept.result.get("kind") != "rerun" or kept.result["graded_at"] < front.result["graded_at"]:
                continue
            outcomes = kept.outcomes()
            same = outcomes.submission["hash"] == front.result["submission"]["hash"] and not outcomes.stale(now)
            here = all(outcomes.lab.get(key) == value for key, value in lab.items())
            if same and here and outcomes.seed == front.result["seed"] and not outcomes.only:
                found.append(outcomes)
        return found

    def _said(self, student: str, assignment: str) -> Repeated:
        front = self.run.front(student, assignment)
        if self._copy(front) is None:
            why = "its copy is not kept any more" if front.result["submission"]["hash"] else "its copy was never taken"
            return Repeated(student, assignment, 0, 0, why=why)
        try:
            before, rubric = front.outcomes(), self.course.load(assignment)
        except CommandError as error:
            return Repeated(student, assignment, 0, 0, why=str(error))
        again = self._kept(student, assignment)[: self.times]
        found = [one for now in again for one in differences(before, now, rubric)]
        lucky = _checks_of(rubric, self.races.get((student, assignment), ()))
        return Repeated(
            student,
            assignment,
            len(again),
            len(again) * len(rubric.checks),
            tuple(one for one in found if one.check not in lucky),
            tuple(one for one in found if one.check in lucky),
            "" if len(again) == self.times else "the grader could not finish it: the same command again tries it",
        )


def _checks_of(assignment: Assignment, stages: Collection[int]) -> set[str]:
    return {check.id for check in assignment.checks if check.stage in stages}


def in_all(rows: Sequence[Repeated]) -> dict[str, Any]:
    """The figures of all of them."""
    verdicts = sum(row.verdicts for row in rows)
    other, lucky = sum(len(row.differences) for row in rows), sum(len(row.races) for row in rows)
    whole = [row for row in rows if not row.why]
    return {"submissions": len(whole), "verdicts": verdicts, "agree": verdicts - other - lucky} | {
        "races": lucky,
        "differ": other,
        "left": len(rows) - len(whole),
    }
