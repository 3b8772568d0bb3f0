"""Who has left: kept, and out of every count and page but their own. Who comes back has everything again.

nbgrader has no word for somebody who has left: formgrader and its export count everybody who has a row or a folder. So
the row and the folders go into left/<student>/, with what people gave.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from grader.gradebook.book import Book
from grader.gradebook.files import replace
from grader.gradebook.stages import Given
from harness.errors import UsageError

#: Where everything of a student goes who has left, in the course's folder.
LEFT = "left"
_STEPS = ("submitted", "autograded", "feedback")


def set_aside(book: Book, folder: Path, student: str) -> bool:
    """Take somebody who left out of the gradebook and the folders, into left/. False if there was nothing to take."""
    if not student or student in (".", "..") or "/" in student:
        raise UsageError(f"{student!r} cannot be the name of a student's folder.")
    if others := book.of_others(student):
        what = f"{student} has left, and has submissions that nbgrader itself graded ({', '.join(others)})"
        raise UsageError(f"{what}. Take them out yourself: nbgrader db student remove {student} --force")
    kept = book.all_given(student)
    here = [step for step in _STEPS if (folder / step / student).is_dir()]
    if student not in book.students() and not here:
        return False
    into = folder / LEFT / student
    into.mkdir(parents=True, exist_ok=True)
    file = into / "given.json"
    if kept or not file.exists():
        replace(file, json.dumps(kept, indent=1, sort_keys=True).encode() + b"\n")
    for step in here:
        shutil.rmtree(into / step, ignore_errors=True)
        os.replace(folder / step / student, into / step)
    book.remove(student)
    return True


def bring_back(folder: Path, student: str) -> bool:
    """The folders of somebody who takes part again; what a person gave follows with `give_back`."""
    source = folder / LEFT / student
    if not source.is_dir():
        return False
    for step in _STEPS:
        if (source / step).is_dir() and not (folder / step / student).exists():
            (folder / step).mkdir(exist_ok=True)
            os.replace(source / step, folder / step / student)
    return True


def give_back(book: Book, folder: Path, student: str) -> None:
    """What a person gave somebody who is back, once the submissions are in the gradebook again."""
    file = folder / LEFT / student / "given.json"
    try:
        kept = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return
    for assignment in list(kept):
        if book.standing(assignment, student):
            cells = kept.pop(assignment)
            look = [cell for cell, one in cells.items() if one.pop("look", False)]
            given = {cell: Given(**one) for cell, one in cells.items()}
            for notebook in (book, book.questions):
                notebook.give(assignment, student, given, look=look)
    if any(kept.values()):  # submissions that have no result yet
        replace(file, json.dumps(kept, indent=1, sort_keys=True).encode() + b"\n")
    else:
        shutil.rmtree(file.parent, ignore_errors=True)
