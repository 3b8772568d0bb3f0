"""How late the kernel may wake a waiting thread: 50 microseconds on Linux, unless it is asked to be exact."""

from __future__ import annotations

import contextlib
import ctypes
import sys

#: prctl(2) PR_SET_TIMERSLACK: nanoseconds, of the calling thread.
_SET_TIMERSLACK = 29


def wake_me_exactly() -> None:
    """Ask for the calling thread to be woken to the nanosecond. Does nothing except on Linux."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_SET_TIMERSLACK, 1, 0, 0, 0)
