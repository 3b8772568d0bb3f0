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
        ### BEGIN SOLUTION: stage 1: register, modify or unregister, whichever leads from what is watched to `events`
        descriptor = sock.fileno()
        known = descriptor in self._handlers
        if events:
            self._handlers[descriptor] = handler
            (self._poller.modify if known else self._poller.register)(descriptor, events)
        elif known:
            del self._handlers[descriptor]
            self._poller.unregister(descriptor)
        ### END SOLUTION

    # -- timers ----------------------------------------------------------------------------------------------------

    def call_later(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` once, that many seconds from now."""
        ### BEGIN SOLUTION: stage 1: push (moment, number, action) on the heap
        self._numbers += 1
        heapq.heappush(self._timers, (self.now + seconds, self._numbers, action))
        ### END SOLUTION

    def _until_next_timer(self) -> float:
        """Seconds until the next timer is due, at most LONGEST; 0 if it is overdue."""
        ### BEGIN SOLUTION: stage 1: look at the first entry of the heap
        if not self._timers:
            return LONGEST
        return min(LONGEST, max(0.0, self._timers[0][0] - time.monotonic()))
        ### END SOLUTION

    def _call_due_timers(self) -> None:
        """Call every timer that is due. One that is set meanwhile waits for the next turn."""
        ### BEGIN SOLUTION: stage 1: take what is due from the heap first, then call
        due = []
        while self._timers and self._timers[0][0] <= self.now:
            due.append(heapq.heappop(self._timers)[2])
        for action in due:
            action()
        ### END SOLUTION

    # -- the loop --------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Wait and call, until stop()."""
        ### BEGIN SOLUTION: stage 1: select with the time until the next timer, handlers, timers
        self._running = True
        while self._running:
            ready = self._poller.poll(self._until_next_timer())
            self.now = time.monotonic()
            for descriptor, events in ready:
                if descriptor in self._handlers:  # an earlier handler of this turn may have closed it
                    self._handlers[descriptor].ready(events)
            self._call_due_timers()
        ### END SOLUTION

    def stop(self) -> None:
        """End run() after this turn."""
        self._running = False

    def on_sigterm(self, action: Callable[[], None]) -> None:
        """Call `action` from the loop when SIGTERM comes.

        A signal may come between looking and waiting, so a flag is not enough: select() would sleep on it. The kernel
        writes a byte into a socket that the loop watches like any other.
        """
        ### BEGIN SOLUTION: stage 2: a non-blocking socketpair, signal.set_wakeup_fd, and a handler that does nothing
        self._wake = socket.socketpair()
        for end in self._wake:
            end.setblocking(False)
        self._on_sigterm = action
        signal.set_wakeup_fd(self._wake[1].fileno())
        signal.signal(signal.SIGTERM, lambda _signum, _frame: None)
        self.watch(self._wake[0], READ, self)
        ### END SOLUTION

    def ready(self, _events: int) -> None:
        """The socket that signals write to is readable."""
        ### BEGIN SOLUTION: stage 2: read what is there, and call what on_sigterm was given
        assert self._wake is not None
        self._wake[0].recv(4096)
        self._on_sigterm()
        ### END SOLUTION
