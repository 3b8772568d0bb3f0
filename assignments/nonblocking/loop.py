"""The one place where the program waits: for sockets, for moments, for SIGTERM. Everything else is called from here.

Law: nothing that the loop calls may wait. While one handler runs, everybody else does not.

    forever:  wait until a socket is ready or the next timer is due   (select)
              call the handlers of the sockets that are ready
              call the timers that are due
"""

from __future__ import annotations

import heapq
import signal
import socket
import time
from collections.abc import Callable
from typing import Protocol

from poller import READ, Poller

#: The longest wait, in seconds: epoll counts milliseconds in an int.
LONGEST = 3600.0


class Handler(Protocol):
    """Who wants to know that a socket is ready."""

    def ready(self, events: int) -> None:
        """The socket is readable (READ), writable (WRITE) or both; a hang-up shows as all that was asked for."""


class Loop:
    """Sockets and timers, and the wait for both."""

    def __init__(self) -> None:
        self.now = time.monotonic()  #: seconds; read once in each turn. The wall clock may jump, this one cannot
        self._poller = Poller()  # epoll on Linux, kqueue on macOS
        self._handlers: dict[int, Handler] = {}  # by descriptor: who is watched
        self._timers: list[tuple[float, int, Callable[[], None]]] = []  # a heap: the next one is first
        self._numbers = 0  # of timers so far: two of one moment are called in the order of their making
        self._running = False
        self._wake: tuple[socket.socket, socket.socket] | None = None  # written to by signals, read by the loop
        self._on_sigterm: Callable[[], None] = self.stop

    # -- sockets ---------------------------------------------------------------------------------------------------

    def watch(self, sock: socket.socket, events: int, handler: Handler) -> None:
        """Call `handler.ready` whenever `sock` is ready for `events`: READ, WRITE, both, or 0 for nothing.

        Level-triggered: as long as there is something to read, every turn says so again.
        """
        raise NotImplementedError(
            "stage 1: register, modify or unregister, whichever leads from what is watched to "
            "`events`"
        )

    # -- timers ----------------------------------------------------------------------------------------------------

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` once, that many seconds from now."""
        raise NotImplementedError("stage 1: push (moment, number, action) on the heap")

    def _until_next_timer(self) -> float:
        """Seconds until the next timer is due, at most LONGEST; 0 if it is overdue."""
        raise NotImplementedError("stage 1: look at the first entry of the heap")

    def _call_due_timers(self) -> None:
        """Call every timer that is due. One that is set meanwhile waits for the next turn."""
        raise NotImplementedError("stage 1: take what is due from the heap first, then call")

    # -- the loop --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Wait and call, until stop()."""
        raise NotImplementedError("stage 1: select with the time until the next timer, handlers, timers")

    def stop(self) -> None:
        """End run() after this turn."""
        self._running = False

    def on_sigterm(self, action: Callable[[], None]) -> None:
        """Call `action` from the loop when SIGTERM comes.

        A signal may come between looking and waiting, so a flag is not enough: select() would sleep on it. The kernel
        writes a byte into a socket that the loop watches like any other.
        """
        raise NotImplementedError(
            "stage 2: a non-blocking socketpair, signal.set_wakeup_fd, and a handler that does "
            "nothing"
        )

    def ready(self, _events: int) -> None:
        """The socket that signals write to is readable."""
        raise NotImplementedError("stage 2: read what is there, and call what on_sigterm was given")
