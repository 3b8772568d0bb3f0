"""What each reader may see of a result. Pure: a result in, plain data for a page out.

Rule 1: the student's view is built from a list of what it shows, never by taking away from the whole.
Rule 2: of a hidden check it shows the handout's section, the points, and the author's fixed text. Payloads and drop
        patterns would leak through messages, stories, captures and the program's own output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from harness.course.building import missing_tool
from harness.lab.tools import in_words
from harness.tester.border.outcome import Outcome

#: How many steps of a long story are shown from its beginning and from its end; the rest is folded.
FIRST_STEPS, LAST_STEPS = 6, 20

#: What a student reads when the lab or the grader broke; the reason is for the instructor.
OUR_FAULT = "The grader could not finish, through no fault of yours. Your submission will be graded again."


def instructor_view(result: Mapping[str, Any]) -> dict[str, Any]:
    """Everything, arranged by stage."""
    checks = [_with_story(check) for check in result["checks"]]
    stages = _by_stage(result["stages"], checks)
    return {
        **result,
        "stages": stages,
        "name": result["student"],
        "first": first_of_all(result),
        "signs": _signs(stages),
        "machine": _machine(result),
    }


#: What a student reads of a hidden check in which a server ended, before its author's text.
CRASHED = "A program of yours ended by itself while it was being checked: look for what your own errors could end."


def student_view(result: Mapping[str, Any]) -> dict[str, Any]:
    """What the student may see, arranged by stage."""
    ids = {check["id"]: check for check in result["checks"]}
    checks = [_students_check(check, ids, _never_ran(result)) for check in result["checks"]]
    keys = ("title", "assignment", "state", "message", "points", "possible", "undecided", "build", "graded_at")
    stages = _by_stage(result["stages"], checks)
    return {
        **{key: result[key] for key in keys},
        "message": OUR_FAULT if result["state"] == "ours" else result["message"],
        "name": result["student"],
        "notes": result["submission"]["notes"],
        "engine": result["lab"]["engine"],
        "machine": _machine(result),
        "stages": stages,
        "first": first_of_all({**result, "message": OUR_FAULT} if result["state"] == "ours" else result),
        "signs": _signs(stages),
        "next": _next(stages),
    }


@dataclass(frozen=True)
class FirstOfAll:
    """The one thing that has to be mended before anything else says much."""

    text: str  #: what is wrong
    advice: str = ""  #: what to do, and what it costs meanwhile
    none_ran: bool = False  #: no check has seen the programs, so there is nothing to list


def first_of_all(result: Mapping[str, Any]) -> FirstOfAll | None:
    """What stands on top of a result's pages and lines; None if every check speaks for itself."""
    if result["build"]:
        text, advice = result["message"], "No check was run. Mend the build before anything else."
        if tool := missing_tool(result["build"]["log"]):
            there = _machine(result)
            text = f"{text} {tool} is not on the machine that grades."
            has = f"What is there: {there}. " if there else ""
            advice = (
                f"No check was run. {has}Build with what is there, or ask your instructor whether {tool} can be added."
            )
        return FirstOfAll(text, advice, none_ran=True)
    if result["message"]:
        return FirstOfAll(result["message"], none_ran=_never_ran(result))
    stages = [stage for stage in result["stages"] if stage["forbidden"]]
    if not stages:
        return None
    which = "The stage gives" if len(stages) == 1 else f"Stages {_numbers(stages)} give"
    advice = f"{which} no points, whatever the checks say, until that is gone. Mend it before anything else."
    return FirstOfAll(" ".join(stage["forbidden"] for stage in stages), advice)


def said_of(result: Mapping[str, Any]) -> str:
    """What a line about a result says besides its points; empty if every check speaks for itself."""
    first = first_of_all(result)
    return first.text if first else ""


def _numbers(stages: Sequence[Mapping[str, Any]]) -> str:
    *most, last = [str(stage["number"]) for stage in stages]
    return f"{', '.join(most)} and {last}"


def _never_ran(result: Mapping[str, Any]) -> bool:
    return result["state"] == "refused" or result["build"] is not None


def _machine(result: Mapping[str, Any]) -> str:
    """The machine it was graded on, in words; empty in results of before."""
    told = result["lab"].get("machine")
    if not told:
        return ""
    node = f"{told['processors']:g} processor{'' if told['processors'] == 1 else 's'}, {told['memory_mb']} MB of memory"
    return ", ".join(filter(None, (in_words(told), node)))


def _signs(stages: Sequence[Mapping[str, Any]]) -> list[str]:
    """The outcomes on a page, for its legend; none if everything has passed."""
    shown = {check["outcome"] for stage in stages if not stage["forbidden"] for check in stage["checks"]}
    return [outcome.value for outcome in Outcome if outcome.value in shown] if shown != {"pass"} else []


def _students_check(check: Mapping[str, Any], ids: Mapping[str, Mapping[str, Any]], never_ran: bool) -> dict[str, Any]:
    if check["suite"] == "hidden":
        shown: dict[str, Any] = {key: check[key] for key in ("suite", "stage", "points", "possible", "section")}
        # One word for fail, timeout and error: which one it was is part of what stays hidden. A check that was not
        # run says so, since its author's text would describe a mistake that nobody saw.
        outcome = check["outcome"]
        shown["outcome"] = outcome if outcome in ("pass", "inconclusive", "skipped") else "fail"
        shown["feedback"] = check["feedback"] if shown["outcome"] == "fail" and not never_ran else None
        if shown["feedback"] and check.get("crashed"):  # results of earlier versions do not say
            shown["feedback"] = f"{CRASHED} {shown['feedback']}"
        return shown
    keys = (
        "suite",
        "stage",
        "points",
        "possible",
        "section",
        "id",
        "outcome",
        "rule",
        "hint",
        "message",
        "seconds",
        "expected",
        "seen",
        "story",
        "ladder",
        "ladder_svg",
        "plot",
        "pcapng",
        "bundle",
        "replay",
    )
    shown = {key: check[key] for key in keys}
    if check["outcome"] == "inconclusive":
        shown["message"] = Outcome.INCONCLUSIVE.sentence  # the full message may mention other checks
    because = ids.get(check["because"] or "")
    if because is not None and because["suite"] == "hidden":
        shown["message"] = "Not run, because a hidden check that it builds on did not pass."
    return _with_story(shown)


def _with_story(check: Mapping[str, Any]) -> dict[str, Any]:
    """The story in three parts: the beginning, what is folded, the end."""
    story = check["story"]
    if len(story) <= FIRST_STEPS + LAST_STEPS + 4:
        return {**check, "story": {"first": story, "folded": [], "last": []}}
    parts = story[:FIRST_STEPS], story[FIRST_STEPS:-LAST_STEPS], story[-LAST_STEPS:]
    return {**check, "story": dict(zip(("first", "folded", "last"), parts, strict=True))}


def _by_stage(stages: Sequence[Mapping[str, Any]], checks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for stage in stages:
        mine = [check for check in checks if check["stage"] == stage["number"]]
        passed = sum(check["outcome"] == "pass" for check in mine)
        rows.append({**stage, "checks": mine, "passed": passed})
    return rows


def _next(stages: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Where to continue: the first check that was run and did not pass."""
    for stage in stages:
        for check in () if stage["forbidden"] else stage["checks"]:
            if check["outcome"] not in ("pass", "skipped", "inconclusive"):
                return {"stage": stage, "check": check}
    return None


# --- the class ---


def class_view(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A table per assignment: students by stages, and what the class as a whole shows."""
    names = sorted({result["assignment"] for result in results})
    return [_assignment_view([row for row in results if row["assignment"] == name]) for name in names]


def _assignment_view(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    latest = max(rows, key=lambda row: str(row["graded_at"]))
    decided = [row["points"] for row in rows if row["state"] in ("graded", "refused")]
    labs = sorted({(row["lab"]["kind"], row["lab"]["engine"]) for row in rows})
    return {
        "name": latest["assignment"],
        "title": latest["title"],
        "possible": latest["possible"],
        "stages": latest["stages"],
        "rows": [{**row, "said": said_of(row)} for row in rows],
        "states": Counter(row["state"] for row in rows),
        "median": median(decided) if decided else None,
        "labs": labs,
        "unprotected": sorted({row["lab"]["unprotected"] for row in rows if row["lab"]["unprotected"]}),
        "hardest": _hardest(rows),
    }


def _hardest(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The checks that most submissions did not pass, of those that were run."""
    lost: Counter[str] = Counter()
    run: Counter[str] = Counter()
    checks: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if _never_ran(row) or row["state"] not in ("graded", "undecided"):
            continue
        forbidden = {stage["number"] for stage in row["stages"] if stage["forbidden"]}
        for check in row["checks"]:
            if check["stage"] in forbidden or Outcome(check["outcome"]) in (Outcome.SKIPPED, Outcome.INCONCLUSIVE):
                continue
            checks[check["id"]] = check
            run[check["id"]] += 1
            lost[check["id"]] += check["outcome"] != "pass"
    most = sorted(checks, key=lambda name: (-lost[name], checks[name]["number"]))[:8]
    return [{"check": checks[name], "lost": lost[name], "run": run[name]} for name in most if lost[name]]
