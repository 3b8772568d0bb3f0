"""Why points were lost, for a reader: causes with the checks as this reader may see them. Pure.

Rule: a cause's own words are the grader's; wherever it speaks of a check, it says what the reader's check says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grader.verdict.causes import Cause, causes_of
from grader.verdict.scoring import number


@dataclass(frozen=True)
class Reason:
    """A cause as a page shows it."""

    kind: str
    title: str
    lost: float
    open: float
    costs: str  #: how its points come about, in words
    check: Mapping[str, Any] | None  #: the check that is to be mended, if it is one
    own: Sequence[Mapping[str, Any]]  #: the checks it broke, where they are several
    waiting: Sequence[Mapping[str, Any]]  #: the checks that wait for those
    sections: Sequence[str]  #: of the handout, that the waiting checks are about
    stage: int | None
    bonus: bool


def reasons_of(result: Mapping[str, Any], checks: Sequence[Mapping[str, Any]]) -> list[Reason]:
    """The causes of a result, the one that costs most first. `checks`: its checks as the reader sees them, in order."""
    return [_reason(cause, checks) for cause in causes_of(result)]


def _reason(cause: Cause, checks: Sequence[Mapping[str, Any]]) -> Reason:
    own, waiting = [checks[place] for place in cause.own], [checks[place] for place in cause.waiting]
    check = own[0] if cause.kind == "check" else None
    return Reason(
        kind=cause.kind,
        title=_title(cause, own),
        lost=cause.lost,
        open=cause.open,
        costs=_costs(own, waiting),
        check=check,
        own=own if check is None and cause.kind in ("unreported",) else [],
        waiting=waiting,
        sections=sorted({row["section"] for row in waiting}, key=_order),
        stage=cause.stage,
        bonus=cause.bonus,
    )


def _title(cause: Cause, own: Sequence[Mapping[str, Any]]) -> str:
    if cause.kind == "check":
        return str(own[0].get("title") or own[0]["rule"])
    if cause.kind == "unreported":
        # A public check's message is the reader's to see; a hidden one's may not be.
        said = next((check["message"] for check in own if check.get("message")), "")
        return str(said or f"{_checks(len(own))} did not come to an end.")
    if cause.kind == "decision":
        return f"A person's word on stage {cause.stage}: {cause.text}"
    return cause.text


def _costs(own: Sequence[Mapping[str, Any]], waiting: Sequence[Mapping[str, Any]]) -> str:
    """How the points come about: a check's own, and those of what waits for it."""
    if not waiting:
        return "" if len(own) < 2 else _checks(len(own))
    lacking = sum(check["possible"] - check["points"] for check in waiting)
    verb = "waits" if len(waiting) == 1 else "wait"
    return f"{_checks(len(waiting))}, {_points(lacking)}, {verb} for {'it' if len(own) < 2 else 'them'}"


def _checks(count: int) -> str:
    return f"{count} check{'' if count == 1 else 's'}"


def _points(value: float) -> str:
    return f"{number(value)} point{'' if value == 1 else 's'}"


def _order(section: str) -> list[tuple[int, int | str]]:
    """Sections in the order of the handout: 4.2 before 4.10."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in section.split(".")]
