"""Honest solutions that look like nobody expects: alternates.toml, which grader/audit/alternates.py reads."""

from __future__ import annotations

from pathlib import Path

from grader.audit.alternates import load_alternates
from grader.course import this_course

ALTERNATES = load_alternates(this_course())
#: Connections of other designs, by name: the last stage whose rules each keeps.
DESIGNS: dict[str, int] = {
    one.name: max(one.stages) for one in ALTERNATES if one.assignment == "transport" and one.language == "Python"
}


def write_design(name: str, folder: Path) -> None:
    """A transport with the connection of another design."""
    (found,) = (one for one in ALTERNATES if (one.assignment, one.name) == ("transport", name))
    found.write(this_course(), folder)
