"""Readiness by poll(), level-triggered: asks only for what is not known to be ready already."""

import select

SHARP = False


class Backend:
    def __init__(self):
        self._poll = select.poll()

    def add(self, descriptor):
        self._poll.register(descriptor, select.POLLIN)

    def need(self, descriptor, read, write):
        self._poll.modify(descriptor, (select.POLLIN if read else 0) | (select.POLLOUT if write else 0))

    def remove(self, descriptor):
        self._poll.unregister(descriptor)

    def wait(self, seconds):
        for descriptor, mask in self._poll.poll(None if seconds is None else seconds * 1000):
            yield descriptor, bool(mask & ~select.POLLOUT), bool(mask & ~select.POLLIN)
