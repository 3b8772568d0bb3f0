"""Everything that a verdict rests on, for a person who has to defend it. Pure: a check's row in, sections out.

Rule: nothing is judged here. What is not known is left out, not guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grader.reports.pages import render
from grader.reports.text import shell
from grader.verdict.causes import causes_of
from harness.tester.border.outcome import Outcome

#: A place in a traceback of Python.
_PLACE = re.compile(r'File "(?P<file>[^"\n]{1,300})", line (?P<line>\d{1,6})')
#: Counters of the link, as a sentence names them.
_COUNTERS = (
    ("lost", "lost"),
    ("duplicated", "doubled"),
    ("reordered", "overtaken"),
    ("overflowed", "over the queue's limit"),
    ("engine_drops", "lost by the engine itself, which is ours"),
)


@dataclass(frozen=True)
class Section:
    """A part of the explanation."""

    title: str
    lines: Sequence[str] = ()  #: one after the other, as text
    drawn: str = ""  #: shown in a fixed font as it is
    told: bool = False  #: so are the lines


def explain(result: Mapping[str, Any], check: Mapping[str, Any], run: str) -> list[Section]:
    """What a check's verdict rests on, in the order in which one would ask. `run`: the run's folder, for commands."""
    sections = [
        Section("The rule", _rule(check)),
        Section("The verdict", _verdict(result, check)),
        Section("A person's word", _word(check)),
        Section("What happened", _story(check), told=True),
        Section("Expected", drawn=check["expected"] or ""),
        Section("Seen", drawn=check["seen"] or ""),
        Section("Where in the submission", places(check)),
        Section("The packets", _files(check), drawn=check["ladder"] or ""),
        Section("What the link did", _link(check)),
        Section("The machine", _machine(result, check)),
        Section("What was graded, by what", _versions(result)),
        Section("To see it again", commands(result, check, run), told=True),
    ]
    return [section for section in sections if section.lines or section.drawn]


def explain_stage(result: Mapping[str, Any], number: int) -> tuple[Section, list[Mapping[str, Any]]]:
    """Why points were lost in a stage, the dearest cause first, and the checks that are these causes.

    What a check waits for may be of another stage.
    """
    checks = result["checks"]
    stage = next(row for row in result["stages"] if row["number"] == number)
    lines, roots = [], []
    for cause in causes_of(result):
        mine = [checks[place] for place in (*cause.own, *cause.waiting) if checks[place]["stage"] == number]
        if not mine and cause.stage != number:
            continue
        root = checks[cause.own[0]] if cause.kind == "check" else None
        lost = sum(check["possible"] - check["points"] for check in mine) if mine else cause.lost
        waiting = len([check for check in mine if check is not root])
        which = f"check {root['number']}: " if root else ""
        wait = f" {waiting} check{'s wait' if waiting > 1 else ' waits'} for it." if root and waiting else ""
        lines.append(f"{-lost:+g}  {which}{cause.text}{wait}")
        roots += [root] if root else []
    title = f"Stage {number}, {stage['title']}: {stage['points']:g} of {stage['possible']:g} points"
    return Section(title, lines or ["Nothing was lost."]), roots


def explain_page(result: Mapping[str, Any], check: Mapping[str, Any], run: str) -> str:
    """The same as one page, to keep or to send to a colleague. It holds what no student may see."""
    return render(
        "explain.html.j2",
        name=result["student"],
        title=result["title"],
        check=check,
        short=str(result.get("short", "")),
        graded_at=result["graded_at"],
        sections=explain(result, check, run),
    )


def _rule(check: Mapping[str, Any]) -> list[str]:
    told = [check["rule"], f"Section {check['section']} of the handout; {check['suite']} check {check['id']}"]
    if check["feedback"]:
        told.append(f"The student reads: {check['feedback']}")
    return told


def _verdict(result: Mapping[str, Any], check: Mapping[str, Any]) -> list[str]:
    outcome = Outcome(check["outcome"])
    told = [f"{outcome.value}: {check['points']:g} of {check['possible']:g} points. {check['message']}".strip()]
    if check["because"]:
        told.append(f"It waits for {check['because']}.")
    if check.get("crashed"):
        told.append("A server of the submission ended although nobody told it to.")
    if check.get("stale"):
        told.append("The tests have changed since: this outcome is of an older version, until it is graded again.")
    if result["state"] == "ours":
        told.append("The grading broke through our fault; nothing of it counts against the submission.")
    return told


def _word(check: Mapping[str, Any]) -> list[str]:
    word = check.get("decided")
    if not word:
        return []
    before = word["before"]
    given = word["given"] if isinstance(word["given"], str) else f"{word['given']:g} points"
    return [
        f"{word['by']}, {word['at']}: {given}, because {word['because']}",
        f"Before that: {before['outcome']}, {before['points']:g} points.",
    ]


def _story(check: Mapping[str, Any]) -> list[str]:
    return [f"{step['at']:9.3f} s  {step['who']:<8} {step['what']}" for step in check["story"]]


def places(check: Mapping[str, Any]) -> list[str]:
    """The places in the submission that a traceback names, innermost last: file:line."""
    texts = [check["message"], check["seen"] or "", *(step["what"] for step in check["story"])]
    found = [f"{place['file']}:{place['line']}" for text in texts for place in _PLACE.finditer(text)]
    return list(dict.fromkeys(found))


def _files(check: Mapping[str, Any]) -> list[str]:
    named = {
        "pcapng": "for Wireshark",
        "bundle": "the run in one file, for lab trace and lab replay",
        "ladder_svg": "the ladder",
        "plot": "numbers over time",
    }
    return [f"{check[key]} ({what})" for key, what in named.items() if check.get(key)]


def _link(check: Mapping[str, Any]) -> list[str]:
    link = check["link"]
    if not link or not link.get("packets"):  # a simulation has packets of its own
        return []
    asked = f", with the profile {link['profile']}" if isinstance(link.get("profile"), str) else ""
    told = [f"{link.get('packets', 0)} packets came in, {link.get('delivered', 0)} were delivered{asked}."]
    counted = [f"{link[key]} {word}" for key, word in _COUNTERS if link.get(key)]
    told.append(f"Of these: {', '.join(counted)}." if counted else "None was lost, doubled or overtaken.")
    late = link.get("late_p99")
    if isinstance(late, int | float):
        told.append(f"Its clock was {1000 * late:.1f} ms late at most (99 of 100 packets).")
    return told


def _machine(result: Mapping[str, Any], check: Mapping[str, Any]) -> list[str]:
    told = [
        f"The check took {check['seconds']:.2f} s; the submission used {check.get('used', 0.0):.2f} s of processor."
    ]
    if check.get("waited"):
        told.append(f"The tester was ready and had no processor for {check['waited']:.2f} s of it.")
    if result["attempts"] > 1:
        told.append("Something was undecided at first, and was run a second time.")
    return told + [f"Noted: {note}" for note in result["notes"]]


def _versions(result: Mapping[str, Any]) -> list[str]:
    lab = result["lab"]
    told = [
        f"Submission {result['submission']['hash'] or 'not taken'}",
        f"Result {result.get('short', 'of an early version')}, graded {result['graded_at']}",
        f"Tests and harness {str(result.get('versions', ''))[:16] or 'of an early version'}",
        f"Lab {lab['kind']}, link engine {lab['engine']}, image {lab['image'] or 'none'}",
        f"Seed {result['seed']['fingerprint']}: {result['seed']['note']}",
    ]
    machine = lab.get("machine") or {}
    if machine:
        told.append("The node: " + ", ".join(f"{name} {value}" for name, value in machine.items()))
    return told


def commands(result: Mapping[str, Any], check: Mapping[str, Any], run: str) -> list[str]:
    """What to type to see the check again."""
    name = check["id"].rpartition("::")[2].removeprefix("test_")
    words = (run, result["student"], result["assignment"], name)
    end = "-- " if any(word.startswith("-") for word in words) else ""  # no option follows
    told = [f"grader rerun {end}{shell(*words)}", f"grader decide --because TEXT {end}{shell(*words, 'pass')}"]
    folder = f"{run}/{result['student']}/{result['assignment']}"
    if check.get("bundle"):
        told += [f"lab {word} {shell(folder + '/' + check['bundle'])}" for word in ("trace", "replay")]
    if check["replay"]:
        told.append(f"{check['replay']} (in the submission's folder)")
    return told
