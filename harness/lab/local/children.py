"""What a new child of the local lab does before it becomes a program: limits itself, and ends with its tester."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

from harness.course.assignment import Limits
from harness.lab.local import processes
from harness.lab.local.ordinary import OrdinaryUser
from harness.lab.signals import hear_all_signals


def limiter(limits: Limits, process_limit: int, user: OrdinaryUser | None) -> Callable[[], None]:
    """A function that sets the resource limits of setrlimit(2) in a new child, before it becomes the program."""
    import resource

    nproc: int | None = None
    if user is not None:
        nproc = process_limit
    elif sys.platform == "linux":
        nproc = process_limit + processes.threads_of(os.getuid())
    files = limits.open_files
    largest = limits.file_mb * 1_000_000
    dies = die_with_parent()

    def restrict() -> None:
        dies()
        hear_all_signals(all_default=True)
        # 1 and not 0: where the system hands core dumps to a program, only that keeps it away (core(5)).
        wanted = (resource.RLIMIT_NOFILE, files), (resource.RLIMIT_FSIZE, largest), (resource.RLIMIT_CORE, 1)
        for what, value in wanted:
            _, hard = resource.getrlimit(what)
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(what, (value, value))
        if nproc is not None:
            _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
            value = nproc if hard == resource.RLIM_INFINITY else min(nproc, hard)
            resource.setrlimit(resource.RLIMIT_NPROC, (value, value))

    return restrict


def die_with_parent() -> Callable[[], object]:
    """A function for a child to call, so that it is killed when its tester is (prctl(2), PR_SET_PDEATHSIG)."""
    if sys.platform != "linux":
        return lambda: None
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(1, signal.SIGKILL, 0, 0, 0)
