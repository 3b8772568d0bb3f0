"""The results of an interval of load, and their judgement.

Rule: a figure that the machine may have distorted is nobody's fault: then it is LabError, never Broken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.actors.load.machine import Machine
from harness.actors.story import Broken
from harness.lab.interface import LabError


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """How long answers took, in seconds."""

    count: int = 0
    p50: float = 0.0
    p99: float = 0.0
    worst: float = 0.0

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Waiting:
        """Of single waits, in any order.

        >>> Waiting.of([0.3, 0.1, 0.2])
        Waiting(count=3, p50=0.2, p99=0.3, worst=0.3)
        """
        if not seconds:
            return cls()
        rows = sorted(seconds)
        p50, p99 = (rows[min(len(rows) - 1, len(rows) * percent // 100)] for percent in (50, 99))
        return cls(count=len(rows), p50=p50, p99=p99, worst=rows[-1])


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What happened in one interval of load."""

    seconds: float
    messages: int  #: of the active clients, answered
    skipped: int  #: turns of theirs that were due before the last was answered
    clients: Waiting  #: of the active clients; the generator's own delay is in it
    bystander: Waiting  #: by the kernel's stamps of arrival where there are any; each turn from when it was due
    greedy_bytes: int  #: that the greedy clients could send
    own_cpu: float  #: seconds of CPU that the generator took
    own_lateness: float  #: how late its timers were, 99th percentile, seconds
    machine: Machine  #: what the machine did to these figures

    @property
    def per_second(self) -> float:
        """Exchanges a second of the active clients."""
        return self.messages / self.seconds

    def summary(self) -> str:
        """For the story."""
        fair = f"; a bystander waited {_ms(self.bystander.p99)} (p99)" if self.bystander.count else ""
        greedy = f"; greedy clients sent {self.greedy_bytes / 1e6:,.0f} MB" if self.greedy_bytes else ""
        own = f"{self.own_cpu:.2f} s of CPU and was {_ms(self.own_lateness)} late (p99)"
        had = f"had {self.messages:,} answers, {self.per_second:,.0f} a second, p99 {_ms(self.clients.p99)}"
        return f"{had}{fair}{greedy}; the generator took {own}"

    def stays_fair(self, *, at_most: float) -> None:
        """The bystander's p99 is at most that many seconds. Raises Broken, LabError if the machine is to blame."""
        if not self.bystander.count:
            raise LabError("no bystander was measured: give drives() a time in which it has a turn")
        if self.bystander.p99 <= at_most:
            return
        broken = Broken(
            "a client that asks for little waits too long while others are busy",
            expected=f"99 of 100 answers within {_ms(at_most)}",
            seen=f"{_ms(self.bystander.p99)} (half of them within {_ms(self.bystander.p50)}, "
            f"the worst {_ms(self.bystander.worst)})",
        )
        if self.machine.at_least(self.bystander.p99) <= at_most:
            raise inconclusive(broken, self.machine)
        raise broken


def inconclusive(broken: Broken, machine: Machine) -> LabError:
    """What a failure becomes on a machine that is to blame for it."""
    return LabError(f"{machine.why}; the check would have said: {broken.message}")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms" if seconds < 0.1 else f"{seconds * 1000:,.0f} ms"
