"""What became of a specimen, and what that says of this grader. Pure: results in, plain data out.

| kind | verdicts |
|---|---|
| mutants | caught; missed; early: points were lost before its stage; same: survived, and is no bug; undecided |
| alternate, reference, bystander | right; wrong: a check failed; undecided |
| attack, deed | held; gained: a check passed that nothing passes; told: a hidden check's words are shown; undecided |
| any | wedged: this grader or its lab broke |
"""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grader.audit.specimen import Specimen, function_of
from harness.tester.border.outcome import Outcome

#: Verdicts that need nobody's attention.
WELL = frozenset({"caught", "same", "right", "held"})
#: Shorter texts of a hidden check say nothing.
_TELLING = 24


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What became of one specimen. As JSON it is a row of audit.json."""

    part: str
    kind: str
    name: str
    assignment: str
    verdict: str
    about: str = ""
    file: str = ""
    stage: int = 0
    condition: str = ""  #: lab and load
    checks: int = 0  #: that were asked
    failed: Sequence[str] = ()  #: ids of checks, in the rubric's order
    undecided: Sequence[str] = ()
    told: str = ""  #: one sentence, where there is one to tell
    seconds: float = 0.0
    report: str = ""  #: of the grading, relative to audit.html

    @property
    def well(self) -> bool:
        """Whether it needs nobody's attention."""
        return self.verdict in WELL


def finding_of(
    specimen: Specimen,
    result: Mapping[str, Any],
    *,
    condition: str = "",
    report: str = "",
    page: str = "",
    nothing: Collection[str] = (),
) -> Finding:
    """`result`: its grading; `page`: what a student sees; `nothing`: the checks that an empty submission passes."""
    rows = result["checks"]
    failed = [row["id"] for row in rows if Outcome(row["outcome"]).failed]
    undecided = [row["id"] for row in rows if not Outcome(row["outcome"]).decided]
    passed = [row["id"] for row in rows if row["outcome"] == Outcome.PASS.value]
    if result["state"] == "ours":
        verdict, told = "wedged", result["message"]
    elif specimen.part == "mutants":
        verdict, told = _of_mutant(specimen, failed, undecided)
    elif specimen.kind in ("attack", "deed"):
        gained = [check for check in passed if check not in nothing] if specimen.kind == "attack" else []
        words = _told(rows, page)
        verdict = "gained" if gained else "told" if words else "undecided" if undecided else "held"
        told = ", ".join(gained) or words or (_first(rows, undecided) if undecided else "")
    elif specimen.kind == "empty":
        verdict, told = ("undecided", _first(rows, undecided)) if undecided else ("right", "")
    else:
        verdict = "wrong" if failed else "undecided" if undecided else "right"
        told = _first(rows, failed or undecided)
    return Finding(
        part=specimen.part,
        kind=specimen.kind,
        name=specimen.name,
        assignment=specimen.assignment.name,
        verdict=verdict,
        about=specimen.about,
        file=specimen.file,
        stage=specimen.stage,
        condition=condition,
        checks=len(rows),
        failed=failed,
        undecided=undecided,
        told=told,
        seconds=next((phase["seconds"] for phase in result["phases"] if phase["name"] == "total"), 0.0),
        report=report,
    )


def _of_mutant(specimen: Specimen, failed: Sequence[str], undecided: Sequence[str]) -> tuple[str, str]:
    if not specimen.caught_by:  # a generated one
        if failed:
            return "caught", ""
        if undecided:
            return "undecided", ", ".join(undecided)
        return "same" if specimen.same else "missed", specimen.same
    stage = {check.id: check.stage for check in specimen.assignment.checks}
    early = [check for check in failed if stage[check] < specimen.stage]
    if early:
        return "early", f"points were lost before stage {specimen.stage}: {', '.join(early)}"
    noticed = {function_of(check) for check in failed if stage[check] == specimen.stage}
    missed = [name for name in specimen.caught_by if name not in noticed]
    if not missed:
        return "caught", ""
    if any(function_of(check) in missed for check in undecided):
        return "undecided", ", ".join(missed)
    return "missed", f"not noticed by {', '.join(missed)}"


def _first(rows: Sequence[Mapping[str, Any]], checks: Sequence[str]) -> str:
    """The story of the first of some checks, in a sentence."""
    row = next((row for row in rows if checks and row["id"] == checks[0]), None)
    return f"{row['id']}: {row['message']}" if row else ""


def _told(rows: Sequence[Mapping[str, Any]], page: str) -> str:
    """What a student's page says of a hidden check and no public one has said; empty if nothing."""
    shown = html.unescape(page)
    public = {text for row in rows if row["suite"] == "public" for text in _texts(row)}
    for row in rows:
        for text in _texts(row) if row["suite"] == "hidden" else ():
            if text not in public and text not in row["feedback"] and text not in row["rule"] and text in shown:
                return f"{row['id']}: its words are on the student's page: {text[:200]!r}"
    return ""


def _texts(row: Mapping[str, Any]) -> list[str]:
    texts = [row["message"], row["seen"] or "", row["expected"] or "", *(step["what"] for step in row["story"])]
    return [text for text in texts if len(text) >= _TELLING]


@dataclass
class Caught:
    """What one check has caught."""

    id: str
    assignment: str
    suite: str
    stage: int
    written: int = 0  #: hand-written mutants
    generated: int = 0  #: generated ones of which it was the first to fail
    asked: int = 0  #: of how many mutants it was asked
    names: list[str] = field(default_factory=list)  #: of a few of them


def count_caught(findings: Sequence[Finding], checks: Sequence[Caught], asked: Mapping[str, Collection[str]]) -> None:
    """Count, for each check, the mutants that it caught. `asked`: for each mutant's report, the checks that it met."""
    known = {(check.assignment, check.id): check for check in checks}
    for finding in findings:
        if finding.part != "mutants":
            continue
        for check in asked.get(finding.report, ()):
            known[finding.assignment, check].asked += 1
        for check in finding.failed if finding.kind == "hand-written" else finding.failed[:1]:
            row = known[finding.assignment, check]
            row.written += finding.kind == "hand-written"
            row.generated += finding.kind == "generated"
            if len(row.names) < 3:
                row.names.append(finding.name)
