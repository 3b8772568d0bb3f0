"""The meetings of a class, on its lanes: who meets whom, one tester for each meeting, and what came of it.

Rule 1: each submission runs in a node of its own, as another user; the course's own runs in the tester only.
Rule 2: everybody meets the course's own first. Who is well nowhere with that meets nobody else: it would teach nothing.
Rule 3: what is undecided is played once more at the end, alone.
Rule 4: the seed is the assignment's: in the same scenario and role all pairs meet the same misfortunes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from typing import Any

from grader.bench.local import Place
from grader.bench.task import Task
from grader.campaign.crowd import Crowd, suffered
from grader.campaign.lanes import Lanes
from grader.campaign.schedule import Schedule, Step, Turn
from grader.campaign.tasks import make_task
from grader.course import Course, Versions
from grader.interop.entrants import built
from grader.interop.found import cells_of, goodput_of
from grader.interop.who import Entrant, Meeting, Played
from grader.job.run import why_improper
from grader.job.tester import broken, run_tester
from grader.submission import readable_name
from harness.course.assignment import Assignment
from harness.errors import SubmissionError
from harness.lab.interface import LabError
from harness.transport.simulation.meetings import GOODPUT_RUNS, MEETINGS, as_assignment, goodput_id, meeting_id
from harness.transport.simulation.scenarios import ROLES

#: Seconds for one meeting, and for one submission's runs on the leaderboard's link, before they are ended from outside.
MOST_SECONDS, MOST_GOODPUT_SECONDS = 240.0, 400.0
#: Seconds of one lane that a meeting takes before any has been played here: to estimate with.
EXPECTED_SECONDS = 4.0


@dataclass
class Meetings:
    """All meetings of one assignment."""

    course: Course
    place: Place
    assignment: Assignment  #: with its own checks
    seed: str  #: of the assignment, hex
    entrants: list[Entrant]
    workers: int
    say: Callable[[str], None]
    known: Callable[[str], Played | None] = lambda _: None  #: what an earlier run knows of an identity

    def __post_init__(self) -> None:
        base = self.course.versions(self.assignment.name).base
        self._versions = Versions(base=f"{base} {self.course.meeting_version(self.assignment.name)}")
        self.version = self._versions.base  #: of everything that decides a meeting, but for the submissions and where
        self._tools = self.place.tools()
        self.crowd = Crowd(max(1, self.workers))

    def build(self) -> None:
        """Build what has to be built; who cannot be built takes no part."""
        wanted = [entrant for entrant in self.entrants if entrant.builds]
        if not wanted:
            return
        with Lanes(self.place, min(len(wanted), self.crowd.most)) as lanes:
            calls = {entrant.student: lanes.submit(self._build, lanes, entrant) for entrant in wanted}
            made: dict[str, Entrant] = {}
            for student, call in calls.items():
                try:
                    made[student] = call.result()
                except (SubmissionError, LabError) as why:
                    self.say(f"{readable_name(student)} takes no part: {why}")
        self.entrants = [made.get(one.student, one) for one in self.entrants if not one.builds or one.student in made]

    def _build(self, lanes: Lanes, entrant: Entrant) -> Entrant:
        with lanes.bench() as bench:
            task = replace(self._task(Meeting(0, None)), submission=entrant.path, assignment=self.assignment)
            return built(entrant, task, bench)

    def play(self, meetings: Sequence[Meeting]) -> Iterator[Played]:
        """Play them, and give back what came of each, in no particular order. Closing the iterator stops the lanes."""
        left = []
        for meeting in meetings:
            if (known := self.known(self.task_of(meeting).identity)) is not None:
                yield replace(known, meeting=meeting)
            else:
                left.append(meeting)
        if left:
            yield from self._play(left)

    def _play(self, meetings: Sequence[Meeting]) -> Iterator[Played]:
        first = [Step(number, meeting) for number, meeting in enumerate(meetings)]
        schedule = Schedule(first, most_open=len(first), machines=self.place.machines)
        running: dict[Future[Played], Step[Meeting]] = {}
        again: set[int] = set()
        lanes = Lanes(self.place, min(self.crowd.most, len(first)))
        try:
            while not schedule.over:
                while (step := schedule.next(self.crowd.now)) is not None:
                    running[lanes.submit(self._one, lanes, step.what)] = step
                done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in done:
                    step, played = running.pop(future), future.result()
                    schedule.ended(step)
                    if self.place.machines == 1:
                        self.crowd.learn(suffered(played.reports.values()))
                    if played.decided or step.job in again:
                        schedule.closes(step.job)
                        yield played
                    else:
                        again.add(step.job)
                        schedule.closes(step.job)
                        schedule.put([Step(step.job, step.what, Turn.LAST)])
        finally:
            if running:
                lanes.cancel()
            lanes.shutdown()

    # -- one meeting -----------------------------------------------------------------------------------------------

    def _one(self, lanes: Lanes, meeting: Meeting) -> Played:
        task = self.task_of(meeting)
        try:
            with lanes.bench() as bench:
                ran = run_tester(bench, task)
        except LabError as error:
            ran = broken(str(error))
        why = ran.broken or ran.ended.stopped or ("its time was up" if ran.ended.late else "") or ran.ended.died
        why = why or why_improper(ran.ended, ran.last)
        found: dict[str, Any] = {"seconds": ran.own, "text": why, "reports": ran.reports}
        if meeting.kind == "goodput":
            return Played(meeting, task.identity, goodput=goodput_of(ran.reports), **found)
        cells = cells_of(ran.reports, alone=meeting.second is None, why=why)
        return Played(meeting, task.identity, cells=cells, **found)

    def task_of(self, meeting: Meeting) -> Task:
        """What a tester is told."""
        first = self.entrants[meeting.first]
        second = None if meeting.second is None else self.entrants[meeting.second]
        task = replace(self._task(meeting), submission=first.path, programs=first.programs)
        if second is None:
            return task
        return replace(task, second=second.path, second_programs=second.programs)

    def _task(self, meeting: Meeting) -> Task:
        places = [meeting.first] if meeting.second is None else [meeting.first, meeting.second]
        hashes = [self.entrants[place].hash for place in places]
        task = make_task(
            self.course,
            self.place,
            self._tools,
            student="",
            assignment=as_assignment(self.assignment, two=meeting.second is not None),
            versions=self._versions,
            submission=f"{meeting.kind} {' '.join(hashes)}",
            seed=self.seed,
        )
        fast = meeting.kind == "goodput"
        return replace(
            task,
            suites={"hidden": self.course.meetings(self.assignment.name)},
            meets=True,
            checks=GOODPUT_CHECKS if fast else MEETING_CHECKS,
            seconds=MOST_GOODPUT_SECONDS if fast else MOST_SECONDS,
        )


MEETING_CHECKS = tuple(meeting_id(one.scenario, role) for one in MEETINGS for role in ROLES)
GOODPUT_CHECKS = tuple(goodput_id(loss, seed) for loss, seeds in GOODPUT_RUNS.items() for seed in seeds)


def hopeless(played: Sequence[Played]) -> set[int]:
    """Who was well in no scenario with the course's own."""
    return {one.meeting.first for one in played if one.cells and all(cell.state != "well" for cell in one.cells)}


def lane_seconds(played: Sequence[Played]) -> float:
    """What a meeting takes in one lane, from those that were played; what is expected, if none was."""
    known = sorted(one.seconds for one in played if one.seconds)
    return known[len(known) // 2] if known else EXPECTED_SECONDS
