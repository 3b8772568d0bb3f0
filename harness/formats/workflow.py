"""Annotations at file and line: the workflow commands `error` and `warning` of GitHub Actions, Forgejo and Gitea.

What is escaped how: actions/toolkit, packages/core/src/command.ts (`escapeData`, `escapeProperty`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.formats.result import Context, Place, Result
from harness.formats.words import explanation, line, shown

#: GitHub shows ten of each kind for a step, and leaves out the rest without a word.
MOST_OF_A_KIND = 10
#: Longest text of one (characters); GitHub cuts it at 64 KiB.
_MOST = 8_000
_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


def render(result: Result, context: Context) -> str:
    """A line for what stands above all checks, and for each check that did not pass, the first ones of each kind."""
    del context
    told: dict[str, int] = {"error": 0, "warning": 0}
    lines = []
    for kind, title, text, place in _rows(result):
        told[kind] += 1
        if told[kind] < MOST_OF_A_KIND:
            lines.append(command(kind, text, title=title, place=place))
        elif told[kind] == MOST_OF_A_KIND:
            lines.append(command(kind, "There are more: the summary has all of them.", title=result.assignment))
    return "".join(lines)


def _rows(result: Result) -> Iterator[tuple[str, str, str, Place | None]]:
    """Kind, title, text and place of everything there is to say."""
    if result.message:
        yield "error", result.title, result.message, None
    silent = set()
    for stage in result.stages:
        if stage.message:
            silent.add(stage.number)
            places = (check.place for check in result.checks if check.stage == stage.number)
            kind = "error" if result.is_due(stage.number) else "warning"
            yield kind, f"Stage {stage.number}: {stage.title}", stage.message, next(places, None)
    for check in result.checks:
        if check.stage not in silent and (check.failed or check.open):
            kind = "error" if check.failed and result.is_due(check.stage) else "warning"
            yield kind, f"{check.section} {check.title}", explanation(check), check.place


def command(name: str, text: str, *, title: str, place: Place | None = None) -> str:
    r"""One workflow command, a line.

    >>> command("error", "50%", title="a:b", place=Place("x.py", 3))
    '::error file=x.py,line=3,title=a%3Ab::50%25\n'
    """
    where = [("file", line(place.file)), ("line", str(place.line))] if place else []
    properties = ",".join(f"{key}={_escaped(value, _PROPERTY)}" for key, value in [*where, ("title", line(title, 200))])
    return f"::{name} {properties}::{_escaped(shown(text, _MOST), _DATA)}\n"


def _escaped(text: str, table: Mapping[str, str]) -> str:
    return "".join(table.get(sign, sign) for sign in text)
