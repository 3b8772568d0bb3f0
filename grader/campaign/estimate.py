"""How long a run still takes, from what its submissions have taken so far. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from grader.campaign.campaign import JobEvent
from grader.campaign.plan import GradingJob

#: Lanes are of use up to so many for each core; most of a test is waiting.
_PER_CORE = 4
#: What a submission takes in one lane, as a share of its assignment's own limit, before anything is known.
_SHARE = 0.3


class Estimate:
    """Sees the events of a run, and says how many seconds are left."""

    def __init__(self, jobs: Iterable[GradingJob], side_by_side: Callable[[], int], cores: int) -> None:
        """`side_by_side`: how many labs run at a time now."""
        self._jobs = {job.name: job for job in jobs}
        self._side_by_side, self._cores = side_by_side, max(1, cores)
        self._begun: float | None = None
        self._now = 0.0
        self._done = 0.0  # of what was expected to be done, in seconds of one lane

    def see(self, event: JobEvent, now: float) -> None:
        """Take note of an event; `now` on a monotonic clock, in seconds."""
        self._now = now
        if self._begun is None:
            self._begun = now
        if event.kind in ("ends", "breaks") and (job := self._jobs.pop(event.job.name, None)) and not event.again:
            self._done += _work(job)

    def left(self) -> float:
        """Seconds until all is done, 0.0 when all is."""
        rest = sum(_work(job) for job in list(self._jobs.values()))  # another thread may show it
        gone = self._now - (self._begun or 0.0)
        lanes = max(1, min(self._side_by_side(), _PER_CORE * self._cores))
        # Those that run now are counted as not begun: what that is too much is too little of what they have taken.
        return rest * gone / self._done if self._done and gone else max(rest / lanes - gone, rest / lanes / 10)


def _work(job: GradingJob) -> float:
    return job.assignment.limits.seconds * _SHARE


def in_words(seconds: float) -> str:
    """A time that nobody knows to the second.

    >>> in_words(20), in_words(70), in_words(400), in_words(7400)
    ('less than a minute', 'about a minute', 'about 7 minutes', 'about 2.1 hours')
    """
    minutes = round(seconds / 60)
    if seconds < 45:
        return "less than a minute"
    if minutes < 2:
        return "about a minute"
    return f"about {minutes} minutes" if minutes < 100 else f"about {seconds / 3600:.1f} hours"
