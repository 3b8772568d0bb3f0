"""A course's file, its roster and its receipts -> what a sync has to know."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

from grader.course_file import CourseFile
from grader.gradebook.book import Book
from grader.gradebook.handed import Submitted, moment
from grader.gradebook.left import LEFT, bring_back, give_back, set_aside
from grader.gradebook.settings import default_url
from grader.gradebook.sync import Terms
from grader.term.late import Handed, Lateness, ledger
from grader.term.receipts import Receipt, current
from grader.term.roster import Roster, read_roster
from harness.course.assignment import Assignment
from harness.errors import SetupError, cause_of


def url_of(course: CourseFile) -> str:
    """The address of a course's gradebook. Postgres by the driver that `make course` brings."""
    url = course.gradebook or default_url(course.folder)
    return url.replace("postgresql://", "postgresql+psycopg://", 1)


def roster_of(course: CourseFile) -> Roster | None:
    """Who takes part; None where no roster was given, and everybody does. Raises SetupError, UsageError."""
    try:
        return read_roster(course.roster.read_bytes(), str(course.roster))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SetupError(f"{course.roster} cannot be read: {cause_of(error)}.") from None


def members(course: CourseFile, roster: Roster | None, assignment: str, student: str) -> tuple[str, ...]:
    """Whom a submission counts for that lies in a student's folder."""
    if roster is None:
        return (student,)
    return roster.counts_for(student, groups=course.assignment(assignment).groups)


def terms_of(
    course: CourseFile,
    run: Path,
    roster: Roster | None,
    receipts: Collection[Receipt],
    load: Callable[[str], Assignment],
    *,
    possible: Callable[[str], float],
    now: datetime,
) -> Terms:
    """What a sync has to know; `possible`: assignment -> the most that it gives."""
    moments = moments_of(course, roster, receipts)
    load = cache(load)  # each reads a file

    def lateness(assignment: str, student: str) -> Lateness | None:
        known = (student, assignment) in moments
        return latenesses(course, student, moments)[assignment] if known else None

    def penalty(assignment: str, student: str) -> float | None:
        late = lateness(assignment, student)
        return None if late is None else late.penalty(possible(assignment))

    def words(assignment: str, student: str) -> str:
        late = lateness(assignment, student)
        return "" if late is None else late.in_words(possible(assignment))

    return Terms(
        folder=course.folder,
        run=run,
        load=load,
        counts_for=lambda assignment, student: members(course, roster, assignment, student),
        due=course.due,
        shown=lambda assignment, student: course.shown(assignment, now, student),
        when=lambda iso: course.local(datetime.fromisoformat(iso)),
        handed_in=lambda assignment, student: moments.get((student, assignment)),
        penalty=penalty,
        late=words,
        newer=handed_in(course, roster, receipts).newer,
        best=lambda assignment: course.assignment(assignment).keep == "best",
    )


def moments_of(
    course: CourseFile, roster: Roster | None, receipts: Iterable[Receipt]
) -> dict[tuple[str, str], datetime]:
    """(student, assignment) -> when it was handed in, for every member of a group."""
    found: dict[tuple[str, str], datetime] = {}
    for (folder, assignment), receipt in current(receipts).items():
        for student in members(course, roster, assignment, folder):
            found[student, assignment] = max(receipt.moment, found.get((student, assignment), receipt.moment))
    return found


def handed_in(course: CourseFile, roster: Roster | None, receipts: Iterable[Receipt]) -> Submitted:
    """What lies in submitted/."""
    return Submitted(
        course.submitted, current(receipts), lambda assignment, student: members(course, roster, assignment, student)
    )


def one_for_each_group(
    pairs: Iterable[tuple[str, str]], course: CourseFile, roster: Roster | None, receipts: Iterable[Receipt]
) -> tuple[list[tuple[str, str]], list[str]]:
    """The (student, assignment) that count, and what is to be said: of a group's members the last who handed in."""
    known = current(receipts)
    found: dict[tuple[str, tuple[str, ...]], tuple[str, str]] = {}
    remarks = []
    for pair in sorted(pairs):
        student, assignment = pair
        who = members(course, roster, assignment, student) or (student,)
        before = found.get((assignment, who))
        found[assignment, who] = max(
            filter(None, (before, (student, assignment))), key=lambda pair: moment(known, *pair)
        )
        if before is not None:
            counts = found[assignment, who][0]
            remarks.append(f"{before[0]} and {student} of one group both handed in {assignment}: {counts}'s counts.")
    return sorted(found.values()), remarks


def latenesses(course: CourseFile, student: str, moments: Mapping[tuple[str, str], datetime]) -> dict[str, Lateness]:
    """A student's whole term."""
    names = sorted({row.name for row in course.assignments} | {name for who, name in moments if who == student})
    return ledger(
        course.late, [Handed(name, course.due(name, student), moments.get((student, name))) for name in names]
    )


def people(book: Book, folder: Path, roster: Roster | None, *, say: Callable[[str], None]) -> None:
    """A row for everybody who takes part, and none for who has left."""
    if roster is None:
        return
    for person in roster.people:
        if person.active:
            if bring_back(folder, person.id):
                say(f"{person.id} takes part again: brought back from {folder / LEFT / person.id}")
            book.student(person.id, first=person.first, last=person.last, mail=person.mail)
        elif set_aside(book, folder, person.id):
            say(f"{person.id} has left: kept in {folder / LEFT / person.id}, and out of every count")
    known = {person.id for person in roster.people}
    for student in book.students():
        if student not in known:
            say(f"{student} is in the gradebook, and not in the roster. Add a row, with active = no for who has left.")


def who_is_back(book: Book, folder: Path, roster: Roster | None) -> None:
    """What people gave those who take part again."""
    for person in roster.active if roster else ():
        give_back(book, folder, person.id)
