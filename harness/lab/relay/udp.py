"""UDP through the relay, as a full-cone NAT would do it.

Each client C of the listening socket gets a socket of its own towards the target, U_C. What the target sends to U_C
goes to C from the listening socket; what a stranger S sends to U_C goes to C from another socket of the relay, one
per stranger, so that a client that checks who answers can tell. What C sends to that other socket goes to S.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
from functools import partial

from harness.lab.relay.core import Core
from harness.link.trace import Direction

#: Datagrams taken from a socket before the others get their turn.
_TURN = 64
#: Clients (and strangers) a relay keeps a socket for.
_MOST_PEERS = 1024
#: Bytes of kernel buffer to ask for until one is granted, so that a burst is not lost outside the link. Linux grants
#: what it can of the first, macOS refuses too much and by default sends at most 9,216 bytes.
_BUFFERS = (4 * 1024 * 1024, 1024 * 1024, 256 * 1024)

Place = tuple[str, int]


class UdpRelay:
    """One listening socket and its target."""

    def __init__(
        self, core: Core, listening: socket.socket, target: Place, forward: Direction, back: Direction
    ) -> None:
        self._core = core
        self._listening = listening
        self._host = listening.getsockname()[0]
        self._target = target
        self._forward: Direction = forward
        self._back: Direction = back
        self._towards: dict[Place, socket.socket] = {}  # client -> U_C
        self._faces: dict[Place, socket.socket] = {}  # stranger -> the socket that stands for it
        self._adopt(listening)
        core.watch(listening, selectors.EVENT_READ, lambda _mask: self._from_client(listening, target))

    def source_for(self, client: Place) -> Place:
        """The address that the target sees for a client."""
        upstream = self._upstream(client)
        if upstream is None:
            raise OSError(f"no socket left for the client {client}")
        host, port = upstream.getsockname()[:2]
        return host, port

    def close(self) -> None:
        """Close every socket."""
        for sock in [self._listening, *self._towards.values(), *self._faces.values()]:
            self._core.forget(sock)
        self._towards.clear()
        self._faces.clear()

    # -- sockets -------------------------------------------------------------------------------------------------

    @staticmethod
    def _adopt(sock: socket.socket) -> None:
        sock.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            for size in _BUFFERS:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, option, size)
                    break

    def _new(self) -> socket.socket | None:
        if len(self._towards) + len(self._faces) >= _MOST_PEERS:
            return None
        try:
            sock = socket.socket(self._listening.family, socket.SOCK_DGRAM)
        except OSError:
            return None
        try:
            sock.bind((self._host, 0))
        except OSError:
            sock.close()
            return None
        self._adopt(sock)
        return sock

    def _upstream(self, client: Place) -> socket.socket | None:
        if client not in self._towards:
            sock = self._new()
            if sock is None:
                return None
            self._towards[client] = sock
            self._core.watch(sock, selectors.EVENT_READ, lambda _mask: self._from_target(sock, client))
        return self._towards[client]

    def _face(self, stranger: Place) -> socket.socket | None:
        if stranger not in self._faces:
            sock = self._new()
            if sock is None:
                return None
            self._faces[stranger] = sock
            self._core.watch(sock, selectors.EVENT_READ, lambda _mask: self._from_client(sock, stranger))
        return self._faces[stranger]

    # -- datagrams -----------------------------------------------------------------------------------------------

    def _from_client(self, sock: socket.socket, to: Place) -> None:
        for data, client in self._waiting(sock):
            self._pass_on(self._forward, data, self._upstream(client), to)

    def _from_target(self, sock: socket.socket, client: Place) -> None:
        for data, source in self._waiting(sock):
            face = self._listening if self._is_target(source) else self._face(source)
            self._pass_on(self._back, data, face, client)

    def _is_target(self, source: Place) -> bool:
        """A server bound to the any-address answers from an address that the kernel chooses, but from its own port."""
        same_machine = source[0].startswith("127.") and self._target[0].startswith("127.")
        return source == self._target or (same_machine and source[1] == self._target[1])

    @staticmethod
    def _waiting(sock: socket.socket) -> list[tuple[bytes, Place]]:
        found: list[tuple[bytes, Place]] = []
        for _ in range(_TURN):
            try:
                data, source = sock.recvfrom(65_536)
            except ConnectionResetError:  # Windows: an earlier datagram was refused
                continue
            except OSError:
                break
            found.append((data, (source[0], source[1])))
        return found

    def _pass_on(self, direction: Direction, data: bytes, sock: socket.socket | None, to: Place) -> None:
        if sock is None:
            self._core.drops += 1
            return
        for delivery in self._core.transmit(direction, data, "udp", len(data)):
            self._core.at(delivery.due, partial(self._send, sock, delivery.packet, to))

    def _send(self, sock: socket.socket, data: bytes, to: Place) -> None:
        try:
            sock.sendto(data, to)
        except ConnectionError:
            pass  # nobody there: a network drops it, too
        except OSError:
            self._core.drops += 1
