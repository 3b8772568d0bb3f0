"""The few lines that a whole audit comes to, each with what it should be. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from grader.audit.figures import Share
from grader.audit.measure import Caught, Finding


@dataclass(frozen=True)
class Line:
    """One thing that was counted."""

    part: str
    what: str  #: in words
    share: Share
    goal: str  #: in words
    met: bool
    short: str = ""  #: of what there should be more

    @property
    def bound(self) -> str:
        """Between which shares it is with 95 %, in words."""
        if not self.share.of:
            return "nothing was counted"
        low, high = self.share.bounds
        return f"at most {high:.1%}" if not self.share.count else f"{low:.1%} to {high:.1%}"


def lines_of(findings: Sequence[Finding], checks: Sequence[Caught] = ()) -> list[Line]:
    """A line for all that was counted."""
    return [*_mutants(findings, checks), *_alternates(findings), *_repetition(findings), *_redteam(findings)]


def _count(findings: Iterable[Finding], *verdicts: str) -> int:
    return sum(finding.verdict in verdicts for finding in findings)


def _mutants(findings: Sequence[Finding], checks: Sequence[Caught]) -> list[Line]:
    lines = []
    if rows := [one for one in findings if one.kind == "hand-written"]:
        share = Share(_count(rows, "missed", "early", "undecided", "wedged"), len(rows))
        lines.append(
            Line("mutants", "hand-written bugs missed, or noticed in another stage", share, "0", not share.count)
        )
    for name in sorted({one.assignment for one in findings if one.kind == "generated"}):
        rows = [one for one in findings if one.kind == "generated" and one.assignment == name]
        share = Share(_count(rows, "caught"), len(rows) - _count(rows, "same"))
        met = share.count >= 0.95 * share.of
        lines.append(Line("mutants", f"generated bugs of {name} caught", share, "95 % or more", met))
    hidden = [check for check in checks if check.suite == "hidden" and check.asked]
    if hidden:
        share = Share(sum(not (check.written or check.generated) for check in hidden), len(hidden))
        lines.append(Line("mutants", "hidden checks that met a bug and caught none", share, "0", not share.count))
    return lines


def _alternates(findings: Sequence[Finding]) -> list[Line]:
    rows = [one for one in findings if one.part == "alternates"]
    if not rows:
        return []
    share = Share(_count(rows, "wrong", "wedged"), len(rows))
    single = Share(sum(len(one.failed) for one in rows), sum(one.checks for one in rows))
    open_ones = Share(sum(len(one.undecided) for one in rows), single.of)
    return [
        Line("alternates", "correct programs that lost a point", share, "0", not share.count),
        Line("alternates", "their checks that failed", single, "0", not single.count),
        Line("alternates", "their checks left undecided", open_ones, "at most 5 in 1,000", _few(open_ones)),
    ]


def _repetition(findings: Sequence[Finding]) -> list[Line]:
    lines = []
    for condition in sorted({one.condition for one in findings if one.part == "repetition"}):
        rows = [one for one in findings if one.part == "repetition" and one.condition == condition]
        changed = Share(_count(rows, "wrong", "wedged"), len(rows))
        undecided = Share(sum(len(one.undecided) for one in rows), sum(one.checks for one in rows))
        lines += [
            Line("repetition", f"gradings whose verdict changed ({condition})", changed, "0", not changed.count),
            Line(
                "repetition", f"checks left undecided ({condition})", undecided, "at most 5 in 1,000", _few(undecided)
            ),
        ]
    return lines


def _few(share: Share) -> bool:
    return share.count <= 0.005 * share.of


def _redteam(findings: Sequence[Finding]) -> list[Line]:
    rows = [one for one in findings if one.kind in ("attack", "deed")]
    beside = [one for one in findings if one.kind == "bystander"]
    lines = []
    for verdict in ("gained", "told", "wedged", "undecided") if rows else ():
        share = Share(_count(rows, verdict), len(rows))
        lines.append(Line("redteam", f"attacks that {_WORDS[verdict]}", share, "0", not share.count))
    if beside:
        share = Share(len(beside) - _count(beside, "right"), len(beside))
        lines.append(Line("redteam", "honest submissions beside them that were harmed", share, "0", not share.count))
    return lines


_WORDS = {
    "gained": "gained a point",
    "told": "learned something",
    "wedged": "broke the lab or the grader",
    "undecided": "left a check undecided",
}
