"""Templates -> pages. Pure but for reading the templates once.

Rule 1: a page is self-contained: no font, nothing from elsewhere; the pictures are files next to it, shown as images,
        in which a browser runs nothing. The one script there is stands in the page of a class, and the page's policy
        allows exactly that one, by its hash.
Rule 2: every value passes `visible` and then HTML escaping, because the environment does it, not because someone
        remembered to. Only the style sheet and the script, which are ours, are exempt.
"""

from __future__ import annotations

import base64
import hashlib
import os
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from grader.reports import items
from grader.reports.link_words import duration, figures, link_words
from grader.reports.text import line, visible
from grader.verdict.scoring import number
from harness.show.index import page_for
from harness.tester.border.outcome import Outcome

#: The name of a state, in a word or two.
STATE_WORDS = {
    "graded": "graded",
    "refused": "could not be run",
    "undecided": "waits for a person",
    "ours": "our fault: grade again",
}


def render(template: str, **values: object) -> str:
    """A template with values as a page that UTF-8 can encode."""
    page = _environment().get_template(template).render(**values)
    # Nothing that UTF-8 cannot encode should be left; this is the last line of defence, not the first.
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def load() -> None:
    """Read all templates now, so that the first page takes no longer than others."""
    for name in _environment().list_templates(extensions=["j2"]):
        _environment().get_template(name)


class _Environment(jinja2.Environment):
    """Values are rows, nearly all of them: `row.key` looks for the key first, not for an attribute of a dict."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


@cache
def _environment() -> jinja2.Environment:
    folder = Path(__file__).parent / "templates"
    environment = _Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = (folder / "class.js").read_text(encoding="utf-8")
    environment.globals.update(
        style=Markup((folder / "style.css").read_text(encoding="utf-8")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii"),
        outcomes={outcome.value: outcome for outcome in Outcome},
        state_words=STATE_WORDS,
        page_for=page_for,
    )
    environment.filters.update(
        number=number,
        line=line,
        seconds=items.seconds,
        link=_link,
        percent=_percent,
        traced=items.traced,
        as_story=items.story,
        as_passed=items.passed,
        sign=items.sign,
        link_words=link_words,
        figures=figures,
        duration=duration,
        counted=counted,
    )
    return environment


def _seen(value: object) -> object:
    """Applied to every value of every template before it is escaped."""
    if type(value) is str:  # nearly all of them
        return visible(value)
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


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


def counted(count: float, one: str, many: str = "") -> str:
    """A number and what is counted.

    >>> counted(1, "check"), counted(2.5, "point")
    ('1 check', '2.5 points')
    """
    return f"{number(count)} {one if count == 1 else many or one + 's'}"
