"""What stands in the gradebook -> the rows that leave it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from grader.course_file import CourseFile
from grader.gradebook.book import Book
from grader.gradebook.files import read_ours
from grader.gradebook.handed import Submitted
from grader.questions.source import NAME as NOTEBOOK
from grader.term.leaving import Column, Mark, System, Undecided, table, undecided, waiting
from grader.term.roster import Person, Roster
from harness.errors import UsageError
from harness.text.nearest import nearest


def exported(
    book: Book,
    course: CourseFile,
    roster: Roster | None,
    ours: Collection[str],
    possible: Callable[[str], float],
    system: System,
    wanted: Sequence[str],
    word: Undecided | None,
    submitted: Submitted,
    *,
    now: datetime,
    asked: Collection[str] = (),
) -> tuple[str, list[str]]:
    """The text of a file of grades, and who has no grade yet; `possible`: assignment -> the most that it gives.

    `asked`: the assignments whose notebook of questions counts.
    Raises UsageError where somebody has no grade, or a person still decides, and `word` is None.
    """
    columns = _columns(book, course, ours, possible, system, wanted, now)
    everybody = sorted({*book.students(), *submitted.students(one.name for one in columns)})
    people = roster.active if roster else tuple(Person(id=student) for student in everybody)
    marks = _marks(book, course, people, columns, submitted, now, asked)
    open_, waits = undecided(people, columns, marks), waiting(people, columns, marks)
    if word is None and (open_ or waits):
        raise UsageError(
            f"{_listed(open_, 'a person still decides in', 'Decide them in formgrader')}"
            f"{_listed(waits, 'there is no grade yet of', _remedy(asked))}"
            "Or say what is to be written where a person decides: --undecided zero (what is sure by now), --undecided"
            " omit (an empty cell). Where there is no grade yet, the cell stays empty."
        )
    return table(system, people, columns, marks, word), waits


def _remedy(asked: Collection[str]) -> str:
    questions = " and grader questions grade" if asked else ""
    return f"Grade them: grader run{questions}, then grader gradebook sync"


def _listed(lines: Sequence[str], what: str, remedy: str) -> str:
    if not lines:
        return ""
    more = f"\n  and {len(lines) - 20} more" if len(lines) > 20 else ""
    shown = "\n  ".join(lines[:20])
    return f"{what} {len(lines)} submission{'' if len(lines) == 1 else 's'}:\n  {shown}{more}\n{remedy}.\n"


def _marks(
    book: Book,
    course: CourseFile,
    people: Sequence[Person],
    columns: Sequence[Column],
    submitted: Submitted,
    now: datetime,
    asked: Collection[str],
) -> dict[tuple[str, str], Mark]:
    """Everybody's points, or why there are none yet."""
    marks = _earned(book, course)
    for column in columns:
        for person in people:
            key = person.id, column.name
            why = _waits(course, submitted, person.id, column, graded=key in marks, now=now)
            if not why and column.name in asked:
                why = _questions_wait(course, submitted, person.id, column.name)
            if why:
                marks[key] = Mark(0.0, waits=why)
    return marks


def _waits(
    course: CourseFile, submitted: Submitted, student: str, column: Column, *, graded: bool, now: datetime
) -> str:
    who = submitted.counting(column.name, student)
    if who is not None:
        ours = read_ours(course.folder, student, column.name) if graded else {}
        if not ours:
            return "handed in, and not graded yet"
        if ours.get("worse") is not None and submitted.hash(column.name, who) == ours["worse"]:
            return ""
        return submitted.newer(column.name, str(ours.get("of") or student), str(ours.get("hash") or ""))
    own = (course.due(column.name, one) for one in submitted.group(column.name, student))
    due = max(filter(None, own), default=now)
    return "" if graded or not column.over or due <= now else f"may be handed in until {course.local(due)}"


def _questions_wait(course: CourseFile, submitted: Submitted, student: str, assignment: str) -> str:
    """Why there are no points yet for the questions of what was handed in; empty if there are."""
    if submitted.counting(assignment, student) is None:
        return ""
    ours = read_ours(course.folder, student, assignment, NOTEBOOK)
    if not ours:
        return "handed in, and its questions are not graded yet"
    newer = submitted.newer(assignment, str(ours.get("of") or student), str(ours.get("hash") or ""))
    return f"its questions: {newer}" if newer else ""


def _earned(book: Book, course: CourseFile) -> dict[tuple[str, str], Mark]:
    """What stands in the gradebook: the stages, and the questions where they count."""
    found = {(row.student, row.assignment): Mark(row.points, row.penalty, row.needed) for row in book.rows()}
    for row in book.questions.rows():
        if course.assignment(row.assignment).questions:
            one = found.get((row.student, row.assignment), Mark(0.0))
            whole = Mark(one.points + row.points, one.penalty, (*one.open, *row.needed))
            found[row.student, row.assignment] = whole
    return found


def _columns(
    book: Book,
    course: CourseFile,
    ours: Collection[str],
    possible: Callable[[str], float],
    system: System,
    wanted: Sequence[str],
    now: datetime,
) -> list[Column]:
    """The assignments in the gradebook that the course has; nbgrader's own are left to its export."""
    known = [name for name in book.assignments() if name in ours]
    for name in wanted:
        if name not in known:
            raise UsageError(f'the gradebook has no assignment "{name}". {nearest(name, known)}')
    names = [name for name in known if not wanted or name in wanted]
    if not names:
        raise UsageError("the gradebook is empty. Fill it first: grader gradebook sync")
    if system is System.gradescope and len(names) > 1:
        raise UsageError(f"a file for Gradescope holds one assignment. Name it: --assignment {names[0]}")
    columns = []
    for name in names:
        about = course.assignment(name)
        called = getattr(about, system.value, "") if system is not System.plain else ""
        over = about.due is None or about.due < now
        columns.append(Column(name, possible(name), about.weight, called, over))
    return columns
