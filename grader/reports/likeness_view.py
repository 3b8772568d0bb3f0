"""The pages of hints: pairs that are alike, and their passages side by side. For a person, never a verdict. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from grader.reports.pages import render


def hints_page(assignment: str, rows: Sequence[Mapping[str, Any]], count: int) -> str:
    """The pairs, the most alike first."""
    return render("likeness.html.j2", assignment=assignment, rows=rows, count=count)


def pair_page(assignment: str, row: Mapping[str, Any], texts: Sequence[Mapping[str, str]]) -> str:
    """A pair's passages. `texts`: of each submission, name in the node -> text."""
    one, other = row["places"]
    passages = [
        {"one": _shown(each["one"], texts[one]), "other": _shown(each["other"], texts[other])}
        for each in row["passages"]
    ]
    return render("likeness_pair.html.j2", assignment=assignment, row=row, passages=passages)


def _shown(place: tuple[str, str, tuple[int, int]], texts: Mapping[str, str]) -> dict[str, Any]:
    """A file's name, from which line, and the lines."""
    name, there, (first, last) = place
    lines = texts[there].split("\n")[first - 1 : last]
    return {"name": name, "first": first, "last": last, "text": "\n".join(lines)}
