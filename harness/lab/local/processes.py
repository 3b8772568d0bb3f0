"""What a local lab knows of the processes it started: which are alive, what they use, how to end them all.

Linux reads /proc; macOS is asked through ps and lsof; elsewhere only the started programs' own groups can be ended, and
nothing can be measured.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from harness.lab.interface import LabError, NotMeasured, Usage
from harness.lab.local import macos
from harness.lab.local.ordinary import OrdinaryUser
from harness.lab.node import proc


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent died (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)


def _status(pid: int) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/status").read_text(errors="replace")  # a name may hold any bytes
    except OSError:
        return {}
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def alive(user: OrdinaryUser | None, roots: Iterable[int]) -> list[int]:
    """Process ids of the student's side: all of the user's, or the descendants of this process that it started."""
    if sys.platform != "linux":
        return []
    rows = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (status := _status(int(name))) and not status["State"].startswith(("Z", "X")):
            rows[int(name)] = status
    if user is not None:
        return [pid for pid, status in rows.items() if int(status["Uid"].split()[0]) == user.uid]
    # Started by us, or orphaned and adopted by us; helper children of ours carry our own session.
    found = set(roots)
    mine = os.getsid(0)
    found |= {pid for pid, row in rows.items() if int(row["PPid"]) == os.getpid() and _session(pid) != mine}
    while True:
        more = {pid for pid, status in rows.items() if int(status["PPid"]) in found} - found
        if not more:
            return sorted(found & set(rows))
        found |= more


def end(user: OrdinaryUser | None, roots: Iterable[int], *, within: float = 5.0) -> None:
    """Kill the student's processes, whatever they forked meanwhile. Raises LabError if some will not go.

    `roots` are the programs that were started; whoever started them has to collect those.
    """
    roots = list(roots)
    for root in roots:
        _kill_group(root)
    if user is not None:
        user.end_all()
    deadline = time.monotonic() + within
    while left := alive(user, roots):
        for signum in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that none forks while others die
            for pid in left:
                try:
                    os.kill(pid, signum)
                except ProcessLookupError:
                    pass
        if time.monotonic() > deadline:
            raise LabError(f"{len(left)} processes of the submission cannot be ended: {left[:5]}")
    reap_adopted(roots)  # the dead count against the limit on processes until they are collected


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def _kill_group(pid: int) -> None:
    try:
        if hasattr(os, "killpg"):
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGTERM)  # Windows: TerminateProcess
    except (ProcessLookupError, PermissionError):
        pass


def reap_adopted(started: Iterable[int]) -> None:
    """Collect dead orphans, but not the programs whose exit status a test still wants."""
    if sys.platform != "linux":
        return
    keep = set(started)
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in keep:
            status = _status(int(name))
            if status and int(status["PPid"]) == os.getpid() and status["State"].startswith(("Z", "X")):
                try:
                    os.waitpid(int(name), 0)
                except ChildProcessError:
                    pass


def usage(user: OrdinaryUser | None, roots: Iterable[int]) -> Usage:
    """What the student's processes use now. Raises NotMeasured where the system cannot be asked."""
    if sys.platform == "darwin":
        return macos.usage(roots)
    if sys.platform != "linux":
        raise NotMeasured("threads, open files, memory and CPU of a program can be measured on Linux and macOS only")
    import resource

    reaped = resource.getrusage(resource.RUSAGE_CHILDREN)
    pids = alive(user, roots)
    threads = memory = ticks = 0
    for pid in pids:
        status = _status(pid)
        threads += int(status.get("Threads", 0))
        memory += 1024 * sum(int(status.get(row, "0 kB").split()[0]) for row in ("RssAnon", "RssShmem"))
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))  # proc(5): utime, stime, cutime, cstime
        except OSError:
            continue  # it ended meanwhile
    return Usage(
        processes=len(pids),
        threads=threads,
        open_files=proc.open_files(pids),
        memory_bytes=memory,
        cpu_seconds=ticks / os.sysconf("SC_CLK_TCK") + reaped.ru_utime + reaped.ru_stime,
        wakeups=proc.wakeups(pids),
        queued_seconds=proc.queued(pids),
        queued_longest=proc.queued_longest(pids),
        runtimes=proc.runtimes(pids),
    )
