"""A job summary in GitHub's Markdown: what GitHub, Forgejo and Gitea show of `$GITHUB_STEP_SUMMARY`.

Rule: a text of unknown origin is either in `pre` with HTML's signs escaped (CommonMark 0.31, section 4.6, kind 1: no
Markdown in there), or every sign of punctuation in it is a character reference, which can begin nothing (section 2.5).
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator

from harness.formats.result import CheckResult, Context, Result
from harness.formats.words import NAMES, explanation, line, points
from harness.tester.border.outcome import Outcome

#: GitHub refuses a summary of more than 1 MiB for each step (docs, "Workflow commands": job summaries).
MOST = 900_000
#: A line that GitLab would take for one of its quick actions ("/close") if the summary is a comment there.
_FIRST_SLASH = re.compile(r"^([^\S\n]*)/", re.MULTILINE)
_SIGNS = re.compile(r"[!-/:-@\[-`{-~]")


def render(result: Result, context: Context) -> str:
    """The summary; what does not fit is left out, with a sentence."""
    del context
    text = "\n".join([*_head(result), ""])
    for count, check in enumerate(check for check in result.checks if check.outcome is not Outcome.PASS):
        more = _details(check)
        if len((text + more).encode()) > MOST:
            left = sum(check.outcome is not Outcome.PASS for check in result.checks) - count
            return f"{text}\n{left} more checks are left out: the summary may not be longer.\n"
        text += more
    return text


def inline(text: str) -> str:
    """A text of one line in which nothing is Markdown or HTML, and nobody is mentioned.

    A forge looks for @name and #number in what Markdown has made: a space without width follows these signs.

    >>> inline("*a* <b>")
    '&#42;a&#42; &#60;b&#62;'
    """
    return _SIGNS.sub(lambda found: f"&#{ord(found[0])};{'&#8203;' if found[0] in '@#!' else ''}", line(text))


def _head(result: Result) -> Iterator[str]:
    who = f"{inline(result.student)}: " if result.student else ""
    undecided = f", {points(result.undecided)} undecided" if result.undecided else ""
    earned = f"{points(result.points)} of {points(result.possible)} points{undecided}"
    yield f"## {who}{inline(result.title)}: {earned}"
    yield ""
    if result.remark:
        yield f"{inline(result.remark)}\n"
    if result.message:
        yield f"**{inline(result.message)}**\n"
    broken = result.broken if result.due is not None else []
    for stage in broken:
        yield f"✗ **Stage {stage.number} was complete and is not any more.**\n"
    yield "| stage | points | checks |"
    yield "|---|---|---|"
    for stage in result.stages:
        name = f"{stage.number} {inline(stage.title)}"
        said = "✗ counts for nothing" if stage.message else _counted(result, stage.number)
        yield f"| {name} | {points(stage.points)} of {points(stage.possible)} | {said} |"
    for stage in result.stages:
        if stage.message:
            yield f"\n✗ {inline(stage.message)}"
    if result.first:
        first = result.first
        yield f"\n**Next:** {inline(first.section)} {inline(first.title)}"


def _counted(result: Result, stage: int) -> str:
    """How many checks of a stage came to what: a sign, the number and the word, so that no sign has to be known."""
    found = Counter(check.outcome for check in result.checks if check.stage == stage)
    return ", ".join(
        f"{_sign(outcome)} {found[outcome]} {NAMES[outcome]}" for outcome in (*Outcome, None) if found[outcome]
    )


def _sign(outcome: Outcome | None) -> str:
    return outcome.symbol if outcome else "?"


def _details(check: CheckResult) -> str:
    told = _FIRST_SLASH.sub(r"\1&#47;", html.escape(explanation(check), quote=False))
    summary = f"{_sign(check.outcome)} {inline(check.section)} {inline(check.title)}"
    named = f"{NAMES[check.outcome]}, {points(check.points)} of {points(check.possible)} points"
    return f"\n<details><summary>{summary} ({named})</summary>\n\n<pre>\n{told}\n</pre>\n\n</details>\n"
