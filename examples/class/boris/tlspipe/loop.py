"""poll(), timers and signals, in one thread."""

import heapq
import itertools
import os
import select
import signal
import time

READ, WRITE, ERROR, HANG_UP = select.POLLIN, select.POLLOUT, select.POLLERR, select.POLLHUP


class Loop:
    def __init__(self):
        self._poll = select.poll()
        self._watched = {}  # descriptor -> (mask, handler)
        self._timers = []
        self._count = itertools.count()
        self.soon = {}  # as an ordered set
        self.running = True

    def watch(self, number, mask, handler):
        """handler(mask) when it is so; with a mask of 0 only when the connection breaks off."""
        self._watched[number] = mask, handler
        self._poll.register(number, mask)

    def forget(self, number):
        if self._watched.pop(number, None):
            self._poll.unregister(number)

    def later(self, seconds, action):
        timer = [time.monotonic() + seconds, next(self._count), action]
        heapq.heappush(self._timers, timer)
        return timer

    @staticmethod
    def cancel(timer):
        timer[2] = None

    def run(self):
        while self.running:
            while self._timers and self._timers[0][2] is None:
                heapq.heappop(self._timers)
            wait = None
            if self.soon:
                wait = 0
            elif self._timers:
                wait = max(0.0, self._timers[0][0] - time.monotonic()) * 1000 + 1
            events = self._poll.poll(wait)
            todo, self.soon = self.soon, {}
            for number, mask in events:
                if number in self._watched:  # else it was closed a moment ago
                    self._watched[number][1](mask)
            for action in todo:
                action()
            while self._timers and self._timers[0][0] <= time.monotonic():
                action = heapq.heappop(self._timers)[2]
                if action:
                    action()

    def on_signals(self, actions):
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in actions:
            signal.signal(number, lambda *_: None)

        def heard(_mask):
            for number in set(os.read(read, 1000)):
                if number in actions:
                    actions[number]()

        self.watch(read, READ, heard)
