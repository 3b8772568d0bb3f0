"""What stands in the gradebook -> the rows that leave it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from grader.course_file import CourseFile
from grader.gradebook.book import Book
from grader.term.leaving import Column, Mark, System, Undecided, table, undecided
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
    *,
    now: datetime,
) -> str:
    """The text of a file of grades; `possible`: assignment -> the most that it gives.

    Raises UsageError where a person still decides and `word` is None.
    """
    people = roster.active if roster else tuple(Person(id=student) for student in book.students())
    columns = _columns(book, course, ours, possible, system, wanted, now)
    marks = _marks(book, course)
    waiting = undecided(people, columns, marks)
    if waiting and word is None:
        shown = "\n  ".join(waiting[:20])
        more = f"\n  and {len(waiting) - 20} more" if len(waiting) > 20 else ""
        raise UsageError(
            f"a person still decides in {len(waiting)} submissions:\n  {shown}{more}\nDecide them in formgrader, or say"
            " what is to be written: --undecided zero (what is sure by now), --undecided omit (an empty cell)"
        )
    return table(system, people, columns, marks, word)


def _marks(book: Book, course: CourseFile) -> dict[tuple[str, str], Mark]:
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
