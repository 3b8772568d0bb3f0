"""What a person gave one member of a group counts for all.

Rule 1: what all agreed on is kept (in the notebook `checks`), so that it is known who changed it since: also when it
        was taken back.
Rule 2: where people gave members different things, neither is taken, and both are named.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grader.gradebook.book import Book
from grader.gradebook.files import read_ours
from grader.gradebook.stages import Given


def agree(book: Book, folder: Path, assignment: str, members: Sequence[str], remarks: list[str]) -> dict[str, Any]:
    """What people gave a group's members, brought together; what is to be kept for the next time."""
    if len(members) < 2:
        return {}
    base = _kept(folder, assignment, members, book.name)
    given = {student: book.given(assignment, student) for student in members}
    known = [student for student in members if book.standing(assignment, student)]
    agreed = {}
    for cell in sorted({cell for one in given.values() for cell in one} | base.keys()):
        was = base.get(cell, Given())
        words = {given[student].get(cell, Given()) for student in known} - {was}
        if len(words) > 1:
            names = ", ".join(student for student in known if given[student].get(cell, Given()) != was)
            remarks.append(
                f"{assignment}, {cell}: people gave the members of one group different points ({names})."
                " Make them the same in formgrader, then sync again."
            )
            agreed[cell] = was
            continue
        agreed[cell] = words.pop() if words else was
        for student in known:
            if given[student].get(cell, Given()) != agreed[cell]:
                book.give(assignment, student, {cell: agreed[cell]})
    return {
        cell: {"points": one.points, "extra": one.extra, "comment": one.comment}
        for cell, one in agreed.items()
        if one != Given()
    }


def _kept(folder: Path, assignment: str, members: Sequence[str], name: str) -> dict[str, Given]:
    for student in members:
        found = read_ours(folder, student, assignment, name).get("agreed")
        if isinstance(found, dict):
            return {cell: Given(**one) for cell, one in found.items()}
    return {}
