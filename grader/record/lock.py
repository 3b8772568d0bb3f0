"""One writer at a time, and who it is. The kernel holds the lock, so a killed writer holds none.

flock(2), on a file in the folder; the file's text says who has it, for whoever is told to wait.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from harness.errors import UsageError
from harness.text.printable import printable

#: How often a waiting writer looks (seconds).
_LOOKS = 0.2


@contextlib.contextmanager
def writing(path: Path, *, wait: float = 0.0) -> Iterator[None]:
    """Hold the lock file `path`, after `wait` seconds at most. Raises UsageError, which names the holder; OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, path, time.monotonic() + wait)
        _sign(descriptor)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, until: float) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                break
        time.sleep(_LOOKS)
    holder = _holder(descriptor)
    raise UsageError(f"{path.parent} is in use by {holder}. Wait for it (--wait 600), or give another folder.")


def _sign(descriptor: int) -> None:
    told = {
        "user": user_name(),
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": " ".join(["grader", *sys.argv[1:]])[:200],
    }
    with contextlib.suppress(OSError):  # a full disk: the lock is held all the same
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(told).encode("ascii"), 0)


def _holder(descriptor: int) -> str:
    try:
        told = json.loads(os.pread(descriptor, 4096, 0))
        text = f"{told['user']} ({told['command']}; process {told['pid']} on {told['host']}, since {told['since']})"
    except (ValueError, KeyError, TypeError):
        return "another grader"
    return printable(text)


def user_name() -> str:
    """Who types."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return f"user {os.getuid()}"
