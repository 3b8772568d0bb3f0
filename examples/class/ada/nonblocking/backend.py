"""Readiness by epoll, edge-triggered: registered once for all, told once."""

import select

SHARP = True


class Backend:
    def __init__(self):
        self._epoll = select.epoll()

    def add(self, descriptor):
        self._epoll.register(descriptor, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET)

    def need(self, descriptor, read, write):
        pass

    def remove(self, descriptor):
        self._epoll.unregister(descriptor)

    def wait(self, seconds):
        for descriptor, mask in self._epoll.poll(seconds):
            yield descriptor, bool(mask & ~select.EPOLLOUT), bool(mask & ~(select.EPOLLIN | select.EPOLLRDHUP))
