"""A submission in a folder behind a guest, without a whole lab: what the tests of the remote calls start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.actors.story import Story
from harness.lab.interface import Usage
from harness.lab.local.lab import LocalProcess
from harness.transport.calls.meter import Meter
from harness.transport.calls.remote import Remote

HERE = Path(__file__).parent
PLAIN = HERE / "plain"
GUEST = HERE.parents[2] / "harness/transport/calls/guest.py"


class Account:
    """What the kernel would say of the guest: real figures of our children, or those a test sets."""

    def __init__(self) -> None:
        self.pids: list[int] = []

    def usage(self) -> Usage:
        cpu = queued = 0.0
        for pid in self.pids:
            try:
                ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
            except OSError:
                continue
            cpu, queued = cpu + int(ran) / 1e9, queued + int(waited) / 1e9
        return Usage(processes=1, threads=1, open_files=3, memory_bytes=0, cpu_seconds=cpu, queued_seconds=queued)


@contextmanager
def hosted(
    folder: Path = PLAIN, *, argv: list[str] | None = None, clock: Callable[[], float] | None = None
) -> Iterator[Remote]:
    """A guest in that folder."""
    account = Account()

    def start() -> LocalProcess:
        popen = subprocess.Popen(
            argv or [sys.executable, "-I", "-B", str(GUEST)],
            cwd=folder,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"]},
        )
        account.pids.append(popen.pid)
        return LocalProcess(popen)

    meter = Meter(account.usage, **({"clock": clock} if clock else {}))
    remote = Remote(start, meter, Story(meter.clock))
    try:
        yield remote
    finally:
        remote.dismiss()


@contextmanager
def written(folder: Path, text: str) -> Iterator[Remote]:
    """A guest whose connection.py is this text."""
    (folder / "connection.py").write_text(text)
    with hosted(folder) as remote:
        yield remote
