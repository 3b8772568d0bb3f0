r"""What every format says of a check, and how a text of unknown origin is made harmless. Pure.

Rule: no text reaches a format but through `shown` or `line`. After that it holds nothing that a terminal acts on, that
XML forbids (XML 1.0, section 2.2), that cannot be encoded, or that a CI takes for a command in its log.
"""

from __future__ import annotations

import re

from harness.formats.result import CheckResult
from harness.tester.border.outcome import Outcome
from harness.text.printable import SPACES, printable

#: Longest text that is passed on (characters). A program may print what it likes.
MOST = 20_000
#: Most lines of a story that are passed on, from its beginning and from its end.
MOST_FIRST, MOST_LAST = 20, 80
#: What begins a command in a log: `::name::` where a line begins (GitHub, Forgejo, Gitea), `##[name]` anywhere, and
#: `##vso[name]`, `##teamcity[name]` (Azure, TeamCity).
_COMMAND = re.compile(r"^([^\S\n]*):(?=:)|#(?=#\w*\[)", re.MULTILINE)


def no_command(text: str) -> str:
    r"""The text without what a CI takes for a command in its log.

    >>> no_command("listens on ::1\n ::add-mask::a ##[group]")
    'listens on ::1\n \\x3a:add-mask::a \\x23#[group]'
    """
    return _COMMAND.sub(lambda found: r"\x23" if found[0] == "#" else found[1] + r"\x3a", text)


def shown(text: str, most: int = MOST) -> str:
    r"""The text, harmless and bounded; it keeps its lines.

    >>> shown("a\x1b[2J\n::notice::b")
    'a\\x1b[2J\n\\x3a:notice::b'
    """
    more = len(text) - most
    kept = printable(text[:most] if more > 0 else text, keep="\n\t" + SPACES)
    return no_command(kept) + (f"\n… ({more:,} more characters)" if more > 0 else "")


def line(text: str, most: int = 1_000) -> str:
    r"""The text on one line.

    >>> line("one\ntwo")
    'one\\ntwo'
    """
    kept = no_command(printable(text[:most], keep=SPACES))
    return kept if len(text) <= most else f"{kept}…"


def points(number: float) -> str:
    """Points as people write them."""
    return f"{number:g}"


def counted(number: float) -> str:
    """Points with their word.

    >>> counted(1.0), counted(0.5)
    ('1 point', '0.5 points')
    """
    return f"{number:g} point{'' if number == 1 else 's'}"


#: How an outcome is called.
NAMES = {
    Outcome.PASS: "passed",
    Outcome.FAIL: "failed",
    Outcome.TIMEOUT: "took too long",
    Outcome.ERROR: "did not start",
    Outcome.INCONCLUSIVE: "undecided",
    Outcome.SKIPPED: "not run",
    None: "no report",
}
#: What is to be said of a check that nobody decided.
_OPEN = {
    Outcome.INCONCLUSIVE: "It could not be decided, which is not your fault.",
    None: "It has not reported: the tester stopped before its end. Run it again.",
}


def headline(check: CheckResult) -> str:
    """In one line what is to be said of a check that has not passed; empty if it has."""
    if check.outcome is Outcome.PASS:
        return ""
    if check.open and not check.message:
        return _OPEN[check.outcome]
    fallback = check.outcome.sentence if check.outcome else ""
    return line(check.message or fallback)


def explanation(check: CheckResult) -> str:
    """Everything that is to be said of a check: what broke, the story, what to do. Many lines, all of them harmless."""
    parts = [shown(check.message) or headline(check)] if check.outcome is not Outcome.PASS else []
    for word, text in (("expected", check.expected), ("seen    ", check.seen)):
        if text:
            parts.append(f"{word} {shown(text)}")
    parts += [f"  {line(step)}" for step in _bounded(check.story)]
    if check.outcome is not Outcome.PASS:
        if check.hint:
            parts.append(f"hint     {line(check.hint)}")
        if check.section:
            parts.append(f"read     section {line(check.section)} of the handout")
        if check.again:
            parts.append(f"again    {line(check.again)}")
    return "\n".join(parts)


def _bounded(story: tuple[str, ...]) -> list[str]:
    left_out = len(story) - MOST_FIRST - MOST_LAST
    if left_out <= 0:
        return list(story)
    return [*story[:MOST_FIRST], f"… ({left_out:,} steps are left out)", *story[-MOST_LAST:]]
