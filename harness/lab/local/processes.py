"""What a local lab knows of the processes it started: which are alive, what they use, how to end them all.

psutil tells it. Linux itself is asked for what psutil leaves out: memory without the pages of files, wake-ups, waits
for a processor, what an executable is. Orphans are found on Linux only. On Windows nothing is measured: threads of the
runtime and handles would be counted with the program's.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Collection, Iterable, Sequence
from pathlib import PurePath
from typing import Any

import psutil

from harness.lab.interface import LabError, NotMeasured, Usage
from harness.lab.local.ordinary import OrdinaryUser
from harness.lab.node import proc


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent died (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)


def alive(user: OrdinaryUser | None, roots: Collection[int]) -> list[psutil.Process]:
    """The student's side: all processes of the user, or the descendants of this process that it started."""
    found = _descendants(roots) if user is None else _of_user(user.uid)
    return [each for each in found if _runs(each)]


def _of_user(uid: int) -> list[psutil.Process]:
    return [each for each in psutil.process_iter(["uids"]) if each.info["uids"] and each.info["uids"].real == uid]


def _descendants(roots: Collection[int]) -> list[psutil.Process]:
    """Started by us, or orphaned and adopted by us; helper children of ours carry our own session."""
    mine, found = _session(0), []
    for child in psutil.Process().children():
        if child.pid in roots or _session(child.pid) != mine:
            with contextlib.suppress(psutil.NoSuchProcess):
                found += [child, *child.children(recursive=True)]
    return found


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except (AttributeError, OSError):  # Windows has no sessions
        return -1


def _runs(process: psutil.Process) -> bool:
    try:
        if process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return True
        return sys.platform == "linux" and process.num_threads() > 1  # its first thread has ended, and others live
    except psutil.Error:
        return False


def family(user: OrdinaryUser | None, roots: Collection[int], pid: int) -> list[psutil.Process]:
    """A program's processes: itself, all that came of it, and orphans, which nobody can tell from its own.

    `roots` are the programs that run; what came of the others is left out.
    """
    found = {each.pid: each for each in alive(user, {*roots, pid})}
    family = []
    for each in found.values():
        first = each.pid
        with contextlib.suppress(psutil.NoSuchProcess):
            while first != pid and first not in roots and (parent := found[first].ppid()) in found:
                first = parent
            if first == pid or first not in roots:
                family.append(each)
    return family


def stands_still(pid: int) -> bool:
    """Whether a process was stopped by a signal (SIGSTOP), or by a debugger."""
    try:
        return psutil.Process(pid).status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    except psutil.Error:
        return False


def threads_of(uid: int) -> int:
    """All threads of a user."""
    rows = psutil.process_iter(["uids", "num_threads"])
    return sum(each.info["num_threads"] or 0 for each in rows if each.info["uids"] and each.info["uids"].real == uid)


def end(user: OrdinaryUser | None, roots: Iterable[int], *, within: float = 5.0) -> None:
    """Kill the student's processes, whatever they forked meanwhile. Raises LabError if some will not go.

    `roots` are the programs that were started; whoever started them has to collect those.
    """
    roots = list(roots)
    if sys.platform != "win32":
        for root in roots:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(root, signal.SIGKILL)
    if user is not None:
        with contextlib.suppress(LabError):  # no process left for it: they are ended one by one, below
            user.end_all()
    deadline = time.monotonic() + within
    while left := alive(user, roots):
        for act in (psutil.Process.suspend, psutil.Process.kill):  # stopped first, so that none forks while others die
            for each in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    act(each)
        if sys.platform == "win32":  # it lists the dead as long as somebody holds a handle
            return
        if time.monotonic() > deadline:
            pids = [each.pid for each in left[:5]]
            raise LabError(f"{len(left)} processes of the submission cannot be ended: {pids}")
    reap_adopted(roots)  # the dead count against the limit on processes until they are collected


def reap_adopted(started: Collection[int]) -> None:
    """Collect dead orphans, but not the programs whose exit status a test still wants."""
    if sys.platform != "linux":
        return
    for child in psutil.Process().children():
        if child.pid not in started and not _runs(child):
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child.pid, 0)


def usage(user: OrdinaryUser | None, roots: Collection[int]) -> Usage:
    """What the student's processes use now. Raises NotMeasured where the system cannot be asked."""
    if sys.platform == "win32":
        raise NotMeasured("threads, open files, memory and CPU of a program can be measured on Linux and macOS only")
    import resource

    reaped = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = alive(user, roots)
    rows = _facts_of(found, ["num_threads", "cpu_times"])
    return Usage(
        processes=len(found),
        threads=sum(row["num_threads"] for row in rows),
        cpu_seconds=sum(sum(row["cpu_times"][:4]) for row in rows) + reaped.ru_utime + reaped.ru_stime,
        **(_linux(found) if sys.platform == "linux" else _elsewhere(found)),
    )


def _facts_of(found: Iterable[psutil.Process], names: list[str]) -> list[dict[str, Any]]:
    """What psutil tells of each process that has not ended meanwhile. Raises NotMeasured if it is not allowed to."""
    rows = []
    for each in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            row = each.as_dict(names)
            if None not in row.values():
                rows.append(row)
            elif _runs(each):
                raise NotMeasured(f"this system does not tell what process {each.pid} uses")
    return rows


def _linux(found: Sequence[psutil.Process]) -> dict[str, Any]:
    pids = [each.pid for each in found]
    return {
        "open_files": proc.open_files(pids),
        "memory_bytes": proc.memory(pids),
        "wakeups": proc.wakeups(pids),
        "queued_seconds": proc.queued(pids),
        "queued_longest": proc.queued_longest(pids),
        "runtimes": proc.runtimes(pids),
    }


def _elsewhere(found: Sequence[psutil.Process]) -> dict[str, Any]:
    """Memory counts shared pages here: it is for comparing before and after."""
    rows = _facts_of(found, ["num_fds", "memory_info", "exe"])
    return {
        "open_files": sum(row["num_fds"] for row in rows),
        "memory_bytes": sum(row["memory_info"].rss for row in rows),
        "runtimes": [proc.known_by(PurePath(row["exe"]).name.lower()) or "native" for row in rows],
    }
