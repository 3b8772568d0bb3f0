"""Cells -> the notebook that nbgrader makes the released one from. Pure; the same cells give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from grader.questions.source import BEGIN, END, Cell, Question, Source

#: What students find where an answer is wanted; nbgrader puts it there.
CODE_STUB, WORDS_STUB = "# Your answer here.", "*Your answer here.*"
#: The first cell: the course's tools, wherever Jupyter was started.
SETUP = """\
# The course's own tools stand in a folder above this one.
import sys
from pathlib import Path

sys.path[:0] = [str(folder) for folder in Path.cwd().parents if (folder / "harness" / "show").is_dir()][:1]"""
#: Where a notebook of ours keeps what is ours.
OURS = "socketlab"


def metadata(name: str, *, points: float | None = None, open_to_people: bool = True) -> dict[str, Any]:
    """nbgrader's own, schema 3. A cell that is open has a box for a comment in formgrader."""
    entry = {
        "schema_version": 3,
        "grade_id": name,
        "grade": points is not None,
        "solution": open_to_people,
        "locked": not open_to_people,
        "task": False,
    }
    return {"nbgrader": entry if points is None else {**entry, "points": points}}


def row(name: str, kind: str, source: str, about: Mapping[str, Any], outputs: Sequence[Any] = ()) -> dict[str, Any]:
    """A cell as nbformat 4.5 has it."""
    cell = {"id": name[:64], "cell_type": kind, "source": source, "metadata": dict(about)}
    return {**cell, "execution_count": None, "outputs": list(outputs)} if kind == "code" else cell


def written(rows: Sequence[Mapping[str, Any]], ours: Mapping[str, Any] | None = None) -> bytes:
    """A whole notebook."""
    about: dict[str, Any] = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    if ours is not None:
        about[OURS] = dict(ours)
    whole = {"cells": list(rows), "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, ensure_ascii=True, indent=1, allow_nan=False).encode("ascii") + b"\n"


def graded_text(question: Question) -> str:
    """What stands in the cell that has a question's points: the same for students and for graders."""
    worth = f"{question.points:g} point{'' if question.points == 1 else 's'}"
    return f"# {worth} for {question.what}"


def kind_of(cell: Cell) -> str:
    """Jupyter's word for it."""
    return "markdown" if cell.kind in ("text", "words") else "code"


def metadata_of(source: Source, cell: Cell) -> dict[str, Any]:
    """nbgrader's, of one of our cells; of a cell that is free nothing."""
    if cell.kind == "free":
        return {}
    question = source.question(cell.name)
    return metadata(
        cell.name, points=question.points if question else None, open_to_people=cell.kind in ("answer", "words")
    )


def text_of(source: Source, cell: Cell) -> str:
    """What stands in one of our cells."""
    question = source.question(cell.name)
    return graded_text(question) if question and cell.kind == "graded" else cell.source


def setup_row() -> dict[str, Any]:
    """The first cell."""
    return row("setup", "code", SETUP, metadata("setup", open_to_people=False))


def notebook(source: Source) -> bytes:
    """The notebook with the answers in it, for nbgrader's source tree."""
    rows = [row(cell.name, kind_of(cell), text_of(source, cell), metadata_of(source, cell)) for cell in source.cells]
    return written([setup_row(), *rows])


def unanswered(source: Source) -> bytes:
    """The notebook as students get it, with no answer in it."""
    rows = [
        row(cell.name, kind_of(cell), _without_answer(text_of(source, cell), cell.kind), metadata_of(source, cell))
        for cell in source.cells
    ]
    return written([setup_row(), *rows])


def _without_answer(text: str, kind: str) -> str:
    if kind == "words":
        return WORDS_STUB
    if kind != "answer":
        return text
    before, _, rest = text.partition(BEGIN)
    return f"{before}{CODE_STUB}{rest.partition(END)[2]}"
