"""Deadlines and late days -> what being late costs. Pure.

Rule 1: all moments are aware, and compared as moments: an hour that is there twice is two hours.
Rule 2: the penalty is a function of the policy, of what the student has used of the late days before, and of the
        moment at which it was handed in. It is a part of what the assignment is worth, never of what was earned, so
        that it stays the same when a score changes. It is never taken from the score itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

#: What a started day is.
DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class LatePolicy:
    """What a course says of being late."""

    grace: timedelta = timedelta(0)  #: so much after the deadline is not late at all
    percent_per_day: float = 0.0  #: of what the assignment is worth, for each started day that is not a late day
    most_percent: float = 100.0  #: no more than that together
    late_days: int = 0  #: days that a student may be late without cost, over the whole term
    cut_off: timedelta | None = None  #: what comes later than that after the deadline does not count; None: never

    def in_words(self) -> str:
        """For people.

        >>> LatePolicy(percent_per_day=10, late_days=2).in_words()
        '2 late days in the term cost nothing; 10 % of an assignment for each further day.'
        """
        said = []
        if self.grace:
            said.append(f"{_length(self.grace)} after the deadline are not late")
        if self.late_days:
            plural = "s" if self.late_days > 1 else ""
            said.append(f"{self.late_days} late day{plural} in the term cost nothing")
        if self.percent_per_day:
            each = "each further day" if self.late_days else "each day that has begun"
            most = f", at most {self.most_percent:g} %" if self.most_percent < 100 else ""
            said.append(f"{self.percent_per_day:g} % of an assignment for {each}{most}")
        if self.cut_off is not None:
            later = f"later than {_length(self.cut_off)} after the deadline" if self.cut_off else "too late"
            said.append(f"nothing counts that comes {later}")
        return "; ".join(said) + "." if said else "Being late costs nothing."


def _length(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    if hours < 1:
        return f"{span.total_seconds() / 60:g} minutes"
    return f"{hours / 24:g} days" if hours % 24 == 0 and hours > 24 else f"{hours:g} hours"


@dataclass(frozen=True)
class Lateness:
    """What came of a submission's moment."""

    days: int = 0  #: days that had begun
    late_days: int = 0  #: how many of them were taken from the student's late days
    percent: float = 0.0  #: of what the assignment is worth
    counts: bool = True  #: False: it came after the cut-off

    def penalty(self, possible: float) -> float:
        """In points."""
        return round(possible * self.percent / 100, 6)

    def in_words(self, possible: float) -> str:
        """For whoever was late; empty for everybody else.

        >>> Lateness(days=3, late_days=2, percent=10).in_words(20)
        'Handed in 3 days late: 2 late days were used, and 2 points are taken off (10 % of 20).'
        """
        if not self.days:
            return ""
        head = f"Handed in {self.days} day{'' if self.days == 1 else 's'} late"
        if not self.counts:
            return f"{head}, after the cut-off: it does not count."
        said = []
        if self.late_days:
            said.append(f"{self.late_days} late day{' was' if self.late_days == 1 else 's were'} used")
        if self.percent:
            said.append(f"{self.penalty(possible):g} points are taken off ({self.percent:g} % of {possible:g})")
        return f"{head}: {', and '.join(said) or 'that costs nothing'}."


def lateness(policy: LatePolicy, due: datetime | None, moment: datetime | None, days_used: int = 0) -> Lateness:
    """How late something is that was handed in at a moment. `days_used`: late days of this student so far."""
    if due is None or moment is None:
        return Lateness()
    late = moment - due
    if late <= policy.grace:
        return Lateness()
    if policy.cut_off is not None and late > policy.cut_off:
        return Lateness(days=_begun(late), percent=100.0, counts=False)
    days = _begun(late)
    free = min(days, max(0, policy.late_days - days_used))
    percent = min(policy.most_percent, (days - free) * policy.percent_per_day)
    return Lateness(days, free, percent)


def _begun(late: timedelta) -> int:
    return max(0, math.ceil(late / DAY))


@dataclass(frozen=True)
class Handed:
    """One assignment of a student, for the ledger."""

    assignment: str
    due: datetime | None  #: this student's own
    moment: datetime | None  #: when it was handed in; None: not at all


def ledger(policy: LatePolicy, handed: Iterable[Handed]) -> dict[str, Lateness]:
    """A student's whole term: each assignment's lateness. Late days are used in the order of the deadlines."""
    used = 0
    found: dict[str, Lateness] = {}
    rows = sorted(handed, key=lambda row: (row.due is None, row.due.timestamp() if row.due else 0, row.assignment))
    for row in rows:
        found[row.assignment] = lateness(policy, row.due, row.moment, used)
        used += found[row.assignment].late_days
    return found
