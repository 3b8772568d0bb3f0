"""The sockets of a demonstration: on loopback, made with the eight primitives, closed when it is over."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import NamedTuple

from harness.link.trace import Direction
from harness.pictures.ladder import Rung
from harness.show.kernel import Place, Row, Untold, tcp_table, wait_until
from harness.show.telling import Telling

HOST = "127.0.0.1"
#: Seconds after which a demonstration gives up instead of waiting for ever.
PATIENCE = 3.0


class Connected(NamedTuple):
    """The three sockets that one TCP connection between two programs needs."""

    listening: socket.socket
    client: socket.socket
    server: socket.socket  #: what accept() returned


class Sockets(ExitStack):
    """Makes sockets, and closes those that are still open at its end."""

    def tcp(self) -> socket.socket:
        """A TCP socket that is neither bound nor connected."""
        return self._kept(socket.socket(socket.AF_INET, socket.SOCK_STREAM))

    def udp(self) -> socket.socket:
        """A UDP socket on a port that the system chose."""
        made = self._kept(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        made.bind((HOST, 0))
        return made

    def listening(self, backlog: int = 16) -> socket.socket:
        """A listening TCP socket on a port that the system chose."""
        made = self.tcp()
        made.bind((HOST, 0))
        made.listen(backlog)
        return made

    def connected(self, *, buffers: int | None = None, reuse: bool = False) -> Connected:
        """A connection; `buffers`: bytes asked for each of the kernel's buffers of it, before it is made."""
        listening = self.tcp()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(reuse))
        if buffers:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffers)
        listening.bind((HOST, 0))
        listening.listen()
        client = self.tcp()
        if buffers:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffers)
        client.connect(listening.getsockname())
        return Connected(listening, client, self.accept(listening))

    def accept(self, listening: socket.socket) -> socket.socket:
        """The next connection of a listening socket."""
        return self._kept(listening.accept()[0])

    def both(self, pair: tuple[socket.socket, socket.socket]) -> tuple[socket.socket, socket.socket]:
        """Two sockets that somebody else made."""
        return self._kept(pair[0]), self._kept(pair[1])

    def _kept(self, made: socket.socket) -> socket.socket:
        made.settimeout(PATIENCE)
        return self.enter_context(made)


def port(sock: socket.socket) -> int:
    """The port of a socket's own end."""
    return int(sock.getsockname()[1])


def shown(place: Place) -> str:
    """An address as people write it."""
    return "*" if place == ("*", 0) else f"{place[0]}:{place[1]}"


def shows_table(tell: Telling, ports: Iterable[int], names: dict[int, str] | None = None) -> list[Row]:
    """The kernel's table of these ports, as part of the page; `names`: whose socket has that local port.

    Name the server's port: it is bound, and nobody else has it. A client's may be somebody else's as well, towards
    another server.
    """
    try:
        rows = tcp_table(ports)
    except Untold as error:
        tell.note(f"(The kernel's table: {error}.)")
        return []
    named = names or {}
    if named:  # somebody may have had this port a minute ago: what is left of that is none of ours
        rows = [row for row in rows if row.local[1] in named or row.state != "TIME-WAIT"]
    tell.table(
        ["whose", "local address", "remote address", "state", "unread", "unsent"],
        [[named.get(row.local[1], ""), shown(row.local), shown(row.remote), row.state, *_waiting(row)] for row in rows],
    )
    for row in rows:
        if row.state == "LISTEN" and row.unread:
            tell.note(f"Connections that wait for accept() there: {row.unread}.")
    return rows


def _waiting(row: Row) -> tuple[object, object]:
    """What waits in a socket's two buffers. A listening socket has none: the kernel counts connections there."""
    if row.state == "LISTEN":
        return "", ""
    return ("?" if row.unread is None else row.unread), ("?" if row.unsent is None else row.unsent)


def state_of(local: Place, remote: Place | None = None) -> str:
    """The state of the socket with this local address (and remote one): "gone" without one, "untold" if nobody says."""
    try:
        rows = tcp_table([local[1]])
    except Untold:
        return "untold"
    for row in rows:
        if row.local == local and (row.remote == remote if remote else row.state == "LISTEN"):
            return row.state
    return "gone"


def reaches(local: Place, remote: Place | None, *states: str) -> str:
    """Wait until that socket has one of the states, and say which it has then."""
    wait_until(lambda: state_of(local, remote) in (*states, "untold"))
    return state_of(local, remote)


def fill(sender: socket.socket) -> int:
    """Send on a connection until both kernels are full and stay so; how many bytes were taken."""
    sender.setblocking(False)
    taken, quiet = 0, 0
    while quiet < 3:  # what the peer has is acknowledged up to 40 ms later, and then there may be room
        try:
            while True:
                taken += sender.send(bytes(1024))
                quiet = 0
        except BlockingIOError:
            quiet += 1
            time.sleep(0.03)
    return taken


class Exchange:
    """Pieces that went from one end to the other, as rungs: when they were sent, and when they were read."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._rungs: list[Rung] = []

    def carries(
        self, way: Direction, sender: socket.socket, reader: socket.socket, data: bytes, label: str = ""
    ) -> bytes:
        """Send, and read it at the other end; empty data is the end of the sending side. Returns what was read."""
        sent = time.monotonic() - self._began
        if data:
            sender.sendall(data)
        else:
            sender.shutdown(socket.SHUT_WR)
        got = reader.recv(65_536)
        self.notes(way, sent, label or (repr(data) if data else "FIN"))
        return got

    def notes(self, way: Direction, sent: float, label: str, *, arrived: bool = True) -> None:
        """Add a rung for something that was sent at that time and has just arrived, or never will."""
        now = time.monotonic() - self._began if arrived else None
        self._rungs.append(Rung(len(self._rungs) + 1, sent, now, way, label, "" if arrived else "lost"))

    @property
    def rungs(self) -> list[Rung]:
        """The ladder so far."""
        return list(self._rungs)
