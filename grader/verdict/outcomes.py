"""What happened to one submission, as it is kept for ever: everything a score is made from but the rubric. Pure.

Rule 1: costly, so never thrown away; decided by submission, tests, image, lab, engine and seed alone. Points, weights,
        wording, hints and a person's word come on top (`result.py`), in seconds, any time again.
Rule 2: reports are kept as the tester's records (docs/records.md), as they were taken in. Packets and pictures are
        files beside it, which it names.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from grader.course import Versions
from grader.verdict.rubric import Ending, Stopped
from harness.actors.story import Step
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Phase, Report, row_of

#: Version of outcomes.json; it grows when a key changes its meaning or goes away.
SCHEMA = 1


class BadOutcomes(ValueError):
    """These are no outcomes that this version reads; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """One grading of one submission."""

    student: str
    assignment: str
    graded_at: str  #: UTC, ISO 8601
    identity: str  #: hash of submission, versions.base, image, lab, engine and seed
    versions: Versions
    submission: Mapping[str, Any]  #: hash (None: not taken), files, bytes, notes
    lab: Mapping[str, Any]
    seed: Mapping[str, Any]
    reports: Mapping[str, Report] = field(default_factory=dict)  #: that stand, by check; without packets and bundle
    endings: Mapping[str, Ending] = field(default_factory=dict)  #: how the last run of each check ended
    forbidden: Mapping[int, str] | None = None  #: stage -> what it forbids and the programs use; None: not looked for
    files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  #: check -> what -> path; "ladder" as text
    refused: bool = False  #: the submission could not be run at all; `message` says why
    broke: bool = False  #: nothing was decided, because the lab or the grader broke; `message` says how
    message: str = ""  #: one sentence for the author
    build_log: str = ""  #: what a failed build said
    phases: Sequence[Phase] = ()
    attempts: int = 0
    notes: Sequence[str] = ()
    log: str = ""
    kind: str = "run"  #: "rerun": made to be compared, stands in front of nothing
    only: Sequence[str] = ()  #: the checks that a rerun was about; empty: all of them

    @property
    def short(self) -> str:
        """A name to tell somebody: eight letters and digits, the same for the same grading."""
        told = "\0".join((self.student, self.assignment, self.identity, self.graded_at, self.kind))
        digest = hashlib.sha256(told.encode("utf-8", "surrogateescape")).digest()
        return base64.b32encode(digest)[:8].decode("ascii").lower()

    def stale(self, now: Versions) -> frozenset[str]:
        """The checks of today's tests whose outcome is of another version; all of them, if what all share is."""
        if now.base != self.versions.base:
            return frozenset(now.checks)
        return frozenset(check for check, version in now.checks.items() if self.versions.checks.get(check) != version)

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        reports = [replace(report, pcapng=None, bundle=None) for report in self.reports.values()]
        row = {"schema": SCHEMA, "short": self.short, **vars(self)}
        row["versions"] = {"base": self.versions.base, "checks": dict(self.versions.checks)}
        row["reports"] = [row_of(report) for report in reports]
        row["endings"] = {check: {"stopped": one.stopped.name, "reason": one.reason} for check, one in self._endings()}
        if self.forbidden is not None:
            row["forbidden"] = {str(stage): text for stage, text in self.forbidden.items()}
        row["files"] = {check: dict(named) for check, named in self.files.items()}
        row["phases"] = [{"name": phase.name, "seconds": phase.seconds} for phase in self.phases]
        row["notes"], row["only"] = list(self.notes), list(self.only)
        return row

    def _endings(self) -> list[tuple[str, Ending]]:
        """Only those that say something: an ordinary end is what a missing one means."""
        return [(check, one) for check, one in self.endings.items() if one != Ending()]


def outcomes_of(row: Mapping[str, Any]) -> Outcomes:
    """The outcomes in a row as they are kept. Raises BadOutcomes."""
    if row.get("schema") != SCHEMA:
        raise BadOutcomes(f"they are of version {str(row.get('schema'))[:20]}, and this grader reads version {SCHEMA}")
    plain = ("student", "assignment", "graded_at", "identity", "submission", "lab", "seed", "refused", "broke")
    more = ("message", "build_log", "attempts", "notes", "log", "kind")
    try:
        reports = [_report(report) for report in row["reports"]]
        return Outcomes(
            **{key: row[key] for key in (*plain, *more)},
            only=tuple(row.get("only", ())),  # missing where an earlier version wrote it
            versions=Versions(base=row["versions"]["base"], checks=row["versions"]["checks"]),
            reports={report.check: report for report in reports},
            endings={
                check: Ending(Stopped[ending["stopped"]], ending["reason"]) for check, ending in row["endings"].items()
            },
            forbidden=_stages(row["forbidden"]),
            files=row["files"],
            phases=tuple(Phase(phase["name"], phase["seconds"]) for phase in row["phases"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadOutcomes(f"they are damaged ({type(error).__name__}: {error})") from None


def _report(row: Mapping[str, Any]) -> Report:
    """A report from a file of our own: it was bounded and checked when it came from the tester."""
    fields = {key: value for key, value in row.items() if key != "record"}
    story = row["story"]
    steps = None if story is None else tuple(Step(step["at"], step["who"], step["what"]) for step in story)
    return Report(**{**fields, "outcome": Outcome(row["outcome"]), "story": steps})


def _stages(row: Mapping[str, str] | None) -> dict[int, str] | None:
    return None if row is None else {int(stage): text for stage, text in row.items()}
