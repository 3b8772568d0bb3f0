"""What the machine did to a measurement: waits for a processor, time that other guests of the host took, late timers.

Linux reports it (proc(5): schedstat, stat); elsewhere there is only the generator's own lateness.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

from harness.lab.node.proc import queued_here

#: The share of a processor above which a submission of several threads made the machine busy by itself.
LOUD = 0.5
#: A machine that stretched the program's time by more than this cannot say that anything took too long.
TOO_SLOW = 2.0


@dataclass(frozen=True)
class Clocks:
    """What has passed so far, in seconds, as the calling thread sees it."""

    wall: float
    cpu: float  #: used by the calling thread
    queued: float  #: the calling thread could have run, but had no processor
    stolen: float  #: of all processors, taken by other guests
    of_all: float  #: of all processors


@dataclass(frozen=True, kw_only=True)
class Machine:
    """How far the machine distorted an interval of load. The default: not at all."""

    factor: float = 1.0  #: how much longer the program's own work took than on a machine with nothing else to do
    queued: float = 0.0  #: seconds that the program was ready and had no processor
    late: float = 0.0  #: seconds that everything stood still, as far as the generator's timers saw

    def at_least(self, seconds: float) -> float:
        """What remains of a measured wait after everything the machine can be blamed for."""
        return max(0.0, (seconds - self.late) / self.factor, seconds - self.late - self.queued)

    def was_too_slow(self, seconds: float) -> bool:
        """Whether a program that did not do something within that many seconds cannot be blamed for it."""
        return self.at_least(seconds) < seconds / TOO_SLOW

    @property
    def why(self) -> str:
        """What is wrong with this machine, in a sentence."""
        return (
            f"the machine had no CPU to give: the program waited {self.queued:.2f} s for a processor and took "
            f"{self.factor:.1f} times as long, the load generator's timers were up to {self.late * 1000:.0f} ms late"
        )


def clocks() -> Clocks:
    """Now. To be called in the thread that is measured."""
    stolen, of_all = _stolen()
    return Clocks(time.monotonic(), time.thread_time(), queued_here(), stolen, of_all)


def machine(
    before: Clocks, after: Clocks, *, late: float, stamped: bool, queued: float | None, used: float, threads: int
) -> Machine:
    """What the machine did between two readings of the generator's clocks.

    `late` is the worst lateness of the generator's timers; `stamped`: whether the kernel timed the answers, so that the
    generator's own waits are not in them. `queued` and `used` are the student's seconds of waiting for a processor and
    of running; when several threads wait for each other, nobody else is to blame.
    """
    wall = max(after.wall - before.wall, 1e-6)
    queued = queued or 0.0
    if threads > 1 and used / wall > LOUD:
        queued = 0.0
    factor = 1.0 + queued / max(used, 1e-6) if queued else 1.0
    if after.of_all > before.of_all:
        stolen = (after.stolen - before.stolen) / (after.of_all - before.of_all)
        factor /= max(0.1, 1.0 - stolen)
    if not stamped:
        factor *= 1.0 + (after.queued - before.queued) / max(after.cpu - before.cpu, 1e-6)
        queued += after.queued - before.queued
    return Machine(factor=factor, queued=queued, late=late)


def _stolen() -> tuple[float, float]:
    if sys.platform != "linux":
        return 0.0, 0.0
    try:
        with open("/proc/stat") as file:
            ticks = [int(word) for word in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return 0.0, 0.0
    return ticks[7] / 100, sum(ticks) / 100
