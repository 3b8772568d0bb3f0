"""Who owns what a run makes on a machine, so that the next run can remove what a dead one left behind.

Rule 1: everything made outside this process (containers, volumes, folders) carries its owner's labels.
Rule 2: only what a dead owner left behind is removed; an owner that cannot be checked from here counts as alive.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.errors import cause_of
from harness.lab.interface import LabError

#: Label names. All begin with the project's name, so that one filter finds them.
OWNER, PROCESS, STARTED, MACHINE = ("socketlab.owner", "socketlab.pid", "socketlab.started", "socketlab.machine")


@dataclass(frozen=True)
class Owner:
    """One process that makes things."""

    identity: str  #: unique
    pid: int
    started: str  #: when the process began, in the kernel's ticks; "" if the system does not say
    machine: str  #: this boot of this machine and its process namespace

    @property
    def labels(self) -> dict[str, str]:
        """The labels for everything it makes."""
        return {OWNER: self.identity, PROCESS: str(self.pid), STARTED: self.started, MACHINE: self.machine}


@cache
def this_owner() -> Owner:
    """This process."""
    return Owner(secrets.token_hex(6), os.getpid(), _started(os.getpid()), _machine())


def is_dead(labels: Mapping[str, str]) -> bool:
    """Whether the process that put these labels on something has ended."""
    if labels.get(MACHINE) != _machine():
        return labels.get(MACHINE, "").partition("/")[0] != _machine().partition("/")[0]
    try:
        pid = int(labels.get(PROCESS, ""))
        os.kill(pid, 0)
    except (ValueError, ProcessLookupError):
        return True
    except OSError:
        return False
    return _started(pid) != labels.get(STARTED)


def owned_folder() -> Path:
    """A folder for this process's files, removed when it ends, or by a later run's `sweep_folders`. Raises LabError."""
    path = _root() / this_owner().identity
    if not path.exists():
        try:
            path.mkdir(mode=0o700)
            (path / "owner.json").write_text(json.dumps(this_owner().labels))
        except OSError as error:
            shutil.rmtree(path, ignore_errors=True)
            raise LabError(f"{path}, where images are made, cannot be made: {cause_of(error)}") from None
        atexit.register(forget_folder)
    return path


def forget_folder() -> None:
    """Remove this process's folder, if it made one."""
    if os.getpid() == this_owner().pid:  # not in a forked child
        with contextlib.suppress(LabError):
            shutil.rmtree(_root() / this_owner().identity, ignore_errors=True)


def sweep_folders() -> int:
    """Remove the folders of dead owners; returns how many."""
    count = 0
    for path in _root().iterdir():
        try:
            labels = json.loads((path / "owner.json").read_text())
        except (OSError, ValueError):
            continue
        if is_dead(labels):
            shutil.rmtree(path, ignore_errors=True)
            count += 1
    return count


def _root() -> Path:
    """One folder per user, of that user only. Not in /tmp where that is memory: a root file system is made in it."""
    parent = "/var/tmp" if os.path.isdir("/var/tmp") else tempfile.gettempdir()
    user = os.getuid() if hasattr(os, "getuid") else "me"
    path = Path(parent, f"socketlab-{user}")
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise LabError(f"{path}, where images are made, cannot be made: {cause_of(error)}") from None
    if hasattr(os, "getuid") and path.lstat().st_uid != os.getuid():
        raise LabError(f"{path} belongs to somebody else: remove it")
    return path


def _started(pid: int) -> str:
    """proc(5), stat: the 22nd field, in ticks since the machine started."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[19] if fields[0] not in "ZX" else "ended"
    except OSError:
        return ""


@cache
def _machine() -> str:
    if sys.platform != "linux":
        return "here/"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{os.readlink('/proc/self/ns/pid')}"
