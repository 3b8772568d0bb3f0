"""One of the three answers to reordering: it waits, and keeps nothing that came too early."""

from __future__ import annotations


class InOrder:
    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.next = 0
        self.ready = bytearray()

    def receive(self, position: int, data: bytes) -> None:
        room = self.capacity - len(self.ready)
        if position <= self.next < position + len(data):
            fresh = data[self.next - position :][:room]
            self.ready += fresh
            self.next += len(fresh)

    def read(self) -> list[tuple[int, bytes]]:
        data, self.ready = bytes(self.ready), bytearray()
        return [(self.next - len(data), data)] if data else []

    def missing(self) -> list[tuple[int, int]]:
        return []
