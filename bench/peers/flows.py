"""A flow of the transport reference for a simulation: a connection, and the application that keeps it fed or empty."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent.parent / "reference" / "transport"))

from connection import Connection
from segment import HEADER, MOST_PAYLOAD

__all__ = ["HEADER", "MOST_PAYLOAD", "Connection", "Sending", "Taking", "pair"]

#: Bytes of the receiver's buffer: more than any link here can hold.
ROOM = 1 << 20
_CHUNK = bytes(65_536)


class Sending:
    """The client: it sends `size` bytes, and ends."""

    def __init__(self, connection: Connection, size: int) -> None:
        self.connection = connection
        self._left = size

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        """As `harness.link.simulator.Endpoint`."""
        self.connection.receive_datagram(data, now=now)

    def datagrams_to_send(self, *, now: float) -> list[bytes]:
        """As `harness.link.simulator.Endpoint`, with the buffer filled first."""
        while self._left:
            accepted = self.connection.send(_CHUNK[: min(self._left, len(_CHUNK))])
            self._left -= accepted
            if not self._left:
                self.connection.end()
            if accepted < len(_CHUNK):
                break
        return self.connection.datagrams_to_send(now=now)

    def next_timer(self) -> float | None:
        """As `harness.link.simulator.Endpoint`."""
        return self.connection.next_timer()

    def handle_timer(self, *, now: float) -> None:
        """As `harness.link.simulator.Endpoint`."""
        self.connection.handle_timer(now=now)


class Taking:
    """The server: it reads at once, and ends when it has all."""

    def __init__(self, connection: Connection, size: int) -> None:
        self.connection = connection
        self.received = 0  #: bytes
        self._size = size

    @property
    def ended(self) -> bool:
        """Whether all has come."""
        return self.received >= self._size

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        """As `harness.link.simulator.Endpoint`."""
        self.connection.receive_datagram(data, now=now)
        if piece := self.connection.read(ROOM):
            self.received += len(piece)
            if self.ended:
                self.connection.end()

    def datagrams_to_send(self, *, now: float) -> list[bytes]:
        """As `harness.link.simulator.Endpoint`."""
        return self.connection.datagrams_to_send(now=now)

    def next_timer(self) -> float | None:
        """As `harness.link.simulator.Endpoint`."""
        return self.connection.next_timer()

    def handle_timer(self, *, now: float) -> None:
        """As `harness.link.simulator.Endpoint`."""
        self.connection.handle_timer(now=now)


def pair(controller: str | None, size: int) -> tuple[Sending, Taking]:
    """(client, server) that carry `size` bytes up. `controller`: as `Connection` has it."""
    client = Connection("client", isn=1_000_000, receive_buffer=ROOM, controller=controller)
    server = Connection("server", isn=2_000_000, receive_buffer=ROOM, controller=controller)
    return Sending(client, size), Taking(server, size)
