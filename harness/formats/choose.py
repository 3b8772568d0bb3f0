"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.errors import UsageError
from harness.formats import classroom50, codequality, ctrf, data, gradescope, junit, plain, summary, table, workflow
from harness.formats.result import Context, Result
from harness.text.nearest import nearest

Renderer = Callable[[Result, Context], str]

FORMATS: Mapping[str, Renderer] = {
    "text": plain.render,
    "json": data.render,
    "csv": table.render,
    "junit": junit.render,
    "ctrf": ctrf.render,
    "github-summary": summary.render,
    "github-annotations": workflow.render,
    "gitlab-codequality": codequality.render,
    "gradescope": gradescope.render,
    "classroom50": classroom50.render,
}


@dataclass(frozen=True)
class Wanted:
    """A format, and where it goes."""

    name: str
    file: str  #: empty: standard output

    @property
    def render(self) -> Renderer:
        """What writes it."""
        return FORMATS[self.name]


def wanted(word: str) -> Wanted:
    """`FORMAT` or `FORMAT=FILE` as it is typed. Raises UsageError.

    >>> wanted("junit=out.xml")
    Wanted(name='junit', file='out.xml')
    """
    name, equals, file = word.partition("=")
    if name not in FORMATS:
        raise UsageError(f'there is no format "{name}". {nearest(name, FORMATS)}')
    if equals and not file:
        raise UsageError(f"{word} names no file. Write {name}=FILE, or {name} alone for standard output.")
    return Wanted(name, file)
