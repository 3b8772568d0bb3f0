"""A run's results -> the gradebook and autograded/. Idempotent: again without change does nothing.

Rule 1: a result is put in for everybody whom it counts for: the members of a group.
Rule 2: what a person gave stays. Where the automatic points have changed since, the stage is marked for a second look.
Rule 3: autograded/ holds the student's view and no file of a student's: nbgrader serves and publishes it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from grader.gradebook.book import Book, Standing
from grader.gradebook.checks import NAME, entries_of, notebook, with_ours
from grader.gradebook.files import read_ours, replace, shown_of
from grader.gradebook.groups import agree
from grader.gradebook.stages import Automatic, Cell, Given, automatic, cells_of, effective, needs_a_look
from grader.submission import readable_name
from harness.course.assignment import Assignment


@dataclass(frozen=True)
class Change:
    """What a sync changed for a student."""

    student: str
    assignment: str
    before: float | None  #: points; None if there were none
    now: float
    undecided: float = 0.0  #: points that a person decides
    look: tuple[str, ...] = ()  #: stages that a person decided before, and should look at again


@dataclass
class Said:
    """What a sync did."""

    changes: list[Change] = field(default_factory=list)
    same: int = 0  #: submissions that stand as they did
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Terms:
    """What a sync has to know besides results. Each answers for one assignment and one student's folder."""

    folder: Path  #: the course's
    run: Path  #: the run's
    load: Callable[[str], Assignment]
    counts_for: Callable[[str, str], Sequence[str]]  #: (assignment, folder's student) -> the students, none if unknown
    due: Callable[[str], datetime | None] = lambda _name: None
    shown: Callable[[str, str], str] = lambda _name, _student: "all"  #: what a student's page may hold now
    handed_in: Callable[[str, str], datetime | None] = lambda _name, _student: None
    when: Callable[[str], str] = lambda iso: iso  #: a moment of a result, as the course's people read it
    penalty: Callable[[str, str], float | None] = lambda _name, _student: None  #: in points; None: no word
    late: Callable[[str, str], str] = lambda _name, _student: ""  #: how late it was, and what that costs, in words
    newer: Callable[[str, str, str | None], str] = lambda _name, _student, _hash: ""  #: what came after it, in words
    best: Callable[[str], bool] = lambda _name: False  #: whether the better of two submissions counts, not the last


def sync(book: Book, terms: Terms, results: Iterable[Mapping[str, Any]]) -> Said:
    """Put results into the gradebook, one after the other."""
    said = Said()
    cells: dict[str, tuple[Cell, ...]] = {}
    for result in results:
        name = result["assignment"]
        if name not in cells:
            assignment = terms.load(name)
            cells[name] = cells_of(assignment)
            book.register(name, entries_of(cells[name]), terms.due(name))
            replace(terms.folder / "source" / name / f"{NAME}.ipynb", notebook(assignment.title, cells[name]))
        members = terms.counts_for(name, result["student"])
        if not members:
            who = readable_name(result["student"])
            said.remarks.append(f"{who}/{name}: not in the roster as somebody who takes part, so not in the gradebook.")
            continue
        if newer := terms.newer(name, result["student"], result["submission"]["hash"]):
            said.remarks.append(f"{readable_name(result['student'])}/{name}: {newer}. Grade it first: grader run")
            said.same += 1
            continue
        _one(book, terms, result, cells[name], members, said)
    return said


def _one(
    book: Book, terms: Terms, result: Mapping[str, Any], cells: Sequence[Cell], members: Sequence[str], said: Said
) -> None:
    """A result, for everybody whom it counts for."""
    name = result["assignment"]
    agreed = agree(book, terms.folder, name, members, said.remarks)
    result = {**seen(result, terms.shown(name, result["student"])), "when": terms.when(result["graded_at"])}
    report = terms.run / result["student"] / name / "report.html"
    ours = {
        "report": os.path.relpath(report, terms.folder),
        "agreed": agreed,
        "of": result["student"],
        "hash": result["submission"]["hash"],
    }
    for student in members:
        path = shown_of(terms.folder, student, name)
        standing = book.standing(name, student)
        now = automatic(cells, result, {cell: one.given for cell, one in standing.items()})
        penalty = terms.penalty(name, student)
        if terms.best(name) and _worse(book, terms.folder, result, now, name, student, penalty or 0.0):
            said.remarks.append(f"{student}/{name}: the submission before is better, and stands.")
            said.same += 1
            book.put(name, student, {}, timestamp=terms.handed_in(name, student))
            replace(path, with_ours(path.read_bytes(), worse=result["submission"]["hash"]))
            continue
        scores = {cell.name: (now[cell.name], _look(standing.get(cell.name), now[cell.name])) for cell in cells}
        book.put(name, student, scores, timestamp=terms.handed_in(name, student), penalty=penalty)
        late = terms.late(name, student)
        replace(path, notebook(result["title"], cells, {**result, "student": student}, ours, late=late))
        change = _change(student, name, cells, standing, scores)
        if change is None:
            said.same += 1
        else:
            said.changes.append(change)


def _look(before: Standing | None, now: Automatic) -> bool:
    """Whether a person should look at a stage."""
    if before is None:
        return needs_a_look(None, now, Given(), False)
    return needs_a_look(before.points, now, before.given, before.needed)


def _change(
    student: str,
    assignment: str,
    cells: Sequence[Cell],
    standing: Mapping[str, Standing],
    scores: Mapping[str, tuple[Automatic, bool]],
) -> Change | None:
    """What is different from before; None if nothing is."""
    given = {cell.name: standing[cell.name].given if cell.name in standing else Given() for cell in cells}
    most = math.fsum(cell.possible for cell in cells)
    now = math.fsum(effective(scores[cell.name][0].points, given[cell.name]) for cell in cells)
    before = math.fsum(effective(one.points or 0.0, one.given) for one in standing.values()) if standing else None
    asked = any(scores[cell][1] and not one.needed for cell, one in standing.items() if cell in scores)
    if before is not None and math.isclose(before, now, abs_tol=1e-6) and not asked:
        return None
    return Change(
        student,
        assignment,
        None if before is None else min(before, most),
        min(round(now, 6), most),
        round(math.fsum(scores[one.name][0].undecided for one in cells if given[one.name].points is None), 6),
        tuple(cell.title for cell in cells if scores[cell.name][1] and given[cell.name].said),
    )


def seen(result: Mapping[str, Any], shown: str) -> Mapping[str, Any]:
    """The result as far as a student may see it at the moment: everything, the public checks, or none."""
    if shown == "all":
        return result
    return {**result, "checks": [row for row in result["checks"] if shown == "public" and row["suite"] == "public"]}


def _worse(
    book: Book,
    folder: Path,
    result: Mapping[str, Any],
    now: Mapping[str, Automatic],
    assignment: str,
    student: str,
    penalty: float,
) -> bool:
    """Whether this is another submission than the one in the gradebook, and earns less, penalties included."""
    before = read_ours(folder, student, assignment).get("hash")
    standing = book.standing(assignment, student)
    if not standing or before in (None, result["submission"]["hash"]):
        return False
    earned = math.fsum(one.points or 0.0 for one in standing.values()) - book.penalty(assignment, student)
    return math.fsum(one.points for one in now.values()) - penalty < earned - 1e-6
