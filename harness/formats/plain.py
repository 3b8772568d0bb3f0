"""Plain text: a mail, a terminal without colours, the log of a CI."""

from __future__ import annotations

from collections.abc import Iterator

from harness.formats.result import Context, Result
from harness.formats.words import NAMES, explanation, line, points
from harness.tester.border.outcome import Outcome


def render(result: Result, context: Context) -> str:
    """The result as lines of at most what its texts have."""
    del context
    return "\n".join(_lines(result)) + "\n"


def _lines(result: Result) -> Iterator[str]:
    who = f"{line(result.student)}: " if result.student else ""
    yield f"{who}{line(result.title)} ({line(result.assignment)})"
    undecided = f", {points(result.undecided)} undecided" if result.undecided else ""
    yield f"{points(result.points)} of {points(result.possible)} points{undecided}"
    if result.remark:
        yield line(result.remark)
    if result.message:
        yield line(result.message)
    yield ""
    for stage in result.stages:
        broken = "  has to be complete, and is not" if result.due and stage in result.broken else ""
        earned = f"{points(stage.points)} of {points(stage.possible)}"
        yield f"stage {stage.number}  {line(stage.title)}: {earned}{broken}"
        if stage.message:
            yield f"    {line(stage.message)}"
    yield ""
    for check in result.checks:
        sign = check.outcome.symbol if check.outcome else "?"
        earned = f"{points(check.points)}/{points(check.possible)}"
        yield f"{sign} {line(check.section)} {line(check.title)} {NAMES[check.outcome]}, {earned}"
        if check.outcome is not Outcome.PASS:
            yield from (f"    {row}" for row in explanation(check).split("\n"))
