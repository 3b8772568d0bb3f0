"""How many labs run side by side: as many as the machine carries, fewer while their clocks say that verdicts suffer.

Pure but for the two questions to the machine.
"""

from __future__ import annotations

import os
from collections.abc import Collection

import psutil

from grader.verdict.result import link_of
from harness.tester.border.records import Report

#: Most of a test is waiting: two cores carry eight labs. Memory for each, with what its submission may use (bytes).
LABS_PER_CORE, MEMORY_PER_LAB = 4, 1 << 30
#: No more than that: the engine's own work grows with them.
MOST_LABS = 64
#: Fewer labs start after a group of checks whose link delivered later than this (99th percentile, seconds), or whose
#: tester was ready and had no processor for more than this share of the checks' time.
LATE, WAITED = 0.05, 0.35


def labs_for(cores: int, memory: int) -> int:
    """How many labs to begin with on a machine with so many cores and so much free memory (bytes).

    >>> labs_for(2, 8 << 30), labs_for(2, 3 << 30), labs_for(1, 0)
    (8, 3, 1)
    """
    return max(1, min(cores * LABS_PER_CORE, memory // MEMORY_PER_LAB, MOST_LABS))


def labs_here() -> int:
    """The same for this machine, now."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return labs_for(cores, psutil.virtual_memory().available)


class Crowd:
    """How many labs may run now. One step down for each group that suffered, one up for as many good ones."""

    def __init__(self, most: int) -> None:
        self.most = self.now = most
        self._well = 0  # groups that did not suffer, in a row

    def learn(self, suffered: bool) -> None:
        """Take note of a group of checks."""
        self._well = 0 if suffered else self._well + 1
        if suffered:
            self.now = max(1, self.now - 1)
        elif self._well >= self.now:
            self.now, self._well = min(self.most, self.now + 1), 0


def suffered(reports: Collection[Report]) -> bool:
    """Whether reports say that there were too many labs: their link was late, or their tester had no processor."""
    seconds, waited = sum(report.seconds for report in reports), sum(report.waited for report in reports)
    link = link_of(reports) or {}
    return link.get("late_p99", 0.0) > LATE or waited > WAITED * max(seconds, 1.0)
