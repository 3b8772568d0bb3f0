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
        ### BEGIN SOLUTION: stage 4: a poller, who is watched by descriptor, timers in a heap
        self._poller = Poller()
        self._new: set[int] = set()  # descriptors that were not watched yet when this turn began
        self._watched: dict[int, tuple[int, Callable[[int], None]]] = {}  # descriptor -> events, what to call
        self._timers: list[tuple[float, int, Timer]] = []  # a heap: the next one is first
        self._numbers = 0  # two timers of one moment are called in the order of their making
        self._running = True
        self._signals: dict[int, Callable[[], None]] = {}
        self._wake: tuple[socket.socket, socket.socket] | None = None
        ### END SOLUTION

    def watch(self, sock: socket.socket, events: int, call: Callable[[int], None]) -> None:
        """Call `call(events)` whenever `sock` is ready for `events`: READ, WRITE, both; 0: forget it."""
        ### BEGIN SOLUTION: stage 4: register, modify or unregister, and nothing if nothing changes
        descriptor = sock.fileno()
        known = self._watched.get(descriptor)
        if not events:
            if known:
                del self._watched[descriptor]
                self._poller.unregister(descriptor)
        elif not known:
            self._poller.register(descriptor, events)
            self._new.add(descriptor)
            self._watched[descriptor] = events, call
        elif known != (events, call):
            if known[0] != events:
                self._poller.modify(descriptor, events)
            self._watched[descriptor] = events, call
        ### END SOLUTION

    def call_later(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Call `action` once, that many seconds from now."""
        ### BEGIN SOLUTION: stage 4: push (moment, number, action) on the heap
        self._numbers += 1
        timer = Timer(action)
        heapq.heappush(self._timers, (time.monotonic() + seconds, self._numbers, timer))
        return timer
        ### END SOLUTION

    def on_signal(self, number: int, action: Callable[[], None]) -> None:
        """Call `action` from the loop when the signal comes.

        A signal may come between looking and waiting, so a flag is not enough: poll() would sleep on it. The kernel
        writes the signal's number into a socket that the loop watches like any other.
        """
        ### BEGIN SOLUTION: stage 6: a non-blocking socketpair, signal.set_wakeup_fd, and a handler that does nothing
        if self._wake is None:
            self._wake = socket.socketpair()
            for end in self._wake:
                end.setblocking(False)
            signal.set_wakeup_fd(self._wake[1].fileno())
            self.watch(self._wake[0], READ, self._signalled)
        self._signals[number] = action
        signal.signal(number, lambda _number, _frame: None)
        ### END SOLUTION

    ### BEGIN SOLUTION: stage 6: read the numbers, call what belongs to them
    def _signalled(self, _events: int) -> None:
        assert self._wake is not None
        for number in set(self._wake[0].recv(4096)):
            self._signals[number]()

    ### END SOLUTION

    def run(self) -> None:
        """Wait and call, until stop()."""
        ### BEGIN SOLUTION: stage 4: poll with the time until the next timer, then sockets, then timers
        while self._running:
            self._new.clear()
            for descriptor, events in self._poller.poll(self._until_next_timer()):
                watched = self._watched.get(descriptor)
                # An earlier one of this turn may have closed it, and its number may be somebody else's already.
                if watched and descriptor not in self._new:
                    watched[1](events)
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now:
                action = heapq.heappop(self._timers)[2].action
                if action:
                    action()
        ### END SOLUTION

    ### BEGIN SOLUTION: stage 4: seconds until the next timer
    def _until_next_timer(self) -> float:
        if not self._timers:
            return LONGEST
        return min(LONGEST, max(0.0, self._timers[0][0] - time.monotonic()))

    ### END SOLUTION

    def stop(self) -> None:
        """End run() after this turn."""
        ### BEGIN SOLUTION: stage 4: a flag
        self._running = False
        ### END SOLUTION
