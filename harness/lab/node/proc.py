"""What /proc says about a process, read the same way in the student's node and in the local lab. Linux only.

Standard library only: it goes into the student node with the agent. What a process calls itself is not trusted;
what the kernel says that it executes is, and the name of that only where the submission cannot have given it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

#: The beginning of an executable's name -> what it is.
_NAMES = {"python": "python", "pypy": "python", "node": "node", "java": "java"}
_SHELLS = ("sh", "dash", "bash", "busybox", "ash", "zsh")
#: A note that Go's linker puts near the start of every executable (.note.go.buildid): the size of its name, its type
#: and its name.
_GO_NOTE, _NEAR_THE_START = b"\x04\x00\x00\x00Go\x00\x00", 65_536
#: Processes that are looked at more closely; a submission with more has failed already.
MOST = 64


def read(path: str) -> str:
    """A file of the kernel's; nothing if it cannot be read."""
    try:
        with open(path, errors="replace") as file:  # a process may give itself any bytes as its name
            return file.read()
    except OSError:
        return ""


def open_files(pids: Iterable[int]) -> int:
    """Descriptors open in these processes. The caller needs the rights of their user."""
    return sum(_open_files(pid) for pid in pids)


def _living(pid: int) -> str:
    """The folder that tells of a process: its own, or that of a thread that lives if its first one has ended."""
    own = f"/proc/{pid}"
    if "(zombie)" in read(f"{own}/status").partition("\nTgid:")[0]:
        for thread in _threads([pid]):
            if "(zombie)" not in read(f"{thread}/status").partition("\nTgid:")[0]:
                return thread
    return own


def _open_files(pid: int) -> int:
    folder = f"{_living(pid)}/fd"
    try:
        # Since Linux 6.2 the size is the count; listing 11,000 of them takes milliseconds.
        return os.stat(folder).st_size or len(os.listdir(folder))
    except OSError:
        return 0  # it has ended meanwhile


def memory(pids: Iterable[int]) -> int:
    """Bytes of anonymous memory and tmpfs that these processes have in memory."""
    lines = (line.split() for pid in pids for line in read(f"/proc/{pid}/status").splitlines())
    return 1024 * sum(int(line[1]) for line in lines if line[:1] in (["RssAnon:"], ["RssShmem:"]))


def wakeups(pids: Iterable[int]) -> int:
    """How often the threads of these processes have slept so far (proc(5): voluntary_ctxt_switches)."""
    count = 0
    for thread in _threads(pids):
        _, _, after = read(f"{thread}/status").rpartition("\nvoluntary_ctxt_switches:")
        word = after.split(maxsplit=1)[:1]
        count += int(word[0]) if word and word[0].isdigit() else 0
    return count


def _threads(pids: Iterable[int]) -> Iterator[str]:
    for pid in pids:
        try:
            names = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue  # it has ended meanwhile
        for name in names:
            yield f"/proc/{pid}/task/{name}"


def queued(pids: Iterable[int]) -> float | None:
    """Seconds that the threads of these processes were ready and had no processor (schedstat); None: not reported."""
    return _together(pids, sum)


def queued_longest(pids: Iterable[int]) -> float | None:
    """The longest that any one of the threads has waited so; None: not reported."""
    return _together(pids, lambda told: max(told, default=0))


def _together(pids: Iterable[int], add_up: Callable[[list[int]], int]) -> float | None:
    rows = [waited(thread) for thread in _threads(pids)]
    told = [row for row in rows if row is not None]
    return add_up(told) / 1e9 if told or not rows else None


def waited(folder: str) -> int | None:
    """Nanoseconds that a process or thread (its folder in /proc) was ready and had no processor; None: not told."""
    row = read(f"{folder}/schedstat").split()  # proc(5): time on a processor, time waiting for one, number of turns
    return int(row[1]) if len(row) > 1 else None


def queued_here() -> float:
    """Seconds that the calling thread was ready and had no processor; 0 where that is not told."""
    return (waited("/proc/thread-self") or 0) / 1e9


def machine_queued() -> float:
    """Seconds so far in which something on this machine was ready and had no processor; 0 where that is not told.

    Pressure stall information: Documentation/accounting/psi.rst of the kernel, the line "some".
    """
    _, _, total = read("/proc/pressure/cpu").partition("\n")[0].partition("total=")
    return int(total) / 1e6 if total.isdigit() else 0.0


def ended_for_memory(groups: str = "/sys/fs/cgroup") -> int:
    """How many processes the kernel has ended since the memory of this control group was full (cgroup v1, then v2)."""
    counts = map(oom_kills, (f"{groups}/memory/memory.oom_control", f"{groups}/memory.events"))
    return next((count for count in counts if count is not None), 0)


def oom_kills(table: str) -> int | None:
    """How many processes a table of the kernel's says it has ended for want of memory; None if it does not say."""
    for line in read(table).splitlines():
        name, _, count = line.partition(" ")
        if name == "oom_kill" and count.strip().isdigit():
            return int(count)
    return None


def runtimes(pids: Iterable[int]) -> list[str]:
    """What each of these processes executes. The caller needs the rights of their user."""
    return [_runtime(pid) for pid in list(pids)[:MOST]]


def _runtime(pid: int) -> str:
    link = f"{_living(pid)}/exe"
    try:
        return what_is(os.path.basename(os.readlink(link)), link, os.stat(f"/proc/{pid}").st_uid)
    except OSError:
        return "native"  # the strictest choice: it allows the fewest threads


def known_by(name: str) -> str:
    """What an executable of that name is that somebody installed; "" for a name that says nothing."""
    if name in _SHELLS:
        return "shell"
    return next((runtime for begins, runtime in _NAMES.items() if name.startswith(begins)), "")


def what_is(name: str, path: str, user: int) -> str:
    """What an executable is that this user runs: known by its name if it is installed, else by its content."""
    owner = os.stat(path).st_uid
    if (owner == 0 or owner != user) and (known := known_by(name)):
        return known
    with open(path, "rb") as executable:
        return "go" if _GO_NOTE in executable.read(_NEAR_THE_START) else "native"
