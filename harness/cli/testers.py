"""Testers as processes of this machine: one, or several side by side, and their records as they come.

Each is a process of its own, as when a submission is graded: a program that runs wild can end its tester at most.
"""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import IO

from harness.tester.border.job import Job
from harness.tester.border.records import BadRecord, End, Record, Trouble, parse_record

#: The repository this file belongs to: the tester's modules are found there.
_HOME = Path(__file__).resolve().parents[2]


def run_testers(jobs: Sequence[Job]) -> Generator[Record, None, None]:
    """Run a tester for each job, all at the same time, and yield their records as they come."""
    found: queue.SimpleQueue[Record | None] = queue.SimpleQueue()

    def listens(tester: subprocess.Popen[bytes], job: Job, log: IO[bytes]) -> None:
        try:
            for record in _records(tester, job, log):
                found.put(record)
        finally:
            found.put(None)

    with contextlib.ExitStack() as stack:
        for job in jobs:
            log = stack.enter_context(tempfile.TemporaryFile())  # not a pipe: nobody reads it while the tester writes
            thread = threading.Thread(target=listens, args=(tester := _start(log), job, log))
            stack.callback(thread.join)
            stack.callback(_end, tester)
            thread.start()
        left = len(jobs)
        while left:
            record = found.get()
            if record is None:
                left -= 1
            else:
                yield record


def _start(log: IO[bytes]) -> subprocess.Popen[bytes]:
    paths = [str(_HOME), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return subprocess.Popen(
        [sys.executable, "-B", "-m", "harness.tester.run"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )


def _records(tester: subprocess.Popen[bytes], job: Job, log: IO[bytes]) -> Iterator[Record]:
    assert tester.stdin and tester.stdout
    ended = False
    try:
        tester.stdin.write(job.to_json())
        tester.stdin.close()
    except BrokenPipeError:
        pass  # it has ended already; its log says why
    for line in tester.stdout:
        try:
            record = parse_record(line)
        except BadRecord as error:
            record = Trouble(f"the tester wrote a line that is no record ({error}); it is left out")
        ended = ended or isinstance(record, End)
        yield record
    if not ended:
        log.seek(max(0, log.seek(0, os.SEEK_END) - 2000))
        text = log.read().decode("utf-8", "replace")
        yield Trouble(f"the tester stopped before its end:\n{text}")


def _end(tester: subprocess.Popen[bytes]) -> None:
    """Let the tester tidy up (it does on SIGTERM); kill it after a while."""
    if tester.poll() is None:
        tester.terminate()
    try:
        tester.wait(10)
    except subprocess.TimeoutExpired:
        tester.kill()
        tester.wait()
