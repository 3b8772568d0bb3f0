"""What a student handed in -> the cells that are run: ours restored, theirs kept. Pure.

Rule 1: of the file only the sources of answers and of cells of the student's own are taken: names, points, locks,
        outputs and metadata are those of our source, whatever the file says.
Rule 2: the order is ours; a cell of the student's own stays below the cell of ours that it stood below.
Rule 3: a file that cannot be read is the submission's fault, said in a sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grader.questions.cells import SETUP, WORDS_STUB, kind_of, text_of
from grader.questions.source import NAME, Source
from harness.errors import SubmissionError

#: The most of a file (bytes), of its cells, and of one cell's source (characters).
MOST_FILE, MOST_CELLS, MOST_SOURCE = 16_000_000, 400, 60_000


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell to run or to show."""

    name: str  #: of our source's cell; empty for one of the student's own
    kind: str  #: "code" or "markdown"
    source: str


@dataclass(frozen=True)
class _Handed:
    """A cell as it was handed in."""

    name: str
    kind: str
    source: str


@dataclass
class _Found:
    """What was taken of a file."""

    sources: dict[str, str] = field(default_factory=dict)  #: of answers
    own: dict[str, list[_Handed]] = field(default_factory=dict)  #: below which cell -> the student's own


def cells_of(source: Source, handed_in: bytes) -> tuple[Cell, ...]:
    """The cells of a submission, in the order in which they run. Raises SubmissionError."""
    found = _taken(source, _read(handed_in))
    cells = [Cell(name="setup", kind="code", source=SETUP), *_own(found, "setup")]
    for cell in source.cells:
        if cell.kind != "free":
            text = found.sources.get(cell.name, "") if cell.kind in ("answer", "words") else text_of(source, cell)
            cells.append(Cell(name=cell.name, kind=kind_of(cell), source=text))
        cells += _own(found, cell.name)
    return tuple(cells)


def is_answered(cell: Cell) -> bool:
    """Whether there is a text for a person to grade."""
    return cell.source.strip() not in ("", WORDS_STUB)


def _own(found: _Found, below: str) -> Iterator[Cell]:
    for one in found.own.get(below, ()):
        yield Cell(name="", kind=one.kind, source=one.source)


def _taken(source: Source, handed: Sequence[_Handed]) -> _Found:
    """The answers, each where it first stands, and what the student put between our cells."""
    ours = {cell.name: cell for cell in source.cells if cell.kind != "free"}
    found, below = _Found(), "setup"
    seen = set()
    for one in handed:
        cell = ours.get(one.name)
        if one.name == "setup" or (cell and one.name not in seen):
            seen.add(one.name)
            below = one.name
            if cell and cell.kind in ("answer", "words") and one.kind == kind_of(cell):
                found.sources[one.name] = one.source
        elif one.source.strip():
            found.own.setdefault(below, []).append(one)
    return found


def _read(handed_in: bytes) -> list[_Handed]:
    if len(handed_in) > MOST_FILE:
        raise SubmissionError(f"{NAME}.ipynb has more than {MOST_FILE:,} bytes: clear its outputs, and save it again.")
    try:
        whole = json.loads(handed_in)
    except (ValueError, RecursionError):
        raise SubmissionError(f"{NAME}.ipynb is not a notebook: it is not JSON.") from None
    cells = whole.get("cells") if isinstance(whole, dict) else None
    if not isinstance(cells, list) or whole.get("nbformat") != 4:
        raise SubmissionError(f"{NAME}.ipynb is not a notebook of format 4. Save it with a newer Jupyter.")
    if len(cells) > MOST_CELLS:
        raise SubmissionError(f"{NAME}.ipynb has more than {MOST_CELLS} cells.")
    return [_cell(one) for one in cells]


def _cell(found: Any) -> _Handed:
    if not isinstance(found, dict) or found.get("cell_type") not in ("code", "markdown", "raw"):
        raise SubmissionError(f"{NAME}.ipynb has a cell that is neither code nor text.")
    source = found.get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise SubmissionError(f"{NAME}.ipynb has a cell without a source.")
    if len(source) > MOST_SOURCE:
        raise SubmissionError(f"{NAME}.ipynb has a cell of more than {MOST_SOURCE:,} characters.")
    kind = "code" if found["cell_type"] == "code" else "markdown"
    # Half a surrogate pair is a text to JSON and none to anybody else.
    return _Handed(_name(found.get("metadata")), kind, source.encode("utf-8", "replace").decode())


def _name(about: Any) -> str:
    entry = about.get("nbgrader") if isinstance(about, Mapping) else None
    name = entry.get("grade_id") if isinstance(entry, Mapping) else None
    return name if isinstance(name, str) else ""
