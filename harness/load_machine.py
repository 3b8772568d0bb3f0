"""Whether the machine gave the time that a measurement needs: waits for a processor, time stolen by other guests.

Linux tells (proc(5): schedstat, stat); elsewhere only the generator's own lateness speaks.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

#: Above this share of the time spent waiting for a processor, figures say more about the machine than the program.
MOST_WAITING = 0.2
#: Above this share of all processors' time taken by other guests of the host.
MOST_STOLEN = 0.1
#: The share of a processor above which a submission of several threads made the machine busy by itself.
LOUD = 0.5
#: The generator's own lateness (seconds, 99th percentile) above which its figures are not to be believed.
LATE = 0.1


@dataclass(frozen=True)
class Clocks:
    """What has passed so far, in seconds, as the calling thread sees it."""

    wall: float
    cpu: float  #: used by the calling thread
    waited: float  #: the calling thread could have run, but had no processor
    stolen: float  #: of all processors, taken by other guests
    of_all: float  #: of all processors


def clocks() -> Clocks:
    """Now. To be called in the thread that is measured."""
    stolen, of_all = _stolen()
    return Clocks(time.monotonic(), time.thread_time(), _waited(), stolen, of_all)


def why_starved(
    before: Clocks, after: Clocks, *, late_p99: float, waited: float | None, used: float, threads: int
) -> str | None:
    """A sentence if the machine had not enough to give between two readings of the generator's clocks.

    `late_p99` is how late the generator's own timers rang; `waited` and `used` are the student's seconds of waiting for
    a processor and of running; of several threads that wait for each other nobody else is guilty.
    """
    wall = max(after.wall - before.wall, 1e-6)
    if (after.waited - before.waited) / wall > MOST_WAITING:
        return f"the load generator waited for a processor {(after.waited - before.waited) / wall:.0%} of the time"
    if late_p99 > LATE:
        return f"the load generator was {late_p99 * 1000:.0f} ms late by itself"
    if after.of_all > before.of_all:
        stolen = (after.stolen - before.stolen) / (after.of_all - before.of_all)
        if stolen > MOST_STOLEN:
            return f"{stolen:.0%} of the machine's time went to other guests of its host"
    if waited is not None and waited / wall > MOST_WAITING and (threads <= 1 or used / wall < LOUD):
        return f"the program waited for a processor {waited / wall:.0%} of the time"
    return None


def _waited() -> float:
    """proc(5): schedstat is time on a processor, time waiting for one, both in ns, and the number of turns."""
    try:
        with open("/proc/thread-self/schedstat") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _stolen() -> tuple[float, float]:
    if sys.platform != "linux":
        return 0.0, 0.0
    try:
        with open("/proc/stat") as file:
            ticks = [int(word) for word in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return 0.0, 0.0
    return ticks[7] / 100, sum(ticks) / 100
