"""All meetings of an assignment in a run, from the kept copies to the pages.

Rule: however it ends, what was played is kept, and the same command again plays the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from grader.bench.local import Place
from grader.course import Course
from grader.course_interop import InteropSettings
from grader.interop import pages
from grader.interop.entrants import entrants_of
from grader.interop.found import Goodput, means_of
from grader.interop.names import key_of, pseudonyms
from grader.interop.pairs import pairs
from grader.interop.play import EXPECTED_SECONDS, Meetings, hopeless, lane_seconds
from grader.interop.table import key_of_meeting, played_of, row_of, table_of
from grader.interop.who import Meeting, Played
from grader.record.meetings import MeetingsFolder
from grader.record.run_folder import RunFolder
from harness.course.assignment import Assignment
from harness.errors import UsageError
from harness.transport.checks.meeting import goodput_of_own
from harness.transport.segments import load_wire
from harness.transport.simulation.meetings import GOODPUT_RUNS


@dataclass(frozen=True)
class Progress:
    """How far it is."""

    done: int  #: meetings
    all: int  #: as far as is known
    seconds: float  #: of one lane that a meeting takes
    failing: int  #: cells so far


@dataclass
class Interop:
    """One call of `grader interop`."""

    course: Course
    run: RunFolder
    place: Place
    assignment: Assignment
    secret: bytes
    settings: InteropSettings
    workers: int
    say: Callable[[str], None]
    peers: int | None = None  #: how many others each meets; None: all
    students: Sequence[str] = ()  #: only these
    played: list[Played] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = MeetingsFolder(self.run.path, self.assignment.name)
        self._key = key_of(self.secret, self.assignment.name)

    def go(self) -> Iterator[Progress]:
        """Play everything, and write the pages. Raises UsageError, SetupError, LabError, OSError."""
        entrants = entrants_of(self.run, self.assignment, self.run.work / "interop", self.say, self.students)
        self.meetings = meetings = Meetings(
            self.course,
            self.place,
            self.assignment,
            self._key.hex(),
            entrants,
            self.workers,
            self.say,
            known=self._known,
        )
        meetings.build()
        if not meetings.entrants:
            raise UsageError(
                f"nobody in {self.run.path} has a submission of {self.assignment.name} that can meet others."
            )
        try:
            yield from self._play()
        finally:
            self.write(complete=False)
        self.write(complete=True)

    def _play(self) -> Iterator[Progress]:
        entrants = self.meetings.entrants
        alone = [Meeting(place, None) for place in range(len(entrants))]
        listed = [Meeting(place, None, "goodput") for place, one in enumerate(entrants) if one.listed]
        listed = listed if self.settings.leaderboard else []
        later = len(pairs([one.student for one in entrants], self.peers, self._key)) + len(listed)
        yield from self._some(alone, later)
        left = [place for place in range(len(entrants)) if place not in hopeless(self.played)]
        chosen = pairs([entrants[place].student for place in left], self.peers, self._key)
        yield from self._some([*(Meeting(left[one], left[two]) for one, two in chosen), *listed], 0)

    def _some(self, meetings: Sequence[Meeting], later: int) -> Iterator[Progress]:
        known = len(self.played)
        for played in self.meetings.play(meetings):
            self.played.append(played)
            if played.reports:
                self._keep(played)
            failing = sum(cell.state == "fails" for one in self.played for cell in one.cells)
            every = known + len(meetings) + later
            yield Progress(len(self.played), every, lane_seconds(self.played), failing)

    # -- what is kept ----------------------------------------------------------------------------------------------

    def _known(self, identity: str) -> Played | None:
        row = self.folder.known(key_of_meeting(identity))
        played = played_of(row) if row is not None else None
        return played if played is not None and played.identity == identity and played.decided else None

    def _keep(self, played: Played) -> None:
        stories, files = pages.seen_of(played)
        self.folder.keep(key_of_meeting(played.identity), {**row_of(played), "stories": stories}, files)

    @property
    def _own_identity(self) -> str:
        return f"own{self.meetings.version}"

    def _own(self) -> list[Goodput] | None:
        """What the course's own does on the leaderboard's link; None where nobody asked to be on it."""
        if not any(one.meeting.kind == "goodput" for one in self.played):
            return None
        identity = self._own_identity
        if (known := self._known(identity)) is not None:
            return list(known.goodput or ())
        self.say("measuring the course's own on the leaderboard's link")
        folder = self.course.reference(self.assignment.name)
        wire = load_wire(folder / "term.toml")
        found = means_of(
            {loss: [goodput_of_own(folder, wire, loss, s) for s in seeds] for loss, seeds in GOODPUT_RUNS.items()}
        )
        played = Played(Meeting(-1, None, "goodput"), identity, goodput=found)
        self.folder.keep(key_of_meeting(identity), row_of(played), {})
        return found

    def write(self, *, complete: bool) -> None:
        """interop.json and all pages, of what was played."""
        entrants = self.meetings.entrants
        table = table_of(
            self.assignment,
            entrants,
            self.played,
            pseudonyms=pseudonyms([one.student for one in entrants], self._key),
            hopeless=hopeless(self.played),
            figures=self._own() if complete else None,
            possible=self.settings.points,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            when=self.run.pages.when(datetime.now(UTC).isoformat()),
            peers=self.peers,
            complete=complete,
            lab={"kind": self.place.kind, "engine": self.place.engine, "unprotected": self.place.unprotected},
        )
        kept = {key_of_meeting(one) for one in (self._own_identity, *(played.identity for played in self.played))}
        pages.write(self.folder, table, kept)


def expected(count: int, peers: int | None, workers: int, seconds: float = EXPECTED_SECONDS) -> tuple[int, float]:
    """How many meetings a class of so many has, and how long they take (seconds)."""
    met = pairs([str(place) for place in range(count)], peers, b"")
    return count + len(met), (count + len(met)) * seconds / max(1, workers)
