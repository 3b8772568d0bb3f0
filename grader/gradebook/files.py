"""The files of a course's folder that a sync writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from grader.gradebook.checks import NAME, ours_of
from grader.record.journal import write_file


def shown_of(folder: Path, student: str, assignment: str, name: str = NAME) -> Path:
    """A notebook of a submission that nbgrader shows and publishes."""
    return folder / "autograded" / student / assignment / f"{name}.ipynb"


def read_ours(folder: Path, student: str, assignment: str, name: str = NAME) -> dict[str, Any]:
    """What is ours in a notebook of a submission (`questions.cells.OURS`); empty if there is none."""
    try:
        return ours_of(shown_of(folder, student, assignment, name).read_bytes())
    except OSError:
        return {}


def replace(path: Path, content: bytes) -> None:
    """Replace a file in one step, if it is not the same already."""
    try:
        if path.read_bytes() == content:
            return
    except OSError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, content)
