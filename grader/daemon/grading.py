"""One push: its files as data, its verdict, and what its student is told meanwhile."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from grader.bench.local import Place
from grader.campaign.campaign import Campaign
from grader.campaign.plan import GradingJob
from grader.collect.git import Mirror
from grader.course import Course
from grader.course_file import CourseFile
from grader.daemon.budget import Budget
from grader.daemon.told import Stages, Tell, verdict_of
from grader.daemon.whose import Source, roster_of, rules_of, source_of
from grader.push.folder import PushFolder
from grader.push.order import Push
from grader.record.journal import write_file
from grader.record.run_folder import RunFolder
from grader.reports import pages
from grader.reports.source import source_page
from grader.reports.view import student_view
from harness.course.assignment import Assignment
from harness.errors import SetupError, SubmissionError

#: Seconds to wait for somebody else who writes into the run of pushes (`grader decide`, `grader rescore`).
_PATIENCE = 600.0


@dataclass(frozen=True)
class Verdict:
    """What became of a push."""

    state: Literal["done", "lost"]  #: lost: through our fault; it costs nothing, and the same may be pushed again
    said: str  #: in a line
    view: Mapping[str, Any] | None = None  #: what the student may see; None if nothing was graded
    page: str = ""  #: where the student's page is, a path or an address
    public_only: str = ""  #: why hidden checks were not run; empty if they were


class Stopped(Exception):
    """Somebody stopped the daemon in the middle of a grading."""


class Grader:
    """Grades pushes, one at a time."""

    def __init__(
        self, ours: Course, folder: PushFolder, place: Place, *, workers: int, stopped: Callable[[], bool]
    ) -> None:
        self._ours, self._folder, self._place, self._workers = ours, folder, place, workers
        self._stopped = stopped
        self._budget = Budget(folder.kept / "verdicts.jsonl")
        self._index_is_old: set[Path] = set()
        self._work = folder.kept / "work"
        shutil.rmtree(self._work, ignore_errors=True)  # what a daemon that was killed has left
        self._work.mkdir()
        pages.load()  # somebody waits for the first page, too
        source_page({"a.py": b"", "a.c": b""})

    def grade(self, course: CourseFile, push: Push, tell: Tell) -> Verdict:
        """The verdict on a push. Raises SubmissionError (it is refused), another CommandError (ours), Stopped."""
        roster = roster_of(course)
        source = source_of(course, rules_of(course, self._ours, roster), roster, push)
        assignment = self._ours.load(push.assignment)
        shown = course.shown(push.assignment, datetime.now(UTC), push.student)
        opens = course.assignment(push.assignment).opens
        if opens is not None and push.pushed < opens.timestamp():
            raise SubmissionError(f"{push.assignment} opens on {course.local(opens)}.")
        if shown == "nothing":
            raise SubmissionError("what was earned is shown after the deadline.")
        left = self._budget.left(push, course.assignment(push.assignment).verdicts_per_day, course.zone)
        why = "" if left.any else left.in_words()
        if shown == "public" and not why:
            why = "Hidden checks are not run on push before the deadline."
        tell(f"Grading {push.assignment} at {push.commit[:8]}.")
        if (due := course.due(push.assignment, push.student)) is not None and push.pushed > due.timestamp():
            tell(f"It was pushed after the deadline ({course.local(due)}). {course.late.in_words()}")
        with tempfile.TemporaryDirectory(dir=self._work, ignore_cleanup_errors=True) as scratch:
            for note in self._fetch(source, push, Path(scratch) / "submission"):
                tell(note)
            job = GradingJob(push.student, public_part(assignment) if why else assignment, Path(scratch) / "submission")
            return self._run(course, push, job, tell, why)

    def _fetch(self, source: Source, push: Push, target: Path) -> list[str]:
        """The files of the commit into a new folder; what was left out."""
        mirror = mirror_of(self._folder, source.address, source.header)
        if not mirror.has(push.commit):
            mirror.fetch(push.ref)
        if not mirror.has(push.commit):
            raise SubmissionError(f"the commit {push.commit[:8]} is not there any more: it was pushed away.")
        files = mirror.files(push.commit)
        files.keep_within(push.assignment)
        files.write(target)
        return files.notes

    def _run(self, course: CourseFile, push: Push, job: GradingJob, tell: Tell, why: str) -> Verdict:
        stages = Stages(job.assignment, tell)
        result, broke, said = None, "", ""
        path = self._folder.kept / ("public" if why else "run")
        with RunFolder(path, course=course, wait=_PATIENCE) as run:
            secret = run.secret(course.read_secret())
            campaign = Campaign(self._ours, run, self._place, secret, self._workers, stopped=self._stopped)
            for event in campaign.events([job]):
                if event.kind == "goes on" and event.progress:
                    stages.see(event.progress)
                elif event.kind == "waits":
                    tell("Some checks are undecided, and are run once more, alone.")
                elif event.kind == "is scored" and event.result:
                    if not (why or event.result["state"] in ("ours", "refused")):
                        self._budget.spend(push, course.zone)  # before it is told
                    said = _told(event.result, stages, tell, why)
                elif event.kind == "ends":
                    result = event.result
                broke = event.text if event.kind == "breaks" else broke
            self._index_is_old.add(path)
            if self._stopped():
                raise Stopped
            if result is None:
                raise SetupError(broke or "the grading was ended")
            page = self._publish(course, run.folder(push.student, push.assignment) / "student.html", push)
        view = student_view(result)
        if result["state"] == "ours":
            return Verdict("lost", str(view["message"]), view, page, why)
        said = said or _told(result, stages, tell, why)  # it was known before
        tell(f"Page: {page}")
        return Verdict("done", said, view, page, why)

    def _publish(self, course: CourseFile, page: Path, push: Push) -> str:
        """Put a student's page where a web server finds it; where that is."""
        if course.push.pages is None:
            return str(page)
        target = course.push.pages / push.student / f"{push.assignment}.html"
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, page.read_bytes())
        names = {"{student}": quote(push.student), "{assignment}": quote(push.assignment)}
        link = course.push.link
        for word, name in names.items():
            link = link.replace(word, name)
        return link or str(target)

    def write_index(self, course: CourseFile) -> None:
        """The class as a page, of the runs that have changed. Raises CommandError, OSError."""
        for path in sorted(self._index_is_old):
            self._index_is_old.discard(path)
            with RunFolder(path, course=course, wait=0.0) as run:
                run.write_index()


def _told(result: Mapping[str, Any], stages: Stages, tell: Tell, why: str) -> str:
    """Tell a result, and give back its first line; nothing, if it is none through our fault."""
    if result["state"] == "ours":
        return ""
    view = student_view(result)
    if not view["first"] or not view["first"].none_ran:
        stages.end(view["stages"])
    lines = verdict_of(view, public_only=why)
    for text in lines:
        tell(text)
    return lines[0]


def mirror_of(folder: PushFolder, address: str, header: tuple[str, str] | None) -> Mirror:
    """Where commits of a repository are fetched to."""
    name = hashlib.sha256(address.encode()).hexdigest()[:20]
    return Mirror(folder.kept / "mirrors" / f"{name}.git", address, header)


def public_part(assignment: Assignment) -> Assignment:
    """The same with its public checks only: stages are worth what these are worth."""
    checks = assignment.checks_of(suite="public")
    stages = []
    for stage in assignment.stages:
        points = sum(check.points for check in checks if check.stage == stage.number)
        if points:
            stages.append(dataclasses.replace(stage, points=points))
    numbers = {stage.number for stage in stages}
    kept = tuple(check for check in checks if check.stage in numbers)
    return dataclasses.replace(assignment, checks=kept, stages=tuple(stages), public=True)
