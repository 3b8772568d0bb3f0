"""The notebook `checks`: a graded cell for each stage, whose output is the stage's story. Pure.

Rule 1: the story is the student's view, since `nbgrader generate_feedback` renders this very file.
Rule 2: text of unknown origin goes through the template only, which escapes it; the cells' sources are ours.
Rule 3: the same result gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from grader.gradebook.stages import Cell, Entry
from grader.questions.cells import OURS, metadata, row, written
from grader.reports.text import line, visible
from grader.reports.view import student_view
from grader.verdict.scoring import number

#: The notebook's name in every program assignment.
NAME = "checks"
#: The cell for whoever grades; it has no points.
REMARKS = "remarks"


def source_of(cell: Cell) -> str:
    """What stands in a stage's cell; our own words."""
    return f"# {line(cell.title)}{' (an extension)' if cell.bonus else ''}"


def entries_of(cells: Sequence[Cell]) -> list[Entry]:
    """The notebook's cells, as nbgrader has to know them."""
    rows = [Entry(cell.name, source_of(cell), possible=cell.possible) for cell in cells]
    return [*rows, Entry(REMARKS, "", kind="markdown")]


def notebook(
    title: str,
    cells: Sequence[Cell],
    result: Mapping[str, Any] | None = None,
    ours: Mapping[str, Any] | None = None,
    *,
    late: str = "",
) -> bytes:
    """The notebook; with a result, what was seen stands below each stage. `late`: what being late costs, in words."""
    view = student_view(result) if result is not None else None
    stages = {f"stage-{row['number']}": row for row in view["stages"]} if view else {}
    head = _render("head.html.j2", title=title, view=view, late=late)
    rows = [row("head", "markdown", head, metadata("head", open_to_people=False))]
    for cell in cells:
        stage = stages.get(cell.name)
        shown = _render("stage.html.j2", stage=stage, view=view) if view and stage else None
        outputs = [{"output_type": "display_data", "metadata": {}, "data": {"text/html": shown}}] if shown else []
        rows.append(row(cell.name, "code", source_of(cell), metadata(cell.name, points=cell.possible), outputs))
    rows.append(row(REMARKS, "markdown", "Remarks of whoever graded:", metadata(REMARKS)))
    return written(rows, ours or {})


def ours_of(written: bytes) -> dict[str, Any]:
    """What is ours in a notebook that was written before; empty if it cannot be read."""
    try:
        found = json.loads(written)["metadata"][OURS]
    except (ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def with_ours(notebook: bytes, **more: object) -> bytes:
    """A notebook of ours that was written before, with more of what is ours."""
    return written(json.loads(notebook)["cells"], {**ours_of(notebook), **more})


def _render(template: str, **values: object) -> str:
    page = _environment().get_template(template).render(**values)
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: visible(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, line=line)
    return environment
