"""What a local lab on macOS knows of the programs it started: through ps and lsof, which every macOS has.

Descendants that were orphaned are not found, and memory counts shared pages: it is for comparing before and after.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from harness.lab.interface import NotMeasured, Usage

_PS = ("ps", "-A", "-o", "pid=", "-o", "ppid=", "-o", "rss=", "-o", "time=", "-o", "comm=")
#: Seconds a tool of the system may take.
_PATIENCE = 5.0


@dataclass(frozen=True)
class Row:
    """A process, as ps has it."""

    pid: int
    parent: int
    memory: int  #: resident, in bytes
    cpu: float  #: seconds
    command: str  #: path of what it executes


def usage(roots: Iterable[int]) -> Usage:
    """What the started programs and their descendants use now. Raises NotMeasured."""
    rows = descendants(parse_processes(_run(*_PS)), roots)
    pids = ",".join(str(row.pid) for row in rows)
    return Usage(
        processes=len(rows),
        threads=count_threads(_run("ps", "-M", "-p", pids)) if rows else 0,
        open_files=count_files(_run("lsof", "-n", "-P", "-p", pids, "-Ff")) if rows else 0,
        memory_bytes=sum(row.memory for row in rows),
        cpu_seconds=sum(row.cpu for row in rows) + _of_the_dead(),
        runtimes=[runtime(row.command) for row in rows],
    )


def parse_processes(text: str) -> list[Row]:
    """The rows of ps with pid, ppid, rss, time, comm; memory is in KiB there, time `[[D-]H:]M:S.ss`.

    >>> parse_processes("  7   1  2048  1:02.50 /usr/bin/python3\\n")
    [Row(pid=7, parent=1, memory=2097152, cpu=62.5, command='/usr/bin/python3')]
    """
    rows = []
    for line in text.splitlines():
        words = line.split(maxsplit=4)
        if len(words) < 4 or not all(word.isdigit() for word in words[:3]):
            continue
        days, _, clock = words[3].rpartition("-")
        seconds = int(days or 0) * 24.0 * 60 * 60
        for place, part in enumerate(reversed(clock.split(":"))):
            seconds += float(part) * 60**place
        pid, parent, kibibytes = map(int, words[:3])
        rows.append(Row(pid, parent, kibibytes * 1024, seconds, words[4] if len(words) > 4 else ""))
    return rows


def descendants(rows: Iterable[Row], roots: Iterable[int]) -> list[Row]:
    """The rows of these processes and of all they started."""
    rows = list(rows)
    found = set(roots)
    while more := {row.pid for row in rows if row.parent in found} - found:
        found |= more
    return [row for row in rows if row.pid in found]


def count_threads(text: str) -> int:
    """Threads in the output of `ps -M`: a heading, then a line for each."""
    return max(0, len(text.splitlines()) - 1)


def count_files(text: str) -> int:
    """Descriptors in the output of `lsof -Ff`: lines of an f and a number; folders and mappings have words there."""
    return sum(line[:1] == "f" and line[1:].isdigit() for line in text.splitlines())


def runtime(command: str) -> str:
    """What an executable is; a compiled program counts as native.

    >>> runtime("/Library/Frameworks/Python.framework/Versions/3.12/Resources/Python.app/Contents/MacOS/Python")
    'python'
    """
    name = PurePosixPath(command).name.lower()
    for known in ("python", "node", "java"):
        if name.startswith(known):
            return known
    return "shell" if name.lstrip("-") in ("sh", "bash", "zsh", "dash") else "native"


def _run(*words: str) -> str:
    try:
        done = subprocess.run(words, capture_output=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotMeasured(f"{words[0]} does not tell what a program uses: {error}") from None
    return done.stdout.decode("utf-8", "replace")  # lsof's status is 1 if a process has ended meanwhile


def _of_the_dead() -> float:
    times = os.times()
    return times.children_user + times.children_system
