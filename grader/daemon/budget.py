"""How many full verdicts a student has left: every verdict on hidden checks says something of them.

Rule 1: a day is the course's, from midnight to midnight in its time zone; a push belongs to the day on which the server
        got it, whenever it is graded.
Rule 2: only a verdict counts: what broke through our fault, what was refused, and what was known before cost nothing.
Rule 3: it is kept where the account that receives pushes cannot write.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from grader.push.order import Push
from grader.record.lines import Lines


def day_of(seconds: float, zone: ZoneInfo) -> date:
    """The day of a moment (seconds since 1970) in a time zone.

    >>> day_of(1793142000.0, ZoneInfo("Europe/Berlin"))
    datetime.date(2026, 10, 28)
    """
    return datetime.fromtimestamp(seconds, zone).date()


@dataclass(frozen=True)
class Left:
    """What is left of a student's budget."""

    used: int
    per_day: int | None  #: None: no limit
    until: datetime  #: when the next day begins

    @property
    def any(self) -> bool:
        """Whether another full verdict is due."""
        return self.per_day is None or self.used < self.per_day

    def in_words(self) -> str:
        """Why there is none."""
        if self.per_day == 0:
            return "Hidden checks are not run on push in this assignment."
        day = self.until - timedelta(days=1)
        return (
            f"Hidden checks were not run: {self.used} of {self.per_day} full verdicts of {day:%d %B} are used."
            f" The next day begins on {self.until:%d %B} at 00:00 ({self.until.tzname()})."
        )


class Budget:
    """The verdicts of a course, in a file that only grows."""

    def __init__(self, file: Path) -> None:
        self._lines = Lines(file, ("student", "assignment", "commit", "day"))

    def left(self, push: Push, per_day: int | None, zone: ZoneInfo) -> Left:
        """What is left on the day of a push."""
        day = day_of(push.pushed, zone)
        key = (push.student, push.assignment, day.isoformat())
        rows = self._lines.rows()
        used = sum((row["student"], row["assignment"], row["day"]) == key for row in rows)
        tomorrow = day + timedelta(days=1)
        return Left(used, per_day, datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=zone))

    def spend(self, push: Push, zone: ZoneInfo) -> None:
        """A full verdict was given. Raises OSError."""
        row = {"student": push.student, "assignment": push.assignment, "commit": push.commit}
        self._lines.add({**row, "day": day_of(push.pushed, zone).isoformat(), "pushed": push.pushed})
