"""How long a run still takes, from what its submissions have taken so far. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from grader.campaign.campaign import JobEvent
from grader.campaign.plan import GradingJob

#: What a submission takes before one of its assignment is done: this share of the assignment's own limit, and longer
#: the more submissions share a core.
_SHARE, _PER_CORE = 0.25, 2


class Estimate:
    """Sees the events of a run, and says how many seconds are left."""

    def __init__(self, jobs: Iterable[GradingJob], side_by_side: Callable[[], int], cores: int) -> None:
        """`side_by_side`: how many run at a time now."""
        self._jobs = {job.name: job for job in jobs}
        self._side_by_side, self._cores = side_by_side, max(1, cores)
        self._begun: dict[str, float] = {}
        self._taken: dict[str, list[float]] = {}  # assignment -> seconds
        self._now = 0.0

    def see(self, event: JobEvent, now: float) -> None:
        """Take note of an event; `now` on a monotonic clock, in seconds."""
        self._now = now
        name = event.job.name
        if event.kind == "begins":
            self._begun[name] = now
        elif event.kind in ("ends", "breaks"):
            begun, job = self._begun.pop(name, now), self._jobs.pop(name, None)
            if job is not None and not event.again and event.kind == "ends":
                self._taken.setdefault(job.assignment.name, []).append(now - begun)

    def left(self) -> float:
        """Seconds until all is done, 0.0 when all is."""
        if not self._jobs:
            return 0.0
        lanes = max(1, min(self._side_by_side(), len(self._jobs)))
        rests = [self._rest(job, lanes) for job in list(self._jobs.values())]  # another thread may show it
        return max(sum(rests) / lanes, max(rests))

    def _rest(self, job: GradingJob, lanes: int) -> float:
        taken = self._taken.get(job.assignment.name)
        crowded = max(1.0, lanes / (_PER_CORE * self._cores))
        whole = sum(taken) / len(taken) if taken else job.assignment.limits.seconds * _SHARE * crowded
        return max(whole - (self._now - self._begun.get(job.name, self._now)), whole / 10)


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
