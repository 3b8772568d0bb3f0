"""What cannot be seen from a socket is measured from outside: threads, descriptors, memory and its slope, idle CPU.

Rule 1: everything that the student's user runs counts, whatever process it hides in.
Rule 2: where the system does not report (NotMeasured), a judging word says so in the story and judges nothing.
Rule 3: a program that has ended is not idle: each word has its positive control.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from harness.actors.program import Program
from harness.actors.story import Broken, Story
from harness.lab.interface import LabError, Node, NotMeasured, Usage

#: Threads that a program has before it starts one itself, by what it executes: runtimes have some of their own.
OWN_THREADS = {"python": 1, "native": 1, "shell": 1, "go": 16, "node": 16, "java": 64}
#: The name of a runtime in a sentence.
_CALLED = {"python": "a Python program", "native": "a compiled program", "go": "a Go program"}
#: Wake-ups a second above which a program that has nothing to do looks for work again and again.
MOST_WAKEUPS = 200
#: How many times to look for idleness: a program may first have to tidy up after what came before.
_SPELLS = 2


@dataclass(frozen=True, kw_only=True)
class UsageInterval:
    """What the submission did in some seconds."""

    seconds: float
    cpu_share: float  #: of one processor; 1.0 keeps one busy all the time
    wakeups: float | None  #: a second; None if the system does not report it


def _in_words(interval: UsageInterval) -> str:
    woken = "" if interval.wakeups is None else f", {interval.wakeups:,.0f} wake-ups a second"
    return f"{interval.cpu_share:.1%} of a processor{woken}"


def too_many_threads(name: str, usage: Usage) -> Broken | None:
    """The failure of a program that has more threads or processes than its language's own."""
    programs = [runtime for runtime in usage.runtimes if runtime != "shell"]
    if usage.runtimes and len(programs) > 1:
        return Broken(
            f"{name} runs in more than one process",
            expected="one process",
            seen=f"{len(programs)} processes ({', '.join(programs[:6])})",
        )
    allowed = sum(OWN_THREADS.get(runtime, 1) for runtime in usage.runtimes) or 1
    if usage.threads <= allowed:
        return None
    what = _CALLED.get(programs[0] if programs else "", "a program of its kind")
    brings = "1 thread" if allowed == 1 else f"at most {allowed} threads"
    return Broken(
        f"{name} has threads beside the one that waits",
        expected=f"{brings}, as {what} has by itself",
        seen=f"{usage.threads} threads",
    )


class Kernel:
    """What the kernel reports about the submission: `lab.kernel`."""

    def __init__(self, node: Node, story: Story) -> None:
        self._node = node
        self._story = story

    def usage(self) -> Usage:
        """What the student's processes use now. Raises NotMeasured, LabError."""
        return self._node.usage()

    def measures(self, *, every: float = 0.1) -> Measurement:
        """Look at what is used again and again while a `with` block runs."""
        return Measurement(self._node, self._story, every=every)

    def finds_idle(self, server: Program, *, for_: float = 2.0, at_most: float = 0.05) -> None:
        """A program with nothing to do uses at most that share of a processor, and sleeps. Raises Broken."""
        interval = None
        try:
            for _ in range(_SPELLS):
                interval = self._watch(for_)
                server.keeps_running()
                if interval.cpu_share <= at_most and (interval.wakeups or 0) <= MOST_WAKEUPS:
                    self._story.add("tester", f"finds {server.name} idle: {_in_words(interval)}")
                    return
        except NotMeasured as why:
            self._story.add("tester", f"does not measure whether {server.name} is idle: {why}")
            return
        assert interval is not None
        busy = interval.cpu_share > at_most
        raise Broken(
            f"{server.name} is busy while there is nothing to do"
            + ("" if busy else ": it looks for work again and again instead of waiting to be woken"),
            expected=f"at most {at_most:.0%} of a processor and {MOST_WAKEUPS} wake-ups a second",
            seen=_in_words(interval),
        )

    def _watch(self, seconds: float) -> UsageInterval:
        """Let some seconds pass and see what was used in them. Raises NotMeasured, LabError."""
        before, began = self._node.usage(), time.monotonic()
        time.sleep(seconds)
        after, passed = self._node.usage(), time.monotonic() - began
        woken = None
        if before.wakeups is not None and after.wakeups is not None:
            woken = max(0, after.wakeups - before.wakeups) / passed
        share = max(0.0, after.cpu_seconds - before.cpu_seconds) / passed
        return UsageInterval(seconds=passed, cpu_share=share, wakeups=woken)

    def finds_one_thread(self, server: Program) -> None:
        """A program has no threads and processes but its language's own. Raises Broken."""
        try:
            usage = self._node.usage()
        except NotMeasured as why:
            self._story.add("tester", f"does not count the threads of {server.name}: {why}")
            return
        server.keeps_running()
        if broken := too_many_threads(server.name, usage):
            raise broken
        self._story.add("tester", f"finds {usage.processes} process and {usage.threads} threads")

    def finds_all_given_back(self, before: Usage, *, within: float = 3.0) -> None:
        """Threads, processes and open files are no more than they were. Raises Broken."""
        rows = ("processes", "threads", "open_files")
        deadline = time.monotonic() + within
        while True:
            now = self._node.usage()
            if now.processes < before.processes:
                raise Broken(
                    "a program ended that should have gone on",
                    expected=f"{before.processes:,} running",
                    seen=f"{now.processes:,}",
                )
            more = [row for row in rows if getattr(now, row) > getattr(before, row)]
            if not more:
                self._story.add("tester", "finds processes, threads and open files back where they were")
                return
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        words = {row: row.replace("_", " ") for row in rows}
        raise Broken(
            f"{' and '.join(words[row] for row in more)} are not given back",
            expected=", ".join(f"{getattr(before, row):,} {words[row]}" for row in more) + f" within {within:g} s",
            seen=", ".join(f"{getattr(now, row):,} {words[row]}" for row in more),
        )


class Measurement:
    """Looks at the node again and again while a `with` block runs. The results are available once it has ended."""

    def __init__(self, node: Node, story: Story, *, every: float) -> None:
        self._node = node
        self._story = story
        self._every = every
        self._stop = threading.Event()
        self._error: LabError | None = None
        self._thread = threading.Thread(target=self._sample, daemon=True, name="measure")
        self.samples: list[tuple[float, Usage]] = []  #: (seconds on a monotonic clock, what was used then)
        self.not_measured: str | None = None  #: why there are no samples, if the system does not report

    def __enter__(self) -> Measurement:
        try:
            self._look()
        except NotMeasured as why:
            self.not_measured = str(why)
            self._story.add("tester", f"does not measure: {why}")
            return self
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self.not_measured is not None:
            return
        self._stop.set()
        self._thread.join()
        if error is not None:
            return
        if self._error is not None:
            raise self._error
        self._look()

    def _sample(self) -> None:
        try:
            while not self._stop.wait(self._every):
                self._look()
        except LabError as error:
            self._error = error

    def _look(self) -> None:
        usage = self._node.usage()
        self.samples.append((time.monotonic(), usage))

    # -- what was seen -------------------------------------------------------------------------------------------

    def _all(self) -> Sequence[tuple[float, Usage]]:
        if not self.samples:
            raise NotMeasured(self.not_measured or "nothing was measured")
        return self.samples

    @property
    def seconds(self) -> float:
        """From the first look to the last."""
        return self._all()[-1][0] - self._all()[0][0]

    @property
    def cpu_share(self) -> float:
        """Of one processor."""
        return (self._all()[-1][1].cpu_seconds - self._all()[0][1].cpu_seconds) / max(self.seconds, 1e-6)

    @property
    def processes(self) -> int:
        """The most that were alive at once."""
        return max(usage.processes for _, usage in self._all())

    @property
    def threads(self) -> int:
        """The most that were alive at once."""
        return max(usage.threads for _, usage in self._all())

    @property
    def open_files(self) -> int:
        """The most that were open at once."""
        return max(usage.open_files for _, usage in self._all())

    @property
    def memory_growth(self) -> int:
        """Bytes: the most that was used, minus what was used at first."""
        return max(usage.memory_bytes for _, usage in self._all()) - self._all()[0][1].memory_bytes

    @property
    def memory_slope(self) -> float:
        """Bytes a second, by least squares over all looks; about 0 for memory that jumps once and stays."""
        return slope([(at, float(usage.memory_bytes)) for at, usage in self._all()])

    # -- expectations -------------------------------------------------------------------------------------------

    def memory_stays_within(self, growth: int, *, what: str = "") -> None:
        """Memory grew by at most that many bytes. Raises Broken."""
        if self.not_measured is not None:
            return
        if self.memory_growth <= growth:
            self._story.add("tester", f"finds memory grown by {self.memory_growth / 1e6:.1f} MB at most")
            return
        raise Broken(
            "memory grows without bound" + (f" while {what}" if what else ""),
            expected=f"at most {growth / 1e6:,.1f} MB more than before",
            seen=f"{self.memory_growth / 1e6:,.1f} MB more, {self.memory_slope / 1e6:+,.1f} MB a second",
        )

    def one_thread(self, server: Program) -> None:
        """It never had threads or processes but its language's own. Raises Broken."""
        for _, usage in self.samples:
            if broken := too_many_threads(server.name, usage):
                raise broken


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The rise of the line that fits these points best (least squares), 0 for fewer than two.

    >>> slope([(0, 1), (1, 3), (2, 5)])
    2.0
    """
    count = len(points)
    if count < 2:
        return 0.0
    middle = sum(x for x, _ in points) / count
    height = sum(y for _, y in points) / count
    spread = sum((x - middle) ** 2 for x, _ in points)
    return sum((x - middle) * (y - height) for x, y in points) / spread if spread else 0.0
