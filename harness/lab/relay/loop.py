"""The link on loopback, in real time, without privilege: sockets in the middle that apply a `Link` to what passes.

It works where Python does, on Linux, macOS and Windows. One background thread drives all relays of a lab.
What a relay cannot do: it sees datagrams and pieces of TCP streams, never packets, so a TCP handshake is accepted
before the link has carried it, and an ICMP error does not come back.
"""

from __future__ import annotations

import ipaddress
import os
import queue
import socket
from typing import Literal

from harness.course.address import Address
from harness.errors import cause_of
from harness.lab.interface import LabError, LinkCounters, Mangle
from harness.lab.own_address import bind
from harness.lab.relay.core import Core
from harness.lab.relay.stream import small_buffers
from harness.lab.relay.tcp import Place, TcpRelay
from harness.lab.relay.udp import UdpRelay
from harness.link.profile import Profile
from harness.link.trace import Direction, Event, Packet
from harness.pictures.ladder import event_ladder

#: Most connections that wait to be accepted.
_BACKLOG = 1024
#: Seconds that `seen_by_target` waits for a connection.
_CONNECTED_WITHIN = 5.0


class RelayLoop:
    """All relays of one lab, the link they share, and their thread. `close` ends them."""

    def __init__(self) -> None:
        self._core = Core()
        self._relays: dict[tuple[str, int], UdpRelay | TcpRelay] = {}  # by protocol and port

    def add_udp(
        self, *, to: Address, towards: Literal["student", "tester"], listen: str | None = None, port: int = 0
    ) -> Address:
        """A new address whose datagrams go to `to`; `towards` says whose side that is. Raises LabError."""
        forward, back = _directions(towards)
        sock = self._bound(socket.SOCK_DGRAM, to, listen, port)
        address = _address("udp", sock)
        relay = self._core.call(lambda: UdpRelay(self._core, sock, _target(to), forward, back))
        self._relays["udp", address.port] = relay
        return address

    def add_tcp(
        self,
        *,
        to: Address,
        towards: Literal["student", "tester"],
        listen: str | None = None,
        port: int = 0,
        mangle: Mangle | None = None,
        mangle_up: Mangle | None = None,
    ) -> Address:
        """A new address whose connections go to `to`; `towards` says whose side that is. Raises LabError.

        `mangle` is done to the bytes that the student's program reads, `mangle_up` to those it writes.
        """
        forward, back = _directions(towards)
        sock = self._bound(socket.SOCK_STREAM, to, listen, port)
        small_buffers(sock)
        sock.listen(_BACKLOG)
        address = _address("tcp", sock)
        mangles: dict[Direction, Mangle] = {}
        if mangle is not None:
            mangles["down"] = mangle
        if mangle_up is not None:
            mangles["up"] = mangle_up
        relay = self._core.call(lambda: TcpRelay(self._core, sock, _target(to), forward, back, mangles))
        self._relays["tcp", address.port] = relay
        return address

    def seen_by_target(self, client: Address, via: Address) -> Address:
        """The source address the target sees for a client's socket that uses the relay at `via`.

        For TCP the client has to be connected; this waits until the connection has come through. Raises LabError.
        """
        relay = self._relays.get((via.kind, via.port))
        if relay is None:
            raise LabError(f"{via} is not an address of this relay: ask with what add_udp or add_tcp returned")
        place = _target(client)
        if isinstance(relay, UdpRelay):
            mapper = relay
            try:
                host, port = self._core.call(lambda: mapper.source_for(place))
            except OSError as error:
                raise LabError(f"the relay has no address for {client}: {error}") from None
            return Address("udp", host=host, port=port)
        told: queue.SimpleQueue[Place] = queue.SimpleQueue()
        connections = relay
        self._core.call(lambda: connections.tell_source(place, told.put))
        try:
            host, port = told.get(timeout=_CONNECTED_WITHIN)
        except queue.Empty:
            raise LabError(
                f"no connection of {client} came through the relay at {via} within {_CONNECTED_WITHIN:g} s: "
                "is it connected, and does the link let anything pass?"
            ) from None
        return Address("tcp", host=host, port=port)

    def shape(self, *, up: Profile, down: Profile, seed: int) -> None:
        """What the link does from now on: up is from the student to the tester. The counters start again."""
        self._core.call(lambda: self._core.set_links(up, down, seed))

    def counters(self) -> LinkCounters:
        """What the link did since it was last set."""
        return self._core.call(self._core.counters)

    def each_way(self) -> dict[Direction, LinkCounters]:
        """The same by direction; lateness and engine drops are of both together."""
        ways: tuple[Direction, ...] = ("up", "down")
        return self._core.call(lambda: {way: self._core.counters(way) for way in ways})

    def packets(self) -> list[Packet]:
        """The datagrams since the last `clear`, with their bytes; times from the first one on."""
        return self._core.call(lambda: self._core.recording.packets())

    def began(self) -> float | None:
        """time.perf_counter() when the first of those datagrams entered the link."""
        first = self._core.call(lambda: self._core.recording.began)
        return None if first is None else first / 1e9

    def events(self) -> list[Event]:
        """The last packets and pieces, oldest first."""
        return self._core.call(lambda: list(self._core.events))

    def ladder(self) -> str:
        """The last packets and pieces as a drawing."""
        return event_ladder(self.events())

    def clear(self) -> None:
        """Close every relay and forget what is under way. The link stays as it is set."""

        def clear() -> None:
            for relay in self._relays.values():
                relay.close()
            self._core.forget_due()
            self._core.recording.clear()

        self._core.call(clear)
        self._relays.clear()

    def close(self) -> None:
        """End the thread and close everything."""
        try:
            self.clear()
        except LabError:
            pass  # the thread is gone already
        self._core.close()

    @staticmethod
    def _bound(kind: socket.SocketKind, to: Address, listen: str | None, port: int) -> socket.socket:
        host = listen or ("::1" if to.family == 6 else "127.0.0.1")
        try:
            sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
            if port and kind == socket.SOCK_STREAM and os.name == "posix":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # old connections may linger
            bind(sock, host, port, whose="the relay")
        except OSError as error:
            raise LabError(f"the relay cannot listen at {host}: {cause_of(error)}") from None
        except LabError:
            sock.close()
            raise
        return sock


def _directions(towards: Literal["student", "tester"]) -> tuple[Direction, Direction]:
    return ("down", "up") if towards == "student" else ("up", "down")


def _target(address: Address) -> Place:
    """Host and port as the kernel writes them, so that they can be compared."""
    return (str(ipaddress.ip_address(address.host)), address.port)


def _address(kind: Literal["udp", "tcp"], sock: socket.socket) -> Address:
    host, port = sock.getsockname()[:2]
    return Address(kind, host=host, port=port)
