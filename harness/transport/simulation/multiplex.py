"""Several connections behind one endpoint, so that flows share a link in a simulation. Pure.

The first byte of every datagram says whose it is. Both sides take their connections in the same order:

    Simulation({"senders": Shared([a, b]), "receivers": Shared([c, d])}, up=...)     # a talks to c, b to d
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.link.simulator import Endpoint


class SharedEndpoint:
    """Itself an `harness.link.simulator.Endpoint`. Datagrams are one byte longer on the link."""

    def __init__(self, flows: Sequence[Endpoint]) -> None:
        """Raises ValueError for more flows than one byte can number."""
        if not 1 <= len(flows) <= 256:
            raise ValueError(f"1 to 256 flows can share an endpoint, not {len(flows)}")
        self._flows = list(flows)
        self._numbers = [bytes([number]) for number in range(len(flows))]
        self._first = 0  # who is asked first: it rotates, so that no flow is always ahead in the queue

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        """Give it to its flow; dropped if there is no such flow (a damaged byte)."""
        if data and data[0] < len(self._flows):
            self._flows[data[0]].receive_datagram(data[1:], now=now)

    def datagrams_to_send(self, *, now: float) -> Iterator[bytes]:
        """The datagrams of every flow; the flows take turns in going first."""
        count = len(self._flows)
        self._first = (self._first + 1) % count
        for index in range(self._first, self._first + count):
            number = self._numbers[index % count]
            for data in self._flows[index % count].datagrams_to_send(now=now):
                yield number + data

    def next_timer(self) -> float | None:
        """The earliest of all flows."""
        return min((due for flow in self._flows if (due := flow.next_timer()) is not None), default=None)

    def handle_timer(self, *, now: float) -> None:
        """Call the flows whose time has come."""
        for flow in self._flows:
            due = flow.next_timer()
            if due is not None and due <= now:
                flow.handle_timer(now=now)
