"""What the pages are full of: steps of a story, checks that passed, signs. Pure.

Rule: these are made in one go and not by a template, where each of their values costs several calls; half of a page's
      time would go into them. So each value passes `line` or `visible`, and then `escape`, here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from markupsafe import Markup, escape

from grader.reports.text import line, visible
from grader.reports.traces import Shown, parts
from grader.verdict.scoring import number
from harness.tester.border.outcome import Outcome

#: What stands beside the step at which a check failed.
_HERE = ' <b class="here">← here it failed</b>'


@cache
def sign(outcome: str) -> Markup:
    """An outcome as the sign that stands for it. Raises ValueError if it is none."""
    what = Outcome(outcome)
    return Markup(f'<span class="sign {what.value}" role="img" aria-label="{what.value}">{what.symbol}</span>')


def seconds(value: float) -> str:
    """A time as people read it.

    >>> seconds(0.02134), seconds(12.345)
    ('0.021 s', '12.3 s')
    """
    return f"{value:.3f} s" if value < 1 else f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def traced(text: str, sources: Mapping[str, Shown], *, one_line: bool = False) -> Markup:
    """The text, escaped, with links to the lines of the submission that it names."""
    show = line if one_line else visible
    if 'File "' not in text:
        return escape(show(text))
    return Markup("").join(
        Markup('<a href="./source.html#{}">{}</a>').format(part.anchor, show(part.text))
        if part.anchor
        else escape(show(part.text))
        for part in parts(text, sources)
    )


def story(rows: Sequence[Mapping[str, Any]], marked: Mapping[str, Any], sources: Mapping[str, Shown]) -> Markup:
    """The steps of a story as items of a list; `marked` is the one at which the check failed."""
    items = []
    for step in rows:
        who, failed = step["who"], step is marked
        kind = who if who in ("student", "link") else "tester"
        items.append(
            f'  <li class="{kind}{" failing" if failed else ""}"><span class="num">{step["at"]:.3f} s</span>'
            f'<span class="who">{escape(line(who))}</span>'
            f'<span class="foreign">{traced(step["what"], sources, one_line=True)}{_HERE if failed else ""}</span></li>'
        )
    return Markup("\n".join(items))


def passed(checks: Sequence[Mapping[str, Any]]) -> Markup:
    """Checks that passed, a line each. A student's have no id and no time where they are hidden."""
    return Markup("\n".join(_passed(check) for check in checks))


def _passed(check: Mapping[str, Any]) -> str:
    more = ""
    if "id" in check:
        name = check["id"].rpartition("::")[2]
        took = f" · {seconds(check['seconds'])}" if check["seconds"] >= 0.001 else ""
        more = f' · <span class="mono">{escape(visible(name))}</span>{took}'
    old = ' · <b class="inconclusive">of an older version</b>' if check.get("stale") else ""
    title, section = escape(visible(check.get("title") or check["rule"])), escape(visible(check["section"]))
    return (
        f'<li id="check-{check["number"]:d}">{sign("pass")}<span>{title} <span class="soft">{section}{more}{old}</span>'
        f'</span><span class="num">{escape(number(check["points"]))}</span></li>'
    )
