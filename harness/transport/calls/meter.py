"""What calls to a submission's process cost, and whose fault it is when they take long.

Rule 1: processor time is the submission's; time waiting for a processor is the machine's; the rest it slept or waited.
Rule 2: nothing is measured while calls are quick: asking the kernel costs more than most simulations.

A call that sleeps slows down a simulation in virtual time for nothing, and on real sockets keeps the program from
hearing what arrives; so it is a failure, while a machine without processors to give makes a check inconclusive.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.actors.story import Broken
from harness.lab.interface import LabError, Usage
from harness.lab.node.proc import queued_here

#: Seconds of calls after which the kernel is asked, each time that much has passed.
SUSPICIOUS = 0.2
AGAIN = 1.0
#: A simulation may use this many times the processor time of the peer, and at least this many seconds.
TIMES_PEER = 5.0
LEAST_BUDGET = 2.0
#: Seconds that three of four calls with a datagram may sleep, and seconds that one call may sleep.
NAP, LONG_NAP = 0.001, 4.0
#: Processor seconds that a call may take on average where no simulation says how many there are to be.
PER_CALL = 0.002
#: Seconds after which a single call without a processor is given up as the machine's fault ...
HOPELESS = 30.0
#: ... and as the submission's, where the kernel cannot be asked.
UNMEASURED = 10.0


class TooSlow(Broken):
    """It computed too much, slept, or did not answer. Running it again to find a reason would take as long."""


@dataclass(frozen=True)
class Spent:
    """Seconds, all since some beginning."""

    cpu: float = 0.0  #: that the submission's processes computed
    queued: float = 0.0  #: that they, or we, waited for a processor
    longest: float = 0.0  #: the same, but only of the thread that waited longest

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.cpu - other.cpu, self.queued - other.queued, max(0.0, self.longest - other.longest))


class Meter:
    """Measures the calls into one node, however many processes take them."""

    def __init__(
        self, usage: Callable[[], Usage], *, clock: Callable[[], float] = time.monotonic, cpus: float = 1.0
    ) -> None:
        """`cpus`: processors that the submission may use at once."""
        self.clock = clock
        self._usage = usage
        self._cpus = max(1.0, cpus)
        self._measurable = True
        self._base = self._spent()
        self._earlier = 0.0  # seconds of calls between that and the beginning
        self._start(None, None)

    def begin(self, peer_cpu: Callable[[], float], least: float = LEAST_BUDGET) -> None:
        """A simulation begins. `peer_cpu()`: processor seconds of the other side since then, 0 if not measured.

        `least`: processor seconds that it may use in any case.
        """
        self._settle()
        self._start(peer_cpu, least)

    def end(self) -> None:
        """A simulation is over. Raises Broken if it computed or slept too much."""
        try:
            if self._wall > SUSPICIOUS:
                self._judge()
        finally:
            self._settle()
            self._start(None, None)

    def _settle(self) -> None:
        """Account for what follows separately; ask the kernel again only if much has happened."""
        self._earlier += self._wall
        if self._earlier > SUSPICIOUS:
            self._base, self._earlier = self._spent(), 0.0

    def _start(self, peer_cpu: Callable[[], float] | None, least: float | None) -> None:
        self._wall = 0.0  # seconds inside calls
        self._calls = 0
        self._naps: list[float] = []  # seconds of each call that brought a datagram
        self._next_look = SUSPICIOUS + AGAIN
        self._peer_cpu = peer_cpu
        self._least = least
        #: of a call that is not answered: when it was looked at first, and what was spent by then
        self._stall: tuple[float, Spent] | None = None

    def called(self, seconds: float, *, received: bool) -> None:
        """A call was answered. Raises Broken."""
        self._wall += seconds
        self._calls += 1
        self._stall = None
        if received:
            self._naps.append(seconds)
        if self._wall > self._next_look:
            self._next_look = self._wall + AGAIN
            self._judge()

    def waiting(self, seconds: float) -> None:
        """A call has not been answered for `seconds`. Raises Broken, or LabError if the machine is at fault."""
        spent = self._spent()
        if not self._measurable:
            if seconds > UNMEASURED:
                raise TooSlow(f"it did not answer within {UNMEASURED:g} s", verdict="timeout")
            return
        self._judge_cpu(spent - self._base)
        since, before = self._stall = self._stall or (seconds, spent)
        spent -= before
        # One thread owes the answer. Fifty that wait for each other wait 50 s per second: not the machine's fault.
        slept = seconds - since - spent.cpu - spent.longest
        if slept > LONG_NAP:
            raise TooSlow(
                f"it did not answer for {seconds:.1f} s, and for {slept:.1f} s of them it did not compute: "
                "a call must not sleep or wait, time is given to it",
                verdict="timeout",
            )
        if seconds > HOPELESS:
            raise LabError(f"the machine is too busy: a call got {spent.cpu:.1f} s of a processor in {seconds:.0f} s")

    # -- judging -----------------------------------------------------------------------------------------------

    @property
    def budget(self) -> float:
        """Processor seconds that may be used from the beginning to now."""
        if self._least is None or self._peer_cpu is None:
            return LEAST_BUDGET + PER_CALL * self._calls
        return max(self._least, TIMES_PEER * self._peer_cpu())

    def _judge(self) -> None:
        spent = self._spent() - self._base
        if self._measurable:
            self._judge_cpu(spent)
            self._judge_naps(spent)

    def _judge_cpu(self, spent: Spent) -> None:
        used = spent.cpu - self._earlier * self._cpus  # at most that much was used before the beginning
        if used > self.budget:
            peer = self._peer_cpu() if self._peer_cpu is not None else 0.0
            what = "one simulation" if self._least is not None else "this check"
            raise TooSlow(
                f"{what} took too much of the processor: {used:.1f} s" + (f", the peer {peer:.1f} s" if peer else ""),
                expected=f"at most {self.budget:.1f} s",
                verdict="timeout",
            )

    def _judge_naps(self, spent: Spent) -> None:
        """The kernel's figures tell sleeping from a busy machine; that there are many calls tells it from one stall."""
        if len(self._naps) < 4:
            return
        slept = self._wall - spent.cpu - spent.queued
        quick = sorted(self._naps)[len(self._naps) // 4]
        if slept > SUSPICIOUS / 2 and slept > 0.5 * self._wall and quick > NAP:
            raise TooSlow(
                f"a call sleeps: three of four calls that brought a datagram took more than {quick * 1000:.0f} ms, "
                f"together {self._wall:.1f} s, of which it computed {spent.cpu:.1f} s",
                expected="every call answers at once: time is given to it, it does not let time pass",
            )

    def _spent(self) -> Spent:
        try:
            usage = self._usage()
        except LabError:
            self._measurable = False
            return Spent()
        own, queued = queued_here(), usage.queued_seconds or 0.0
        longest = queued if usage.queued_longest is None else usage.queued_longest
        return Spent(usage.cpu_seconds, queued + own, longest + own)
