"""Places to run `harness.tester.run`: a process on this machine, or a container. The only file that starts a tester.

Rule 1: a bench runs one task at a time and hands on the tester's records as they come.
Rule 2: the time for the whole task is enforced from outside, here: what is late is ended.
Rule 3: a bench raises LabError when it is at fault itself; everything else is in what it returns.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol, TypeVar

from grader.bench.folder import folder_of_a_tester, sweep
from grader.bench.task import Task
from harness.errors import cause_of
from harness.lab.interface import LabError
from harness.lab.local.processes import stands_still
from harness.lab.node.proc import machine_queued
from harness.lab.tools import tools_here
from harness.tester.border.records import BadRecord, Phase, Record, parse_record
from harness.text.lines import Lines

#: Longest line of a tester that is kept: a report with its capture (bytes).
MOST_LINE = 32_000_000
#: How much of the end of a tester's log is kept (bytes).
MOST_LOG = 20_000
#: Seconds without a word after which somebody looks whether the tester was stopped.
QUIET = 5.0
#: How long a tester has to tidy up when it is told to end (seconds).
GRACE = 5.0

#: Called with each record of a tester; with the reason for a line that is not one.
OnRecord = Callable[[Record | BadRecord], None]
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a tester ended."""

    status: int | None  #: its exit status, None if we ended it
    late: bool = False  #: its time was up
    stopped: str = ""  #: a part of ours that stood still when time was up, in a sentence; no submission can do that
    died: str = ""  #: the submission had its own node ended; how, in a sentence
    cancelled: bool = False  #: someone wanted the whole run to stop
    log: str = ""  #: the end of what it wrote to standard error
    phases: tuple[Phase, ...] = field(default=())  #: what the bench itself took time for
    elsewhere: Measured | None = None  #: if it ran on another machine


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What only the machine can measure that a group of checks ran on."""

    seconds: float  #: how long it took
    crowded: float  #: the share of that in which something on that machine had no processor


def measuring() -> Callable[[], Measured]:
    """Begin to measure; the answer says what has been measured until it is called."""
    begun, queued = time.monotonic(), machine_queued()

    def measured() -> Measured:
        seconds = max(time.monotonic() - begun, 0.001)
        return Measured(seconds=seconds, crowded=(machine_queued() - queued) / seconds)

    return measured


class Bench(Protocol):
    """Runs tasks, one after the other; owned by one worker."""

    def run(self, task: Task, on_record: OnRecord) -> Ended:
        """Run the checks of a task to the end. Raises LabError."""
        ...

    def cancel(self) -> None:
        """From another thread: end what runs now, soon."""
        ...

    def close(self) -> None:
        """Leave nothing behind."""
        ...


def read(parse: Callable[[_T], Record], given: _T) -> Record | BadRecord:
    """What a parser of records makes of something, or why it is not one."""
    try:
        return parse(given)
    except BadRecord as bad:
        return bad


def heard(line: bytes | None) -> Record | BadRecord:
    """The record in a line of `Lines`."""
    return BadRecord("too long") if line is None else read(parse_record, line)


class LocalBench:
    """A tester as a process of this machine; the submission's programs run beside it, as the same user.

    Nothing keeps them from the files of this machine: for trusted code only.
    """

    def __init__(self, root: Path) -> None:
        self._root = root  #: the folder that holds the package `harness`
        self._stop = threading.Event()

    def run(self, task: Task, on_record: OnRecord) -> Ended:
        begun = time.monotonic()
        with folder_of_a_tester() as folder, tempfile.TemporaryFile(dir=folder) as log:
            tester = self._start(log, folder)
            started = Phase("start", round(time.monotonic() - begun, 4))
            try:
                self._tell(tester, task.local_job().to_json())
                late = self._listen(tester, on_record, begun + task.seconds)
                still = "the tester was stopped by a signal" if late and stands_still(tester.pid) else ""
                stopped = late or self._stop.is_set()
                status = self._end(tester) if stopped else self._wait(tester, begun + task.seconds)
            finally:
                self._end(tester)
            log.seek(max(log.seek(0, os.SEEK_END) - MOST_LOG, 0))
            text = log.read(MOST_LOG).decode("utf-8", "replace")
        cancelled = self._stop.is_set()
        return Ended(
            status=None if stopped else status,
            late=late,
            stopped=still,
            cancelled=cancelled,
            log=text,
            phases=(started,),
        )

    def cancel(self) -> None:
        self._stop.set()

    def close(self) -> None:
        self._stop.set()

    def _start(self, log: IO[bytes], folder: Path) -> subprocess.Popen[bytes]:
        kept = ("PATH", "HOME", "SYSTEMROOT", "LANG")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        environment |= {"PYTHONPATH": str(self._root), "TMPDIR": str(folder)}
        try:
            return subprocess.Popen(
                [sys.executable, "-B", "-m", "harness.tester.run"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
                env=environment,
                cwd=self._root,
            )
        except OSError as error:
            raise LabError(f"the tester cannot be started: {cause_of(error)}") from None

    @staticmethod
    def _tell(tester: subprocess.Popen[bytes], job: bytes) -> None:
        assert tester.stdin is not None
        try:
            tester.stdin.write(job)
            tester.stdin.close()
        except BrokenPipeError:
            pass  # it has ended already; its status and its log say why

    def _listen(self, tester: subprocess.Popen[bytes], on_record: OnRecord, deadline: float) -> bool:
        """Hand on records until the tester's output ends; whether its time was up before, or it was stopped."""
        assert tester.stdout is not None
        lines, heard_at = Lines(MOST_LINE), time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(tester.stdout, selectors.EVENT_READ)
            while not self._stop.is_set():
                left = deadline - time.monotonic()
                if left <= 0:
                    return True
                if not selector.select(min(left, 0.2)):
                    if time.monotonic() - heard_at > QUIET and stands_still(tester.pid):
                        return True
                    continue
                heard_at = time.monotonic()
                data = os.read(tester.stdout.fileno(), 1 << 16)
                if not data:
                    return False
                for line in lines.feed(data):
                    on_record(heard(line))
        return False

    @staticmethod
    def _wait(tester: subprocess.Popen[bytes], deadline: float) -> int | None:
        try:
            return tester.wait(max(deadline - time.monotonic(), GRACE))
        except subprocess.TimeoutExpired:
            return None

    @staticmethod
    def _end(tester: subprocess.Popen[bytes]) -> int | None:
        """Ask the tester to tidy up and end; then kill its whole process group."""
        if tester.poll() is None:
            tester.terminate()
            try:
                tester.wait(GRACE)
            except subprocess.TimeoutExpired:
                os.killpg(tester.pid, signal.SIGKILL)
                tester.wait()
        if tester.stdout is not None:
            tester.stdout.close()
        return tester.returncode


class Place(Protocol):
    """Where a campaign runs: makes benches, and says what they are."""

    kind: str  #: "docker" or "local"
    engine: str  #: what impairs the link: "router", "netem" or "relay"
    image: str  #: identity of the image, empty without one
    unprotected: str  #: what this place does not protect from, one line; empty if nothing
    machines: int  #: how many there are. Of several each sees to it by itself that what runs alone does so

    def bench(self) -> Bench:
        """A new bench for one worker. Raises LabError."""
        ...

    def tools(self) -> Mapping[str, str]:
        """Tool -> version, of what submissions find there; empty where that cannot be known."""
        ...

    def close(self) -> None:
        """Leave nothing behind, whatever the benches did."""
        ...


class LocalPlace:
    """This machine."""

    kind = "local"
    engine = "relay"
    image = ""
    machines = 1
    unprotected = (
        "The local lab runs every program as you, on this machine: nothing keeps a submission from your files, "
        "your network, the tests, or the results of others. For trusted code only."
    )

    def __init__(self, root: Path) -> None:
        self._root = root
        sweep()

    def bench(self) -> Bench:
        return LocalBench(self._root)

    def tools(self) -> Mapping[str, str]:
        return tools_here()

    def close(self) -> None:
        pass


@contextmanager
def closing(place: Place) -> Iterator[Place]:
    """The place, closed at the end whatever happens."""
    try:
        yield place
    finally:
        place.close()
