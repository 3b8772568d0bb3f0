"""The gradebook's rows -> the CSV that Canvas, Moodle, Gradescope and people take. Pure.

Rule 1: everybody who takes part has a row; who has left has none.
Rule 2: points that a person still decides never leave by accident: there is a word for each of them, or no file.
Rule 3: 0 is written for who was graded so, and for who handed in nothing by the own deadline; not for what was handed
        in and waits to be graded, nor for whose extension still runs. Their cells stay empty, and they are named.

The columns: Canvas takes Student, ID, SIS User ID, SIS Login ID and Section before the assignments, and the row "Points
Possible" below the names. Moodle's import is told by hand which column names the student (ID number or Email address).
Gradescope has no import of grades; its file has the columns of its own export.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from grader.term.roster import Person
from grader.term.table import write_table


class Undecided(StrEnum):
    """What is written where a person still decides."""

    zero = "zero"  #: what is sure by now; the rest is nothing
    omit = "omit"  #: nothing: the cell stays empty


class System(StrEnum):
    """Who reads the file."""

    canvas = "canvas"
    moodle = "moodle"
    gradescope = "gradescope"
    plain = "plain"


@dataclass(frozen=True)
class Mark:
    """One student's points in one assignment."""

    points: float  #: without the penalty
    penalty: float = 0.0
    open: tuple[str, ...] = ()  #: what a person still decides
    waits: str = ""  #: why there is no grade yet, in words; the points then are none

    def final(self, possible: float) -> float:
        """What counts: within what is possible, less the penalty, never below nothing."""
        return round(max(0.0, min(self.points, possible) - self.penalty), 6)


@dataclass(frozen=True)
class Column:
    """One assignment."""

    name: str
    possible: float
    weight: float = 1.0
    called: str = ""  #: by the system that reads the file; empty: its name
    over: bool = True  #: whether it was due: who handed in nothing then has 0, else an empty cell

    @property
    def title(self) -> str:
        """What stands above it."""
        return self.called or self.name


Marks = Mapping[tuple[str, str], Mark]  #: (student, assignment) ->


def undecided(people: Sequence[Person], columns: Sequence[Column], marks: Marks) -> list[str]:
    """What a person still decides, a line for each submission."""
    return _told(people, columns, marks, lambda mark: ", ".join(mark.open))


def waiting(people: Sequence[Person], columns: Sequence[Column], marks: Marks) -> list[str]:
    """Who has no grade yet and may get one, a line for each."""
    return _told(people, columns, marks, lambda mark: mark.waits)


def _told(people: Sequence[Person], columns: Sequence[Column], marks: Marks, words: Callable[[Mark], str]) -> list[str]:
    pairs = [(person.id, column.name) for column in columns for person in people]
    return [f"{who}/{name}: {words(marks[who, name])}" for who, name in pairs if words(marks.get((who, name), Mark(0)))]


def table(
    system: System, people: Sequence[Person], columns: Sequence[Column], marks: Marks, word: Undecided | None
) -> str:
    """The file for one system. For Gradescope `columns` is one assignment. `word` may be None if nothing is open."""

    def cell(person: Person, column: Column) -> float | str:
        mark = marks.get((person.id, column.name))
        if mark is None:
            return 0.0 if column.over else ""
        if mark.waits or (mark.open and word is not Undecided.zero):
            return ""
        return mark.final(column.possible)

    return _WRITERS[system](people, columns, cell, marks)


_Cell = Callable[[Person, Column], float | str]


def _canvas(people: Sequence[Person], columns: Sequence[Column], cell: _Cell, _marks: Marks) -> str:
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    rows: list[list[object]] = [["    Points Possible", "", "", "", "", *(column.possible for column in columns)]]
    for person in people:
        name = f"{person.last}, {person.first}" if person.last and person.first else person.name
        rows.append([name, person.canvas, "", person.id, person.section, *(cell(person, one) for one in columns)])
    return write_table([*head, *(column.title for column in columns)], rows)


def _moodle(people: Sequence[Person], columns: Sequence[Column], cell: _Cell, _marks: Marks) -> str:
    head = ["First name", "Last name", "ID number", "Email address"]
    rows = [
        [person.first, person.last, _number(person), person.mail, *(cell(person, one) for one in columns)]
        for person in people
    ]
    return write_table([*head, *(column.title for column in columns)], rows)


def _number(person: Person) -> str:
    return person.moodle if person.moodle and "@" not in person.moodle else person.id


def _gradescope(people: Sequence[Person], columns: Sequence[Column], cell: _Cell, marks: Marks) -> str:
    head = ["First Name", "Last Name", "SID", "Email", "Sections", "Total Score", "Max Points", "Status"]
    rows = [
        [
            person.first,
            person.last,
            person.gradescope if "@" not in person.gradescope and person.gradescope else person.id,
            person.mail,
            person.section,
            cell(person, column),
            column.possible,
            _status(marks.get((person.id, column.name))),
        ]
        for column in columns
        for person in people
    ]
    return write_table(head, rows)


def _status(mark: Mark | None) -> str:
    if mark is None:
        return "Missing"
    return "Ungraded" if mark.waits else "Graded"


def _plain(people: Sequence[Person], columns: Sequence[Column], cell: _Cell, marks: Marks) -> str:
    head = ["student_id", "last_name", "first_name", "email", "section", "group"]
    for column in columns:
        head += [column.name, f"{column.name} possible", f"{column.name} penalty"]
    rows: list[list[object]] = []
    for person in people:
        row: list[object] = [person.id, person.last, person.first, person.mail, person.section, person.group]
        for column in columns:
            mark = marks.get((person.id, column.name))
            row += [cell(person, column), column.possible, mark.penalty if mark else 0.0]
        rows.append([*row, _total(person, columns, cell)])
    return write_table([*head, "total percent"], rows)


def _total(person: Person, columns: Sequence[Column], cell: _Cell) -> float | str:
    """Of what was due by now, weighted, in percent; empty while a cell of it is."""
    rows = [(column, cell(person, column)) for column in columns if column.over and column.possible > 0]
    if not rows or any(points == "" for _, points in rows):
        return ""
    shares = [column.weight * float(points) / column.possible for column, points in rows]
    return round(100 * math.fsum(shares) / math.fsum(column.weight for column, _ in rows), 2)


_WRITERS: dict[System, Callable[[Sequence[Person], Sequence[Column], _Cell, Marks], str]] = {
    System.canvas: _canvas,
    System.moodle: _moodle,
    System.gradescope: _gradescope,
    System.plain: _plain,
}
