"""Errors whose message is for whoever typed the command, split by whose fault it is. Pure; every room may import it.

Each message says what happened, to what, and what to do about it. `lab` and `grader` catch `CommandError` in one place
(harness/cli/console.py), print the message and end with status 2.
"""

from __future__ import annotations

import errno
import os


class CommandError(Exception):
    """A command cannot be carried out. Raise one of the three below, which say whose fault that is."""


class UsageError(CommandError):
    """What was typed: an argument, an option, or the file or folder that it names."""


class SubmissionError(CommandError):
    """The submission's fault: it cannot be taken, built or run as it was handed in."""


class SetupError(CommandError):
    """Ours or the machine's fault: a file of the course is wrong, the lab broke, or something is not installed."""


#: What a machine runs out of, whoever asks: what that is, and what to do about it. No submission's files lead to these
#: by being read or copied.
_SHORTAGES = {
    errno.ENOSPC: ("the disk is full", "free space on it"),
    errno.EDQUOT: ("the user's share of the disk is full", "free space on it, or raise the quota"),
    errno.EROFS: ("the file system can only be read", "give a folder on another one"),
    errno.EIO: ("the disk cannot be read or written", "look into the system's log: dmesg"),
    errno.EFBIG: ("a file may not become so large", "raise the limit: ulimit -f"),
    errno.EMFILE: ("this process may open no more files", "raise the limit: ulimit -n 4096"),
    errno.ENFILE: ("this machine may open no more files", "raise the limit: sysctl fs.file-max"),
    errno.EAGAIN: ("the kernel refuses for now, as where no further process may start", "raise ulimit -u, or pids"),
    errno.ENOMEM: ("there is no memory left", "free memory, raise ulimit -v, or run fewer workers"),
    errno.ENOBUFS: ("the kernel has no buffers left", "free memory, or run fewer workers"),
    errno.EADDRNOTAVAIL: ("no local port is free", "widen net.ipv4.ip_local_port_range, or wait a minute"),
}


def shortage(error: BaseException) -> str:
    """What the machine is out of, and what to do about it, in a clause; empty if the error says nothing of the kind."""
    if isinstance(error, MemoryError):
        number = errno.ENOMEM
    elif isinstance(error, RuntimeError) and "start new thread" in str(error):  # all that Python says of EAGAIN
        number = errno.EAGAIN
    else:
        number = getattr(error, "errno", None) or 0
    if number not in _SHORTAGES:
        return ""
    what, remedy = _SHORTAGES[number]
    where = getattr(error, "filename2", None) or getattr(error, "filename", None)
    return f"{what}{f' ({os.fsdecode(where)})' if isinstance(where, str | bytes) else ''}: {remedy}"


def cause_of(error: OSError) -> str:
    """An error of the system for a message: its cause and, where the machine is out of something, the remedy."""
    return shortage(error) or error.strerror or str(error) or type(error).__name__
