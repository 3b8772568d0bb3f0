"""Why points were lost: a result's checks gathered under what broke them. Pure.

Rule 1: every point that is lost or open belongs to exactly one cause: they add up to what the stages lack.
Rule 2: a check that was not run belongs to the check it waits for, however long the chain is.
Rule 3: what a person gave a whole stage settles what its checks left open.
Rule 4: this file names places in the list of checks; what of them a reader may see decides whoever shows it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

#: What a cause is. `refused`, `ours` and `build` are the whole result's; `forbidden` and `decision` a stage's; a
#: `check` broke itself; `unreported` are checks without a report for one and the same reason; `late` is a penalty.
Kind = Literal["refused", "ours", "build", "forbidden", "check", "unreported", "decision", "late"]

#: Less than this is rounding: a stage's points are kept to six digits.
_ROUNDING = 1e-5


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One reason, and what it costs."""

    kind: Kind
    text: str  #: one sentence for the instructor; of a check its rule
    lost: float  #: points that it cost; less than nothing if a person gave more than the checks did
    open: float  #: points that it leaves for a person to decide
    own: tuple[int, ...] = ()  #: places in result["checks"] of what it broke itself, in order
    waiting: tuple[int, ...] = ()  #: places of the checks that were not run because of those
    stage: int | None = None  #: number of the stage in which it begins; None: the whole result's
    bonus: bool = False  #: in an extension, whose points only make up for others


def causes_of(result: Mapping[str, Any]) -> list[Cause]:
    """The causes of a result (docs/result.md), the one that costs most first; at a tie in the checks' order.

    Their `lost` add up to what the stages lack and the penalty for being late, their `open` to what is undecided.
    """
    checks = result["checks"]
    forbidden = {stage["number"] for stage in result["stages"] if stage["forbidden"] and not stage.get("decided")}
    groups: dict[tuple[Kind, object], list[int]] = {}
    settled = {stage["number"] for stage in result["stages"] if stage.get("decided")}
    for place, check in enumerate(checks):
        if _lost(check) or (_open(check) and check["stage"] not in settled):
            groups.setdefault(_key(result, _root(checks, place), place, forbidden), []).append(place)
    found = [_cause(result, kind, what, places) for (kind, what), places in groups.items()]
    found += [*_words_of_a_person(result), *_penalty(result)]
    return sorted(found, key=lambda cause: (-cause.lost, -cause.open, min(cause.own, default=len(checks))))


def _lost(check: Mapping[str, Any]) -> float:
    return 0.0 if check["outcome"] == "inconclusive" else float(check["possible"] - check["points"])


def _open(check: Mapping[str, Any]) -> float:
    return float(check["possible"] - check["points"]) if check["outcome"] == "inconclusive" else 0.0


def _root(checks: Sequence[Mapping[str, Any]], place: int) -> int:
    """Where the chain of checks that wait for each other begins. A check that has its points holds up nobody."""
    places = {check["id"]: number for number, check in enumerate(checks)}
    while True:
        before = places.get(checks[place]["because"] or "", place)
        # Checks wait for earlier ones only, so this comes to an end whatever a file says.
        if before >= place or not (_lost(checks[before]) or _open(checks[before])):
            return place
        place = before


def _key(result: Mapping[str, Any], root: int, place: int, forbidden: set[int]) -> tuple[Kind, object]:
    """What the check at `place` belongs to."""
    if result["build"]:
        return "build", None
    if result["state"] in ("refused", "ours"):
        return result["state"], None
    checks = result["checks"]
    if checks[place]["stage"] in forbidden:
        return "forbidden", checks[place]["stage"]
    check = checks[root]
    if not check["story"] and not check["seconds"] and not check.get("decided") and check["because"] is None:
        return "unreported", (check["outcome"] == "inconclusive", check["message"])
    return "check", root


def _cause(result: Mapping[str, Any], kind: Kind, what: object, places: Sequence[int]) -> Cause:
    checks = result["checks"]
    own, waiting = list(places), []
    text = result["message"]
    if kind == "check":
        assert isinstance(what, int)
        own, waiting = [what], [place for place in places if place != what]
        text = checks[what]["rule"]
    elif kind == "unreported":
        own = [place for place in places if _root(checks, place) == place]
        waiting = [place for place in places if place not in own]
        text = checks[own[0]]["message"] if own else checks[places[0]]["message"]
    elif kind == "forbidden":
        text = next(stage["forbidden"] for stage in result["stages"] if stage["number"] == what)
    stage = checks[own[0]]["stage"] if kind in ("check", "unreported", "forbidden") and own else None
    return Cause(
        kind=kind,
        text=text,
        lost=round(math.fsum(_lost(checks[place]) for place in places), 6),
        open=round(math.fsum(_open(checks[place]) for place in places), 6),
        own=tuple(own),
        waiting=tuple(waiting),
        stage=stage,
        bonus=stage in {row["number"] for row in result["stages"] if row.get("bonus")},
    )


def _words_of_a_person(result: Mapping[str, Any]) -> list[Cause]:
    """What a person gave or took from a whole stage, beyond what its checks say."""
    found = []
    for stage in result["stages"]:
        mine = [check for check in result["checks"] if check["stage"] == stage["number"]]
        lost = stage["possible"] - stage["points"] - stage["undecided"] - math.fsum(map(_lost, mine))
        if stage.get("decided") and abs(lost) > _ROUNDING:
            text = stage["decided"]["because"]
            row = Cause(kind="decision", text=text, lost=round(lost, 6), open=0.0, stage=stage["number"])
            found.append(row)
    return found


def _penalty(result: Mapping[str, Any]) -> list[Cause]:
    late = result.get("late")
    if not late or not late.get("points"):
        return []
    return [Cause(kind="late", text=late["text"], lost=float(late["points"]), open=0.0)]
