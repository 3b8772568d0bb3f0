"""The files of a course's folder that a sync writes."""

from __future__ import annotations

from pathlib import Path

from grader.gradebook.checks import NAME
from grader.record.journal import write_file


def shown_of(folder: Path, student: str, assignment: str, name: str = NAME) -> Path:
    """A notebook of a submission that nbgrader shows and publishes."""
    return folder / "autograded" / student / assignment / f"{name}.ipynb"


def replace(path: Path, content: bytes) -> None:
    """Replace a file in one step, if it is not the same already."""
    try:
        if path.read_bytes() == content:
            return
    except OSError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, content)
