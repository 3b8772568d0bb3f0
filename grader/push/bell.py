"""Wakes the daemon: a pipe with a name, made by the daemon, into which whoever has queued a push puts a byte.

Rule 1: what comes out means "look into the queue" and nothing else. It may be lost: the daemon looks by itself as well.
Rule 2: nobody waits for anybody: ringing returns at once whether or not somebody listens, and listening has a time.
Rule 3: it lies in a folder of the daemon's, so that no other account can put something else in its place.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
import time
from collections.abc import Iterator
from pathlib import Path

#: Seconds between two wakings at least: who rings without end is heard twenty times a second.
_BREATH = 0.05


class Bell:
    """For the one who listens."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor, self._heard = descriptor, float("-inf")

    def wait(self, seconds: float) -> bool:
        """Return when somebody rings, or after so many seconds; whether somebody has rung."""
        if self._descriptor is None:  # a file system without such pipes
            time.sleep(seconds)
            return False
        time.sleep(max(0.0, min(_BREATH, self._heard + _BREATH - time.monotonic())))
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return False
        with contextlib.suppress(BlockingIOError):
            os.read(self._descriptor, 1 << 16)
        self._heard = time.monotonic()
        return True


@contextlib.contextmanager
def listening(path: Path, *, shared: bool) -> Iterator[Bell]:
    """Hang up the bell. `shared`: the group of its folder may ring as well."""
    descriptor = None
    try:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)  # one that was killed has left it
            os.mkfifo(path, 0o600)
            # For writing, too: or it would be at its end whenever nobody rings.
            descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            os.fchmod(descriptor, 0o620 if shared else 0o600)
        yield Bell(descriptor)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def ring(path: Path) -> None:
    """Wake whoever listens, if somebody does."""
    with contextlib.suppress(OSError):  # nobody listens, or the pipe is full: then it wakes anyway
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.write(descriptor, b"\n")
        finally:
            os.close(descriptor)
