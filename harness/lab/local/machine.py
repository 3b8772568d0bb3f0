"""What this machine has to give, so that a submission gets all that its assignment allows; what it did not give.

Rule: whoever is denied what the assignment allows has not failed: the machine has.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from harness.course.assignment import Limits
from harness.errors import cause_of
from harness.lab.interface import LabError
from harness.lab.local import processes
from harness.lab.node.proc import oom_kills
from harness.lab.own_address import bind

#: Local ports that have to be free at once; and how many the machine has to have, for a class and its lingering ones.
_FREE_PORTS, _PORTS = 4, 512
#: Address space that a program needs on top of its memory, in MiB.
_ADDRESSES = 1024


def lacking(limits: Limits, folder: Path) -> str | None:
    """What a submission in that folder will not get, and what to do, in a sentence; None if there is enough of all."""
    found = (
        _files(limits),
        _size_of_files(limits),
        _memory(limits),
        _processes(limits),
        disk(limits, folder),
        _range_of_ports(),
        ports(),
        _in_the_way(folder),
    )
    return next(filter(None, found), None)


def _files(limits: Limits) -> str | None:
    hard = _most("RLIMIT_NOFILE")
    if hard is None or hard >= limits.open_files:
        return None
    wanted = limits.open_files
    return f"a program may open {hard:,} files here, and needs up to {wanted:,}: raise the limit (ulimit -Hn {wanted})"


def _size_of_files(limits: Limits) -> str | None:
    hard = _most("RLIMIT_FSIZE")
    if hard is None or hard >= limits.file_mb * 1_000_000:
        return None
    return (
        f"a file may have {hard / 1e6:,.1f} MB here, and a program needs up to {limits.file_mb}: raise the limit "
        "(ulimit -Hf unlimited)"
    )


def _memory(limits: Limits) -> str | None:
    """Of its address space a program uses a part only."""
    wanted, most = limits.memory_mb + _ADDRESSES, _most("RLIMIT_AS", soft=True)
    if most is None or most >= wanted << 20:
        return None
    return f"a program may use {most >> 20:,} MiB of memory here, and needs up to {wanted:,}: raise it (ulimit -v)"


def _processes(limits: Limits) -> str | None:
    wanted = limits.processes
    left = _left_in_groups()
    hard = _most("RLIMIT_NPROC")
    if hard is not None:
        user = os.getuid()
        left.append(hard - (processes.threads_of(user) if user else 0))
    if not left or min(left) >= wanted:
        return None
    return (
        f"{max(0, min(left)):,} more processes may start here, and a submission may need {wanted:,}: "
        "raise the limit (ulimit -Hu, or pids of the container)"
    )


def disk(limits: Limits, folder: Path, *more: Path) -> str | None:
    """The disk lacks room for all that a submission may write, what it has written in `more` included."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return f"the disk of {folder} cannot be looked at: {cause_of(error)}"
    if free + sum(_size(each) for each in more) >= limits.disk_mb * 1_000_000:
        return None
    return (
        f"{folder} has {free / 1e6:,.1f} MB left, and a submission may write {limits.disk_mb} MB: "
        "free space there, or set TMPDIR to a folder on another disk"
    )


def _in_the_way(folder: Path) -> str | None:
    """Programs that root starts belong to an ordinary user, who has to reach that folder."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    for each in (folder, *folder.parents):
        if not each.stat().st_mode & 0o001:
            return (
                f"{folder} is where submissions run, and an ordinary user cannot go through {each}: "
                f"chmod o+x {each}, or set TMPDIR to another folder"
            )
    return None


def _size(folder: Path) -> int:
    """Bytes on the disk."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                status = os.lstat(os.path.join(where, name))
                total += getattr(status, "st_blocks", 0) * 512
    return total


def ports() -> str | None:
    """No local port is free, or nothing gets from one to the other."""
    with contextlib.ExitStack() as held:
        try:
            for _ in range(_FREE_PORTS):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    sock = held.enter_context(socket.socket(socket.AF_INET, kind))
                    bind(sock, "127.0.0.1", whose="a program")
            sock.connect(sock.getsockname())  # a datagram's: nothing is sent, but there has to be a way
        except OSError as error:
            if error.errno == errno.ENETUNREACH:
                return "this machine's loopback interface is down: ip link set lo up"
            return f"this machine has no socket left: {cause_of(error)}"
        except LabError as error:
            return str(error)
    return None


def _range_of_ports() -> str | None:
    try:
        first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    except (OSError, ValueError):  # another system
        return None
    if (count := int(last) - int(first) + 1) >= _PORTS:
        return None
    return (
        f"this machine has {count} local ports for programs, which a class uses up: "
        "widen them (sysctl -w net.ipv4.ip_local_port_range='32768 60999')"
    )


def refused_processes() -> int:
    """How often a control group that this process is in has refused a process or thread."""
    count = 0
    for group in _groups():
        with contextlib.suppress(OSError, ValueError):
            rows = dict(line.split() for line in (group / "pids.events").read_text().splitlines())
            count += int(rows.get("max", 0))
    return count


def ended_for_memory(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int:
    """How many processes like this one the kernel has ended for want of memory: those of its control group.

    The machine's own count (oom_kill in /proc/vmstat) has those of every container in it, whose own limits are no
    trouble of ours: one lab's memory would excuse what fails in another. It is asked only where no group is told.
    """
    for root, group in _own_groups("memory", proc, groups):
        for place in (group, root):  # a container may see its own group as the root
            for name in ("memory.oom_control", "memory.events"):  # cgroup v1, v2
                if (count := oom_kills(f"{place}/{name}")) is not None:
                    return count
    return oom_kills(f"{proc}/vmstat") or 0


def _left_in_groups() -> list[int]:
    found = []
    for group in _groups():
        with contextlib.suppress(OSError, ValueError):  # "max" is no number: no limit
            found.append(int((group / "pids.max").read_text()) - int((group / "pids.current").read_text()))
    return found


def _groups() -> Iterator[Path]:
    """The control groups of this process that may limit processes: its own, and those around it (cgroups(7))."""
    for root, group in _own_groups("pids"):
        yield group
        if group != root:
            yield from (each for each in group.parents if each.is_relative_to(root))


def _own_groups(
    controller: str, proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")
) -> Iterator[tuple[Path, Path]]:
    """The control groups of this process for a controller, of cgroup v1 and v2, each behind the root that it is in."""
    with contextlib.suppress(OSError):
        for line in (proc / "self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers or controller in controllers.split(","):
                root = groups / (controller if controllers else "")
                yield root, root / path.lstrip("/")


def _most(name: str, *, soft: bool = False) -> int | None:
    """A limit of setrlimit(2), the hard one or the soft one; None if there is none."""
    if sys.platform == "win32":
        return None
    import resource

    limit = resource.getrlimit(getattr(resource, name))[0 if soft else 1]
    return None if limit == resource.RLIM_INFINITY else limit
