"""When a waiting thread wakes: on Linux 50 microseconds late, unless it asks; much later where it was stopped."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import time

#: prctl(2) PR_SET_TIMERSLACK: nanoseconds, of the calling thread.
_SET_TIMERSLACK = 29


def wake_me_exactly() -> None:
    """Ask for the calling thread to be woken to the nanosecond. Does nothing except on Linux."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_SET_TIMERSLACK, 1, 0, 0, 0)


class Beat:
    """Tells a loop that turns at least every `EVERY` seconds how long it has stood still.

    What was stopped for a while cannot know it otherwise: to it no packet was late, it only came late.
    """

    EVERY, STANDSTILL = 0.25, 0.5

    def __init__(self) -> None:
        self.longest = 0.0  #: seconds of the longest standstill; 0.0: there was none
        self._last = time.monotonic()

    def turn(self) -> None:
        """Once a turn."""
        now = time.monotonic()
        still = now - self._last - self.EVERY
        if still > max(self.STANDSTILL, self.longest):
            self.longest = still
        self._last = now
