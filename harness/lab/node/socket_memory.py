"""Bounds what a student node's connections may hold in the kernel. Part of the warden, the only place that does it.

Under cgroup v2 that is part of a node's memory. Under v1 it is counted only where it has a limit of its own
(memory.kmem.tcp.limit_in_bytes, Documentation/admin-guide/cgroup-v1/memory.rst), which engines take and do not set.
Without one a submission keeps memory of the machine's in connections with itself, and makes TCP slow for everybody.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from harness.lab.node.mounts import MNT_DETACH, MS_NODEV, MS_NOEXEC, MS_NOSUID, check, libc
from harness.lab.node.proc import read
from harness.lab.node.reply import Refused

#: Where the hierarchy is while it is needed; the engine's own mount of it cannot be written to.
_AT = "/tmp/memory"
_LIMIT = "memory.kmem.tcp.limit_in_bytes"


def bound(pid: int, most: int) -> bool:
    """Let the connections of a process's node hold `most` bytes at most; whether that was possible, and necessary."""
    group = next((row.split(":", 2)[2] for row in read(f"/proc/{pid}/cgroup").splitlines() if ":memory:" in row), None)
    if group is None:
        return False
    try:
        with _hierarchy(), open(f"{_AT}{group}/{_LIMIT}", "w") as file:
            file.write(str(most))
    except (OSError, Refused):  # another kernel, or an engine in a container of its own: as docker/README.md says
        return False
    return True


@contextlib.contextmanager
def _hierarchy() -> Iterator[None]:
    os.makedirs(_AT, mode=0o700, exist_ok=True)
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    check(libc.mount(b"cgroup", _AT.encode(), b"cgroup", flags, b"memory"), "mounting the groups of memory")
    try:
        yield
    finally:
        libc.umount2(_AT.encode(), MNT_DETACH)
