"""What the kernel reports about a student node: its control group (cgroup v1 and v2) and /proc.

It runs in the student node (see harness/lab/node/agent.py): standard library only, Linux only.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Collection, Sequence
from typing import Any

from harness.lab.node import proc
from harness.lab.node.agent_child import STUDENT

_libc = ctypes.CDLL(None, use_errno=True)


class StudentsRights:
    """Within this block the file system checks the student's rights, not root's (setfsuid(2)); signals do not."""

    def __enter__(self) -> None:
        _libc.setfsgid(STUDENT)
        _libc.setfsuid(STUDENT)

    def __exit__(self, *_: object) -> None:
        _libc.setfsuid(0)
        _libc.setfsgid(0)


# -- what the kernel reports --------------------------------------------------------------------------------------


def _first(*paths: str) -> str:
    return next(filter(None, map(proc.read, paths)), "")


def _rows(text: str) -> dict[str, int]:
    rows = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if value.strip().isdigit():
            rows[name] = int(value)
    return rows


_CG = "/sys/fs/cgroup"


def capabilities() -> int:
    """This process's effective capabilities, as the kernel's bit set (capabilities(7))."""
    for line in _first("/proc/self/status").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return -1


def memory_used() -> int:
    """Bytes of anonymous memory and tmpfs in the control group (cgroup v1, then v2), the agent's own subtracted."""
    rows = _rows(_first(f"{_CG}/memory/memory.stat", f"{_CG}/memory.stat"))
    used = rows.get("total_rss", rows.get("anon", 0)) + rows.get("total_shmem", rows.get("shmem", 0))
    mine = sum(
        int(line.split()[1]) * 1024 for line in _first("/proc/self/status").splitlines() if line.startswith("RssAnon")
    )
    return max(0, used - mine)


#: What the kernel itself needs for an open descriptor (a TCP socket 3 KB, its name in /proc 1 KB) and for a thread (its
#: stack, its page tables), in bytes; measured on Linux 6.18, doubled.
_PER_FILE, _PER_THREAD = 8192, 131_072
#: How far the kernel's count may be off: each processor keeps up to 64 pages of it to itself (mm/memcontrol.c).
_SLACK = 1 << 20


def kernel_memory() -> int:
    """Bytes of the control group that are no process's and no file's: the kernel's structures, and what is in pipes.

    That is all it is charged for without anonymous pages and files: a page that was spliced into a pipe and cut off its
    file is in no other account.
    """
    used = _first(f"{_CG}/memory/memory.usage_in_bytes", f"{_CG}/memory.current").strip()
    rows = _rows(_first(f"{_CG}/memory/memory.stat", f"{_CG}/memory.stat"))
    known = rows.get("total_rss", rows.get("anon", 0)) + rows.get("total_cache", rows.get("file", 0))
    return max(0, int(used) - known) if used.isdigit() else 0


def hidden_in_kernel(grown: int, *, open_files: int, threads: int) -> int:
    """How much of the kernel's memory, grown by so much, is data that programs have put there; 0 if it may be none."""
    return max(0, grown - _SLACK - _PER_FILE * open_files - _PER_THREAD * threads)


def cpu_used() -> float:
    """Seconds of CPU of the control group, dead processes included, the agent's own subtracted."""
    nanoseconds = _first(f"{_CG}/cpuacct/cpuacct.usage", f"{_CG}/cpu,cpuacct/cpuacct.usage").strip()
    if nanoseconds.isdigit():
        total = int(nanoseconds) / 1e9
    else:
        total = _rows(_first(f"{_CG}/cpu.stat")).get("usage_usec", 0) / 1e6
    return max(0.0, total - time.process_time())


def interventions() -> tuple[int, int]:
    """(processes killed for memory, forks refused) by the kernel since the node began."""
    refused = _rows(_first(f"{_CG}/pids/pids.events", f"{_CG}/pids.events")).get("max", 0)
    return proc.ended_for_memory(_CG), refused


def students_processes() -> list[tuple[int, int]]:
    """(process id, threads) of every process alive in the node but this one."""
    return [(pid, threads) for pid, (_, threads) in _alive().items()]


def _alive() -> dict[int, tuple[int, int]]:
    """Process id -> (its parent, threads) of every process alive in the node but this one.

    A process whose first thread has ended is shown as a zombie (proc(5)), and lives as long as it has another one.
    """
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit() or name == "1":
            continue
        fields = _first(f"/proc/{name}/stat").rpartition(")")[2].split()  # proc(5): state is the first after the name
        if len(fields) > 17 and (fields[0] not in "ZX" or int(fields[17]) > 1):
            found[int(name)] = (int(fields[1]), int(fields[17]))
    return found


def family(pid: int, others: Collection[int]) -> list[int]:
    """A program's processes: itself, all that came of it, and orphans, which nobody can tell from its own.

    `others` are the processes of further programs that run; what came of these is left out.
    """
    parents = {each: parent for each, (parent, _) in _alive().items()}
    found = []
    for each in parents:
        first = each
        for _ in range(len(parents)):  # they are read one by one, so that there may even be a circle
            if first in others or first == pid or parents.get(first, 0) <= 1:
                break
            first = parents[first]
        if first not in others:
            found.append(each)
    return found


def looked_into(pids: Sequence[int]) -> dict[str, Any]:
    """What only the processes' own user may see: open descriptors, what they execute; and their wake-ups."""
    with StudentsRights():
        return {
            "open_files": proc.open_files(pids),
            "runtimes": proc.runtimes(pids),
            "wakeups": proc.wakeups(pids),
            "queued_seconds": proc.queued(pids),
            "queued_longest": proc.queued_longest(pids),
        }
