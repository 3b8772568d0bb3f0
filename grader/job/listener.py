"""A tester's records as they come: what they say of each check, and of the tester itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import BinaryIO

from grader.verdict.rubric import Reports
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import (
    BadRecord,
    Built,
    End,
    Forbidden,
    Gone,
    Mute,
    Phase,
    Piece,
    Record,
    Report,
    Start,
    Trouble,
)

#: Of a node whose agent runs and does not answer: no part of ours is stopped, so what blocks it is the submission's.
BLOCKED = (
    "The submission kept its node from answering: nothing in there could be started, stopped or measured any more."
)


class Listener:
    """Reads a tester's records as they come."""

    def __init__(
        self, checks: Iterable[str], *, see: Callable[[Start | Report], None], archive: BinaryIO | None = None
    ) -> None:
        """`see` is told each check that begins, and each report that counts; `archive` takes what was built."""
        self.reports = Reports(frozenset(checks))
        self._see = see
        self._archive = archive
        self.forbidden: Mapping[int, str] | None = None  #: None: nobody has said
        self.built: Built | None = None
        self.packed = False  #: all of what was built has come
        self._bad: Counter[str] = Counter()
        self._begun = ""  # the check that began last
        self.phases: list[Phase] = []
        self.trouble = ""
        self.ended = False
        self._lost: str | None = None  # the check in which the tester lost the node, if it did
        self._blocked: set[str] = set()  # checks in which the submission kept its node from answering
        self._nodeless: list[str] = []  # checks that came later and could not be decided

    def __call__(self, record: Record | BadRecord) -> None:
        match record:
            case BadRecord():
                self._bad[str(record)] += 1
                return
            case Phase():
                self.phases.append(record)
            case Built():
                self.built = record
            case Forbidden():
                self.forbidden = record.stages
            case Piece():
                self._keep(record)
            case Start():
                self._begun = record.check
                self._see(record)
            case Mute():
                if not record.ours:
                    self._blocked.add(record.check)
            case Report():
                if record.check in self._blocked and not record.outcome.decided:
                    record = replace(record, outcome=Outcome.ERROR, message=BLOCKED)
                if self.reports.add(record):
                    self._see(record)
                if self._lost is not None and record.check != self._lost and not record.outcome.decided:
                    self._nodeless.append(record.check)
            case Trouble():
                self.trouble = self.trouble or record.text
            case Gone():
                self._lost = record.check
            case End():
                self.ended = True

    def _keep(self, piece: Piece) -> None:
        if self._archive is not None:
            self._archive.write(piece.data)
            self.packed = piece.last

    def blame(self, why: str) -> None:
        """The check that ran when the submission had its own node ended is the submission's error."""
        reports = self.reports.first
        check = self._begun if self._lost is None else self._lost
        report = reports.get(check)
        if check and (report is None or not report.outcome.decided):
            reports[check] = Report(check=check, outcome=Outcome.ERROR, message=f"Its node ended: {why}.")
        for later in self._nodeless:
            if later in reports and not reports[later].outcome.decided:
                del reports[later]

    def all_notes(self) -> list[str]:
        """What was odd about the lines."""
        bad = [f"{count} lines of the tester were no records ({why}); ignored" for why, count in self._bad.items()]
        return [*self.reports.notes[:20], *bad[:20]]
