"""A result as a page: for the instructor, for the student, and the class as one table. Pure.

Rule 1: a page is self-contained: no script, no font, nothing from elsewhere; the pictures are files next to it, shown
        as images, in which a browser runs nothing.
Rule 2: every value passes `visible` and then HTML escaping, because the environment does it, not because someone
        remembered to. Only the style sheet, which is ours, is exempt.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from grader.reports.text import line, visible
from grader.reports.view import class_view, instructor_view, student_view
from grader.verdict.scoring import number
from harness.tester.border.outcome import Outcome

#: The name of a state, in a word or two.
STATE_WORDS = {
    "graded": "graded",
    "refused": "could not be run",
    "undecided": "waits for a person",
    "ours": "our fault: grade again",
}


def instructor_page(result: Mapping[str, Any]) -> str:
    """The whole of a result."""
    return _render("instructor.html.j2", view=instructor_view(result), for_student=False)


def student_page(result: Mapping[str, Any]) -> str:
    """What the student may see of it."""
    return _render("student.html.j2", view=student_view(result), for_student=True)


def index_page(
    results: Sequence[Mapping[str, Any]], remarks: Sequence[str] = (), *, left: int = 0, going: bool = False
) -> str:
    """The class, with links to the reports.

    `left`: submissions without a result yet; `going`: the run goes on, and the page renews itself. Otherwise it was
    interrupted.
    """
    values = {"tables": class_view(results), "remarks": remarks, "left": left, "going": going}
    return _render("index.html.j2", **values, for_student=False)


def _render(template: str, **values: object) -> str:
    page = _environment().get_template(template).render(**values)
    # Nothing that UTF-8 cannot encode should be left; this is the last line of defence, not the first.
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


@cache
def _environment() -> jinja2.Environment:
    folder = Path(__file__).parent / "templates"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        style=Markup((folder / "style.css").read_text(encoding="utf-8")),
        outcomes={outcome.value: outcome for outcome in Outcome},
        state_words=STATE_WORDS,
    )
    environment.filters.update(number=number, line=line, seconds=_seconds, link=_link, percent=_percent)
    return environment


def _seen(value: object) -> object:
    """Applied to every value of every template before it is escaped."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _seconds(value: float) -> str:
    """A time as people read it.

    >>> _seconds(0.02134), _seconds(12.345)
    ('0.021 s', '12.3 s')
    """
    return f"{value:.3f} s" if value < 1 else f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def _link(*parts: str) -> str:
    """A relative link to a file, whatever bytes its name is made of."""
    return "./" + "/".join(quote(_bytes(part), safe="/") for part in parts)


def _bytes(name: str) -> bytes:
    """The bytes of a file's name, as the system spells it."""
    try:
        return os.fsencode(name)
    except UnicodeEncodeError:  # no file has this name
        return name.encode("utf-8", "replace")


def _percent(points: float, possible: float) -> str:
    """A share of the possible points, for the width of a bar."""
    return f"{max(0.0, min(100.0, 100 * points / possible if possible else 0.0)):.1f}%"
