"""What each reader may see of a result. Pure: a result in, plain data for a page out.

Rule 1: the student's view is built from a list of what it shows, never by taking away from the whole.
Rule 2: of a hidden check it shows the handout's section, the points, the author's fixed text, and a person's word.
        Payloads and drop patterns would leak through messages, stories, captures and the program's own output.
Rule 3: keys that a result has only when there is something to say (docs/result.md: `when`, `short`, `version`,
        `appeal`, `late`, `history`, `course`; a check's `decided`, `stale`, `repeat`, `explain`; a stage's `decided`)
        may be missing, and a page says nothing of them then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grader.reports.changes import changes_since
from grader.reports.moments import when_of
from grader.reports.reasons import reasons_of
from harness.course.building import missing_tool
from harness.lab.tools import in_words
from harness.tester.border.outcome import Outcome

#: How many steps of a long story are shown from its beginning and from its end; the rest is folded.
FIRST_STEPS, LAST_STEPS = 6, 20

#: What a student reads when the lab or the grader broke; the reason is for the instructor.
OUR_FAULT = "The grader could not finish, through no fault of yours. Your submission will be graded again."


def instructor_view(
    result: Mapping[str, Any], *, before: Mapping[str, Any] | None = None, students: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Everything, arranged by stage. `before`: the student's view of the submission before this one.

    `students`: the student's view of this one, where it has been made already.
    """
    students = students or student_view(result, before=before)
    read = {check["number"]: check for stage in students["stages"] for check in stage["checks"]}
    checks = [
        {
            **_with_story(check),
            **_extras(check),
            "failing": _failing(check),
            "at": f"check-{check['number']}",
            "reads": read[check["number"]].get("title"),
        }
        for check in result["checks"]
    ]
    stages = _by_stage(result["stages"], checks)
    return {
        **result,
        **_told(result),
        "history": result.get("history", []),
        "stages": stages,
        "name": result["student"],
        "first": first_of_all(result),
        "reasons": reasons_of(result, checks),
        "changes": students["changes"],
        "signs": _signs(stages),
        "machine": _machine(result),
        "stale": sum(check["stale"] for check in checks),
    }


#: What a student reads of a hidden check in which a server ended, before its author's text.
CRASHED = "A program of yours ended by itself while it was being checked: look for what your own errors could end."
#: What stands for a hidden check of which nothing else may be said.
HIDDEN = "Hidden check"


def student_view(result: Mapping[str, Any], *, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the student may see, arranged by stage. `before`: the same of their submission before this one."""
    ids = {check["id"]: check for check in result["checks"]}
    closed = {stage["number"] for stage in result["stages"] if stage["forbidden"] and not stage.get("decided")}
    checks = [
        {
            **_students_check(check, ids, _never_ran(result)),
            "at": f"stage-{check['stage']}" if check["stage"] in closed else f"check-{check['number']}",
        }
        for check in result["checks"]
    ]
    keys = ("title", "assignment", "state", "message", "points", "possible", "undecided", "build", "graded_at")
    stages = _by_stage(result["stages"], checks)
    reasons = reasons_of({**result, "message": OUR_FAULT} if result["state"] == "ours" else result, checks)
    view = {
        **{key: result[key] for key in keys},
        **_told(result),
        "history": [{**row, "href": None} for row in result.get("history", [])],
        "message": OUR_FAULT if result["state"] == "ours" else result["message"],
        "name": result["student"],
        "notes": result["submission"]["notes"],
        "hash": result["submission"]["hash"],
        "engine": result["lab"]["engine"],
        "machine": _machine(result),
        "stages": stages,
        "first": first_of_all({**result, "message": OUR_FAULT} if result["state"] == "ours" else result),
        "reasons": reasons,
        "signs": _signs(stages),
        "next": next((one for one in reasons if one.lost > 0 and one.check is not None), None),
        "stale": sum(check["stale"] for check in checks),
    }
    return {**view, "changes": changes_since(before, view) if before else None}


def _told(result: Mapping[str, Any]) -> dict[str, Any]:
    """What both readers are told where a result has it."""
    return {
        "when": when_of(result),
        **{key: result.get(key) for key in ("course", "version", "short", "appeal", "late")},
    }


def _extras(check: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a check that are there when there is something to say."""
    return {
        "decided": check.get("decided"),
        "stale": check.get("stale", False),
        "repeat": check.get("repeat", []),
        "explain": check.get("explain"),
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
    """What a student reads of a check; `title` is the line that stands for it."""
    decided = {"decided": _students_word(check), "stale": check.get("stale", False)}
    waits = _waits_for(ids.get(check["because"] or ""))
    if check["suite"] == "hidden":
        keys = ("number", "suite", "stage", "points", "possible", "section")
        shown: dict[str, Any] = {**{key: check[key] for key in keys}, **decided, "waits": waits}
        # One word for fail, timeout and error: which one it was is part of what stays hidden. A check that was not
        # run says so, since its author's text would describe a mistake that nobody saw.
        outcome = check["outcome"]
        shown["outcome"] = outcome if outcome in ("pass", "inconclusive", "skipped") else "fail"
        shown["feedback"] = check["feedback"] if shown["outcome"] == "fail" and not never_ran else None
        if shown["feedback"] and check.get("crashed"):  # results of earlier versions do not say
            shown["feedback"] = f"{CRASHED} {shown['feedback']}"
        return {**shown, "title": shown["feedback"] or HIDDEN}
    shown = {key: check[key] for key in _PUBLIC} | {"packets": check.get("packets")}
    if check["outcome"] == "inconclusive":
        shown["message"] = Outcome.INCONCLUSIVE.sentence  # the full message may mention other checks
    because = ids.get(check["because"] or "")
    if because is not None and because["suite"] == "hidden":
        shown["message"] = "Not run, because a hidden check that it builds on did not pass."
    story = {**_with_story(shown), "failing": _failing(shown)}
    return {**story, **decided, "waits": waits, "title": check["rule"]}


_PUBLIC = (
    "number",
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


def _waits_for(because: Mapping[str, Any] | None) -> str:
    """What a check waits for, in words that a student may read; empty if it waits for nothing."""
    if because is None:
        return ""
    if because["suite"] == "hidden":
        return f"a hidden check of section {because['section']}"
    return f"{because['id'].rpartition('::')[2]}, section {because['section']}"


def _students_word(check: Mapping[str, Any]) -> dict[str, Any] | None:
    """A person's word on a check; what a hidden one was before keeps which of the outcomes it had to itself."""
    word = check.get("decided")
    if not word:
        return None
    if check["suite"] == "hidden":
        return {**word, "before": {**word["before"], "outcome": None}}
    return dict(word)


def _failing(check: Mapping[str, Any]) -> int | None:
    """The place in its story of the step at which a check failed: the last one of the tester's.

    What follows is what the program said. Simulations tell their failure in sentences of their own, so none is marked.
    """
    if check["outcome"] not in ("fail", "timeout", "error") or check["bundle"] is not None:
        return None
    places = [place for place, step in enumerate(check["story"]) if step["who"] not in ("student", "link")]
    return places[-1] if places else None


def _with_story(check: Mapping[str, Any]) -> dict[str, Any]:
    """The story in three parts: the beginning, what is folded, the end."""
    story = check["story"]
    if len(story) <= FIRST_STEPS + LAST_STEPS + 4:
        return {**check, "story": {"first": story, "folded": [], "last": []}}
    parts = story[:FIRST_STEPS], story[FIRST_STEPS:-LAST_STEPS], story[-LAST_STEPS:]
    return {**check, "story": dict(zip(("first", "folded", "last"), parts, strict=True))}


def _by_stage(stages: Sequence[Mapping[str, Any]], checks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The stages with their checks: `told` are those of which there is something to say, the others take a line."""
    rows = []
    for stage in stages:
        mine = [check for check in checks if check["stage"] == stage["number"]]
        kinds = {"told": [check for check in mine if not _quiet(check)]}
        for kind, outcome in (("passes", ("pass",)), ("idle", ("skipped", "inconclusive"))):
            kinds[kind] = [check for check in mine if _quiet(check) and check["outcome"] in outcome]
        rows.append(
            {**stage, "decided": stage.get("decided"), "bonus": stage.get("bonus", False), "checks": mine, **kinds}
        )
    return rows


def _quiet(check: Mapping[str, Any]) -> bool:
    """Whether a line says enough of a check: it passed, or was not run."""
    if check["decided"]:
        return False
    waits = check["outcome"] == "inconclusive" and bool(check.get("because") or check.get("waits"))
    return check["outcome"] in ("pass", "skipped") or waits
