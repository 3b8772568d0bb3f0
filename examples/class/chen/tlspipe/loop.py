"""The one place where the program waits: for sockets, for moments, for signals. You have written one like it before.

Law: nothing that the loop calls may wait. While one connection is served, all others are not.
"""

from __future__ import annotations

import heapq
import signal
import socket
import time
from collections.abc import Callable

from poller import READ, Poller

#: The longest wait, in seconds: epoll counts milliseconds in an int.
LONGEST = 3600.0


class Timer:
    """Something that will be done at some moment, unless it is cancelled."""

    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """Forget it, and whatever it held on to."""
        self.action = None


class Loop:
    """Sockets, timers and signals, and the wait for all of them."""

    def __init__(self) -> None:
        raise NotImplementedError("stage 4: a poller, who is watched by descriptor, timers in a heap")

    def watch(self, sock: socket.socket, events: int, call: Callable[[int], None]) -> None:
        """Call `call(events)` whenever `sock` is ready for `events`: READ, WRITE, both; 0: forget it."""
        raise NotImplementedError("stage 4: register, modify or unregister, and nothing if nothing changes")

    def call_later(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Call `action` once, that many seconds from now."""
        raise NotImplementedError("stage 4: push (moment, number, action) on the heap")

    def on_signal(self, number: int, action: Callable[[], None]) -> None:
        """Call `action` from the loop when the signal comes.

        A signal may come between looking and waiting, so a flag is not enough: poll() would sleep on it. The kernel
        writes the signal's number into a socket that the loop watches like any other.
        """
        raise NotImplementedError(
            "stage 6: a non-blocking socketpair, signal.set_wakeup_fd, and a handler that does "
            "nothing"
        )

    # Stage 6: read the numbers, call what belongs to them.
    pass

    def run(self) -> None:
        """Wait and call, until stop()."""
        raise NotImplementedError(
            "stage 4: poll with the time until the next timer, then sockets, then timers"
        )

    # Stage 4: seconds until the next timer.
    pass

    def stop(self) -> None:
        """End run() after this turn."""
        raise NotImplementedError("stage 4: a flag")
