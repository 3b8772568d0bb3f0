"""Records against the rubric: one verdict per check that the assignment lists. Pure.

Rule 1: fail closed. The rubric says which checks there are; a check without a report has failed.
Rule 2: the first report of a check counts; a second one, and one that nobody asked for, is noted.
Rule 3: a check is undecided only through our own fault, or because one that it builds on is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from grader.verdict.decisions import Decision
from harness.course.assignment import Assignment, Check, Suite
from harness.tester.border.outcome import Outcome
from harness.tester.border.records import Report


class Stopped(Enum):
    """Why the run ended; decides what a check without a report gets."""

    #: The tester came to its end, or ended early without a word: nothing excuses a missing report.
    ENDED = Outcome.FAIL, "No report came from this check, so it counts as failed."
    #: The time for the whole grading was up.
    DEADLINE = Outcome.TIMEOUT, "The time for the whole grading was used up before this check had ended."
    #: The lab or the machine broke.
    OURS = (Outcome.INCONCLUSIVE, "The lab broke before this check had ended. It is not the submission's fault.")
    #: The check came into the rubric after the grading.
    NEW = Outcome.INCONCLUSIVE, "This check is newer than the grading. Grade the submission again."
    #: The submission filled its node's memory until the kernel ended the node.
    NODE = Outcome.ERROR, "The submission's node did not last until this check."
    #: The submission's build failed.
    BUILD = Outcome.ERROR, "The build failed."
    #: Nobody wanted to know more than the first failure.
    ENOUGH = Outcome.SKIPPED, "Not run: another check had failed, and only the first failure was asked for."
    #: The submission cannot be run at all.
    REFUSED = Outcome.ERROR, "The submission could not be run."

    @property
    def outcome(self) -> Outcome:
        """What a check without a report gets."""
        return self.value[0]

    @property
    def message(self) -> str:
        """Why, in a sentence."""
        return self.value[1]


@dataclass(frozen=True)
class Ending:
    """How the run of some checks ended."""

    stopped: Stopped = Stopped.ENDED
    reason: str = ""  #: goes with `stopped`


def everywhere(assignment: Assignment, ending: Ending) -> dict[str, Ending]:
    """The same ending for every check."""
    return {check.id: ending for check in assignment.checks}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a check comes to."""

    check: Check
    outcome: Outcome
    message: str = ""  #: one sentence, empty for a pass
    because: str | None = None  #: skipped or undecided: the check it waits for
    report: Report | None = None  #: what the tester reported, if it did
    decision: Decision | None = None  #: a person's word on it, which wins

    @property
    def points(self) -> float:
        """What is earned."""
        if self.decision is not None:
            return self.decision.points_of(self.check.points)
        return self.check.points if self.outcome is Outcome.PASS else 0.0

    @property
    def undecided(self) -> float:
        """What a person has to decide about."""
        return 0.0 if self.settled.decided else self.check.points

    @property
    def settled(self) -> Outcome:
        """What those that build on it go by."""
        if self.decision is None:
            return self.outcome
        return Outcome.PASS if self.points >= self.check.points else Outcome.FAIL


@dataclass
class Reports:
    """The reports of a run as they come in; `notes` says what was odd."""

    wanted: frozenset[str]
    first: dict[str, Report] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, report: Report) -> bool:
        """Take a report; returns whether it counts."""
        if report.check not in self.wanted:
            self.notes.append(f"a report came for {report.check[:200]!r}, which was not asked for; ignored")
        elif report.check in self.first:
            self.notes.append(f"a second report came for {report.check}; the first one counts")
        else:
            self.first[report.check] = report
            return True
        return False


def judge(
    assignment: Assignment,
    reports: Mapping[str, Report],
    *,
    endings: Mapping[str, Ending] | None = None,
    forbidden: Mapping[int, str] | None = None,
    decisions: Mapping[str, Decision] | None = None,
) -> tuple[Verdict, ...]:
    """A verdict for every check of the assignment, in its order.

    `endings` decide what a check without a report gets, by its id (default: its run came to its end); `forbidden` has a
    message for each stage that uses a forbidden name; `decisions` are the words of people, by check.
    """
    verdicts: dict[str, Verdict] = {}
    for check in assignment.checks:
        report = reports.get(check.id)
        if report is None:
            ending = (endings or {}).get(check.id, Ending())
            message = f"{ending.stopped.message} {ending.reason}".strip()
            verdict = Verdict(check=check, outcome=ending.stopped.outcome, message=message)
        else:
            message = "" if report.outcome is Outcome.PASS else report.message or report.outcome.sentence
            verdict = Verdict(
                check=check, outcome=report.outcome, message=message, because=report.because, report=report
            )
            if report.outcome is Outcome.SKIPPED:
                verdict = _skipped(verdict, verdicts)
        if (message := (forbidden or {}).get(check.stage, "")) and verdict.outcome is not Outcome.ERROR:
            verdict = replace(verdict, outcome=Outcome.FAIL, message=message)
        if (decision := (decisions or {}).get(check.id)) is not None:
            verdict = replace(verdict, decision=decision)
        verdicts[check.id] = verdict
    return tuple(verdicts.values())


def _skipped(verdict: Verdict, before: Mapping[str, Verdict]) -> Verdict:
    """A skip needs a check that did not pass, and is as open as that one is."""
    because = before.get(verdict.because or "")
    if because is None or because.check.id not in verdict.check.needs:
        because = next((before[need] for need in verdict.check.needs if before[need].settled is not Outcome.PASS), None)
    if because is None:
        message = "The check was skipped, but everything it builds on has passed, so it counts as failed."
        return replace(verdict, outcome=Outcome.FAIL, message=message, because=None)
    name = because.check.id
    if because.settled is Outcome.PASS:
        since = "a person has passed it since" if because.decision else "it has passed since"
        message = f"Not run, because {name} had not passed then; {since}."
        return replace(verdict, outcome=Outcome.INCONCLUSIVE, message=message, because=name)
    if because.settled is Outcome.INCONCLUSIVE:
        message = f"Not run, because {name} is undecided."
        return replace(verdict, outcome=Outcome.INCONCLUSIVE, message=message, because=name)
    return replace(verdict, message=f"Not run, because {name} did not pass.", because=name)


def with_dependents(assignment: Assignment, checks: Collection[str]) -> frozenset[str]:
    """Some checks, and all that build on any of them."""
    found = set(checks)
    for check in assignment.checks:  # what a check needs stands above it
        if found.intersection(check.needs):
            found.add(check.id)
    return frozenset(found)


def to_repeat(assignment: Assignment, verdicts: Iterable[Verdict], suite: Suite) -> tuple[str, ...]:
    """The checks of a suite that a second run may decide, in the rubric's order.

    Those that build on an undecided check of another suite would be skipped again; what this system cannot measure, it
    cannot measure the next time.
    """
    verdicts = tuple(verdicts)
    open_ones = {verdict.check.id for verdict in verdicts if not verdict.settled.decided}
    in_vain = {verdict.check.id for verdict in verdicts if verdict.report is not None and verdict.report.unmeasured}
    again: list[str] = []
    for check in assignment.checks_of(suite=suite):
        ready = all(need in again for need in check.needs if need in open_ones)
        if check.id in open_ones - in_vain and ready:
            again.append(check.id)
    return tuple(again)
