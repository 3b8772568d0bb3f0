"""The first process of a tester node: has pytest and the tester imported, and forks a tester for each job.

Rule 1: one job at a time; what a job changes in its process goes with the process.
Rule 2: standard output carries lines for the host only: the job's records, then {"nursery": "done", "status": N}, and
        for a job that the kernel ended since memory was full, what the wire had carried: {"carried": BYTES}.

On standard input, a line of JSON each: {"job": TEXT} starts the job in a text, {"stop": true} kills the one that runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.lab.node.captures import carried
from harness.lab.node.proc import ended_for_memory
from harness.tester.run import emitter, run_job
from harness.text.lines import Lines

#: Longest job, in bytes.
MOST_JOB = 16_000_000


class Nursery:
    """Reads commands from descriptor 0 and writes lines to `out`."""

    def __init__(self, out: int) -> None:
        self._out = out
        self._job: int | None = None
        self._ended_before = 0  # processes that the kernel has ended for want of memory, when the job began
        self._lines = Lines(MOST_JOB)

    def serve(self) -> None:
        """Serve until the host hangs up."""
        wake, waker = os.pipe()
        for end in (wake, waker):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        with selectors.DefaultSelector() as selector:
            selector.register(0, selectors.EVENT_READ)
            selector.register(wake, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd == wake:
                        os.read(wake, 4096)
                        self._reap()
                    elif not self._hear():
                        return

    def _say(self, row: Mapping[str, Any]) -> None:
        # On a line of its own: a tester that was killed may have left half a line.
        os.write(self._out, b"\n" + json.dumps(row).encode("ascii") + b"\n")

    def _hear(self) -> bool:
        chunk = os.read(0, 1 << 20)
        for line in self._lines.feed(chunk):
            command = json.loads(line or b"{}")
            if "job" in command and self._job is None:
                self._start(command["job"])
            elif "stop" in command and self._job is not None:
                os.kill(self._job, signal.SIGKILL)
        return bool(chunk)

    def _start(self, job: str) -> None:
        self._ended_before = ended_for_memory()
        pid = os.fork()
        if pid:
            self._job = pid
            return
        status = 1
        try:
            _goes_first()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            nothing = os.open("/dev/null", os.O_RDONLY)
            os.dup2(nothing, 0)
            with os.fdopen(os.dup(self._out), "wb", buffering=0) as stream:
                run_job(job, emitter(stream))
            status = 0
        except BaseException as error:
            print(f"tester: {type(error).__name__}: {error}", file=sys.stderr)
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._job:
                self._job = None
                code = os.waitstatus_to_exitcode(status)
                full = code == -signal.SIGKILL and ended_for_memory() > self._ended_before
                self._say({"nursery": "done", "status": code, **({"carried": carried()} if full else {})})


def main() -> None:
    """Serve the host: commands on fd 0, lines on what was fd 1; fd 1 itself becomes standard error."""
    out = os.dup(1)
    os.dup2(2, 1)
    nursery = Nursery(out)
    _preload()
    os.write(out, b'{"nursery": "ready"}\n')
    nursery.serve()


def _goes_first() -> None:
    """When memory is full, the kernel ends this process and not the nursery (proc(5), oom_score_adj)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _preload() -> None:
    """Import what every job imports, so that a fork has it already."""
    import dpkt.pcapng  # noqa: F401

    import harness.lab.docker.lab  # noqa: F401


if __name__ == "__main__":
    main()
