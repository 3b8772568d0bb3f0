"""A machine under load, or a slow one, while something is graded: the only file that makes it so.

| load | what runs besides |
|---|---|
| quiet | nothing |
| spin | two processes for each processor that compute without end |
| memory | one that takes a third of what is free, and touches it again and again |
| disk | one that writes 8 MB and has it put on the disk, without end |
| slow | nothing, but all of ours has 30 % of one processor (a control group; root, and the local lab only) |
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import psutil

from harness.errors import SetupError, cause_of


class Load(StrEnum):
    """What a machine has to do besides."""

    quiet = "quiet"
    spin = "spin"
    memory = "memory"
    disk = "disk"
    slow = "slow"


#: Each ends when its standard input does: so with us, however we end.
_BEGIN = (
    "import os, sys, threading\nthreading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()\n"
)
_SPIN = _BEGIN + "while True:\n    pass\n"
_MEMORY = _BEGIN + (
    "held = bytearray(int(sys.argv[1]))\nwhile True:\n    for at in range(0, len(held), 4096):\n        held[at] ^= 1\n"
)
_DISK = _BEGIN + (
    "file = open(sys.argv[1], 'wb', buffering=0)\nwhile True:\n"
    "    file.seek(0)\n    file.write(os.urandom(8 << 20))\n    os.fsync(file.fileno())\n"
)
#: Microseconds of processor in each period.
_QUOTA, _PERIOD = 30_000, 100_000


@contextlib.contextmanager
def under(load: Load) -> Iterator[None]:
    """While this is open the machine has that to do. Raises SetupError where it cannot be made so."""
    with contextlib.ExitStack() as stack:
        if load is Load.spin:
            for _ in range(2 * (os.cpu_count() or 1)):
                stack.enter_context(_beside(_SPIN))
        elif load is Load.memory:
            stack.enter_context(_beside(_MEMORY, str(psutil.virtual_memory().available // 3)))
        elif load is Load.disk:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="audit-"))
            stack.enter_context(_beside(_DISK, f"{folder}/file"))
        elif load is Load.slow:
            stack.enter_context(_slow())
        yield


@contextlib.contextmanager
def _beside(program: str, *words: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-I", "-c", program, *words], stdin=subprocess.PIPE)
    try:
        yield
    finally:
        process.kill()
        process.communicate()


@contextlib.contextmanager
def _slow() -> Iterator[None]:
    """This process, and all that it starts from now on, in a control group with a quota."""
    second = Path("/sys/fs/cgroup/cgroup.controllers").is_file()
    root = Path("/sys/fs/cgroup") if second else Path("/sys/fs/cgroup/cpu")
    group, mine = root / f"socketlab-audit-{os.getpid()}", root / _own_group(second).lstrip("/")
    try:
        group.mkdir()
        if second:
            (group / "cpu.max").write_text(f"{_QUOTA} {_PERIOD}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(_QUOTA))
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError as error:
        with contextlib.suppress(OSError):
            group.rmdir()
        why = f"this machine cannot be made slow: {cause_of(error)}. It takes root and control groups."
        raise SetupError(f"{why} Leave --load slow out.") from None
    try:
        yield
    finally:
        (mine / "cgroup.procs").write_text(str(os.getpid()))
        with contextlib.suppress(OSError):  # what we started is still in there
            group.rmdir()


def _own_group(second: bool) -> str:
    """The control group that this process is in."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        if (second and number == "0") or "cpu" in controllers.split(","):
            return path
    return "/"
