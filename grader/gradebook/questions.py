"""Graded notebooks of questions -> the gradebook and autograded/. Idempotent, as `sync`.

Rule 1: a question that a program judged has its points; one in free text waits in formgrader for a person.
Rule 2: what a person gave stays. Where the notebook is another one since, a person is asked to look again.
Rule 3: the executed notebook holds the student's cells, what they showed, and nothing that acts (grader/questions).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.gradebook.book import Book, Standing
from grader.gradebook.checks import ours_of
from grader.gradebook.files import replace, shown_of
from grader.gradebook.groups import agree
from grader.gradebook.stages import Automatic, Entry, Given, effective, needs_a_look
from grader.gradebook.sync import Change, Said, Terms
from grader.questions.cells import kind_of, metadata_of, notebook, text_of
from grader.questions.executed import executed
from grader.questions.result import answers_of, said_of
from grader.questions.source import NAME, Source
from grader.record.questions import Kept
from grader.submission import readable_name


@dataclass(frozen=True)
class Asked:
    """An assignment whose notebook counts."""

    assignment: str
    source: Source


def entries_of(source: Source) -> list[Entry]:
    """The notebook's cells, as nbgrader has to know them."""
    found = []
    for cell in source.cells:
        if about := metadata_of(source, cell).get("nbgrader"):
            points = about.get("points")
            text = "" if about["solution"] else text_of(source, cell)
            found.append(Entry(cell.name, text, kind=kind_of(cell), possible=points, open=about["solution"]))
    return found


def sync_questions(book: Book, terms: Terms, asked: Asked, kept: Iterable[tuple[str, Kept]], said: Said) -> None:
    """Put what became of an assignment's notebooks into the gradebook."""
    name, source = asked.assignment, asked.source
    book.register(name, entries_of(source), terms.due(name))
    replace(terms.folder / "source" / name / f"{NAME}.ipynb", notebook(source))
    for student, one in kept:
        members = terms.counts_for(name, student)
        if not members:
            who = readable_name(student)
            said.remarks.append(f"{who}/{name}: not in the roster as somebody who takes part, so not in the gradebook.")
            continue
        if newer := terms.newer(name, student, _copy(one)):
            who = readable_name(student)
            said.remarks.append(f"{who}/{name}: {newer}. Grade its questions first: grader questions grade")
            said.same += 1
            continue
        _one(book, terms, asked, student, one, members, said)


def _copy(kept: Kept) -> str:
    """The hash of what was graded; empty if no copy of it could be taken."""
    return str((kept.result.get("submission") or {}).get("hash") or "")


def _one(book: Book, terms: Terms, asked: Asked, of: str, kept: Kept, members: Sequence[str], said: Said) -> None:
    """A notebook, for everybody whom it counts for."""
    name = asked.assignment
    agreed = agree(book, terms.folder, name, members, said.remarks)
    ours = {"agreed": agreed, "of": of, "hash": _copy(kept)}
    now = {one.name: Automatic(one.points, one.undecided) for one in answers_of(kept.result)}
    shown = _notebook(asked.source, kept, ours, terms.shown(name, of))
    for student in members:
        path = shown_of(terms.folder, student, name, NAME)
        standing = book.standing(name, student)
        another = _hash(path) not in ("", ours["hash"])
        scores = {cell: (one, _look(standing.get(cell), one, another)) for cell, one in now.items()}
        book.put(name, student, scores, timestamp=terms.handed_in(name, student))
        replace(path, shown)
        change = _change(student, name, standing, scores)
        if change is None:
            said.same += 1
        else:
            said.changes.append(change)


def _notebook(source: Source, kept: Kept, ours: Mapping[str, object], shown: str) -> bytes:
    """The executed notebook, with what a student may see of the points now."""
    questions = {question.name: question for question in source.questions}
    told = {
        one.name: said_of(questions[one.name], one)
        for one in answers_of(kept.result)
        if one.name in questions and shown == "all"
    }
    return executed(source, kept.cells, kept.outputs, told, ours, head=str(kept.result["message"]))


def _hash(path: Path) -> str:
    try:
        return str(ours_of(path.read_bytes()).get("hash", ""))
    except OSError:
        return ""


def _look(before: Standing | None, now: Automatic, another: bool) -> bool:
    """Whether a person should look at a question."""
    if before is None:
        return needs_a_look(None, now, Given(), False)
    if before.given.said and another and now.undecided:
        return True  # what was graded by hand is another text now
    return needs_a_look(before.points, now, before.given, before.needed)


def _change(
    student: str, assignment: str, standing: Mapping[str, Standing], scores: Mapping[str, tuple[Automatic, bool]]
) -> Change | None:
    """What is different from before; None if nothing is."""
    given = {cell: standing[cell].given if cell in standing else Given() for cell in scores}
    now = math.fsum(effective(one.points, given[cell]) for cell, (one, _) in scores.items())
    known = [one for one in standing.values() if one.points is not None]
    before = math.fsum(effective(one.points or 0.0, one.given) for one in standing.values()) if known else None
    asked = any(look and cell in standing and not standing[cell].needed for cell, (_, look) in scores.items())
    if before is not None and math.isclose(before, now, abs_tol=1e-6) and not asked:
        return None
    waits = math.fsum(one.undecided for cell, (one, _) in scores.items() if given[cell].points is None)
    again = tuple(cell for cell, (_, look) in scores.items() if look and given[cell].said)
    return Change(student, f"{assignment}, {NAME}", before, round(now, 6), round(waits, 6), again)
