"""COURSE/questions/: what became of the notebooks of a class. The only place that writes there.

COURSE/questions/<student>/<assignment>/      result.json, shown.json (cells and what they showed), submitted.ipynb
COURSE/questions/<student>/<assignment>/earlier/<identity>/      what stood there before

Rule 1: a result takes its place as a whole: whoever is killed leaves the one before it, or the new one.
Rule 2: nothing is overwritten; what stood there before is kept.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.questions.result import SCHEMA
from grader.questions.submitted import Cell
from grader.record.journal import write_file
from grader.record.lock import writing

#: The folder in a course's.
FOLDER = "questions"


@dataclass(frozen=True)
class Kept:
    """A notebook that was graded."""

    result: Mapping[str, Any]
    cells: tuple[Cell, ...]
    outputs: tuple[Any, ...]


class Questions:
    """What is kept of a class's notebooks."""

    def __init__(self, course: Path) -> None:
        self.path = course.absolute() / FOLDER

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Nobody else writes within this block. Raises UsageError."""
        self.path.mkdir(parents=True, exist_ok=True)
        with writing(self.path / ".lock"):
            yield

    def folder(self, student: str, assignment: str) -> Path:
        """Where a notebook's result is."""
        return self.path / student / assignment

    def result(self, student: str, assignment: str) -> dict[str, Any] | None:
        """The result that stands; None if there is none, or it is damaged."""
        return _json(self.folder(student, assignment) / "result.json")

    def load(self, student: str, assignment: str) -> Kept | None:
        """All that is kept of a result."""
        result, shown = self.result(student, assignment), _json(self.folder(student, assignment) / "shown.json")
        if result is None or shown is None:
            return None
        return Kept(result, tuple(Cell(**one) for one in shown["cells"]), tuple(shown["outputs"]))

    def all(self, assignment: str) -> Iterator[tuple[str, Kept]]:
        """Everybody's of an assignment, by student."""
        for path in sorted(self.path.glob(f"*/{assignment}/result.json")):
            student = path.parent.parent.name
            if (kept := self.load(student, assignment)) is not None:
                yield student, kept

    def save(self, result: Mapping[str, Any], cells: Sequence[Cell], outputs: Sequence[Any], submitted: bytes) -> None:
        """Put a result in its place. Raises OSError."""
        folder = self.folder(result["student"], result["assignment"])
        new = folder.with_name(f".{folder.name}.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        write_file(new / "submitted.ipynb", submitted)
        write_file(new / "shown.json", _text({"cells": [vars(cell) for cell in cells], "outputs": list(outputs)}))
        write_file(new / "result.json", _text(result))
        before = self.result(result["student"], result["assignment"])
        if folder.exists():
            earlier = folder / "earlier"
            if earlier.is_dir():
                os.rename(earlier, new / "earlier")
            if before is not None:
                (new / "earlier").mkdir(exist_ok=True)
                kept = new / "earlier" / str(before.get("identity", "0"))[:12]
                shutil.rmtree(kept, ignore_errors=True)
                os.rename(folder, kept)
            else:
                shutil.rmtree(folder)
        os.rename(new, folder)


def _text(whole: Mapping[str, Any]) -> bytes:
    return json.dumps(whole, ensure_ascii=True, indent=1).encode("ascii") + b"\n"


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("schema", SCHEMA) == SCHEMA else None
