"""TCP through the relay: the bytes of each connection, late, slow, in different pieces, but complete and in order.

A TCP program never sees a lost packet, only the pause until it is sent again, so here a loss becomes a pause.
The end of a stream (FIN) and its reset (RST) travel the same way as the bytes and arrive as what they were. A reader
that does not read slows the sender down: what is under way is bounded, and the kernel's buffers are small.
"""

from __future__ import annotations

import errno
import selectors
import socket
from collections.abc import Callable
from functools import partial

from harness.lab.interface import OURS, Mangle
from harness.lab.linger import reset_on_close
from harness.lab.relay.core import Core
from harness.lab.relay.mangle import BEFORE_RESET
from harness.lab.relay.stream import Stream, prepare, travel
from harness.link.trace import Direction

Place = tuple[str, int]

#: Seconds between two looks at connections that were half-closed and may have been reset since.
_SCAN = 0.02
#: Connections that the student's side may have open through one relay: none of its programs needs so many, and each
#: costs the tester two descriptors. Further ones are reset, and a late link is then the program's own doing.
MOST_OF_STUDENT = 300

_IN_PROGRESS = (0, errno.EINPROGRESS, errno.EWOULDBLOCK, 10035)  # 10035: Windows' WSAEWOULDBLOCK


class TcpRelay:
    """One listening socket and its target."""

    def __init__(
        self,
        core: Core,
        listening: socket.socket,
        target: Place,
        forward: Direction,
        back: Direction,
        mangles: dict[Direction, Mangle],
    ) -> None:
        self.core = core
        self.target = target
        self.forward: Direction = forward
        self.back: Direction = back
        self.mangles = mangles
        self.connections: set[Connection] = set()
        self._listening = listening
        self._sources: dict[Place, Place] = {}  # client -> what the target sees
        self._asked: dict[Place, list[Callable[[Place], None]]] = {}
        self._scanning = False
        listening.setblocking(False)
        core.watch(listening, selectors.EVENT_READ, lambda _mask: self._accept())

    def tell_source(self, client: Place, tell: Callable[[Place], None]) -> None:
        """Call `tell` with the address the target sees for a client, as soon as there is one."""
        if client in self._sources:
            tell(self._sources[client])
        else:
            self._asked.setdefault(client, []).append(tell)

    def connected_from(self, client: Place, source: Place) -> None:
        """A connection towards the target now has an address."""
        self._sources[client] = source
        for tell in self._asked.pop(client, ()):
            tell(source)

    def close(self) -> None:
        """Reset what is open, close the rest."""
        self.core.forget(self._listening)
        for connection in list(self.connections):
            connection.abort()

    def scan(self) -> None:
        """Look at half-closed connections from time to time: selectors do not report a reset after the FIN."""
        if not self._scanning:
            self._scanning = True
            self.core.after(_SCAN, self._scan)

    def _scan(self) -> None:
        self._scanning = False
        half_closed = [connection for connection in self.connections if connection.half_closed]
        for connection in half_closed:
            connection.look_for_reset()
        if half_closed:
            self.scan()

    def _accept(self) -> None:
        for _ in range(64):
            try:
                sock, place = self._listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    # Full: without a pause the waiting connection would be reported again at once.
                    self.core.drops += 1
                    self.core.watch(self._listening, 0, lambda _mask: None)
                    self.core.after(0.1, self._listen_again)
                return
            if self.forward == "up" and len(self.connections) >= MOST_OF_STUDENT:
                self.core.crowded = True
                reset_on_close(sock)
                sock.close()
                continue
            self._sources.pop((place[0], place[1]), None)
            self.connections.add(Connection(self, sock, (place[0], place[1])))

    def _listen_again(self) -> None:
        if self._listening.fileno() >= 0:
            self.core.watch(self._listening, selectors.EVENT_READ, lambda _mask: self._accept())


class Connection:
    """A client's connection, the one made for it to the target, and the two streams between them."""

    def __init__(self, relay: TcpRelay, client: socket.socket, place: Place) -> None:
        self.relay = relay
        self.core = relay.core
        self._client = client
        self._place = place
        self._server: socket.socket | None = None
        self._open = True
        self._streams: dict[socket.socket, Stream] = {}  # by the socket they read from
        prepare(client)
        travel(self.core, relay.forward, 0, "syn", self._connect, self._alive)

    def _alive(self) -> bool:
        return self._open

    # -- the handshake -------------------------------------------------------------------------------------------

    def _connect(self, due: int) -> None:
        self.core.at(due, self._connect_now)

    def _connect_now(self) -> None:
        if not self._open:
            return
        try:
            self._server = socket.socket(self._client.family, socket.SOCK_STREAM)
        except OSError:
            self.core.drops += 1
            self.abort()
            return
        prepare(self._server)
        result = self._server.connect_ex(self.relay.target)
        if result in OURS:
            self.core.drops += 1
            self.abort()
            return
        if result not in _IN_PROGRESS:
            self._refused()
            return
        host, port = self._server.getsockname()[:2]
        self.relay.connected_from(self._place, (host, port))
        self.core.watch(self._server, selectors.EVENT_WRITE, lambda _mask: self._connected())

    def _connected(self) -> None:
        assert self._server is not None
        self.core.watch(self._server, 0, lambda _mask: None)
        if not self._is_connected(self._server):
            self._refused()
            return
        relay = self.relay
        there = Stream(self, self._client, self._server, relay.forward, relay.mangles.get(relay.forward))
        back = Stream(self, self._server, self._client, relay.back, relay.mangles.get(relay.back))
        self._streams = {self._client: there, self._server: back}
        back.start()
        # The client may send once the SYN-ACK has come back.
        travel(self.core, relay.back, 0, "syn", lambda due: self.core.at(due, there.start), self._alive)

    @staticmethod
    def _is_connected(sock: socket.socket) -> bool:
        try:
            # A connection to an unused port of one's own machine can connect to itself (simultaneous open).
            itself = sock.getsockname() == sock.getpeername()
        except OSError:  # refused, or reset at once
            return False
        return not itself and not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def _refused(self) -> None:
        def arrived(due: int) -> None:
            self.core.at(due + BEFORE_RESET, self.abort)

        travel(self.core, self.relay.back, 0, "rst", arrived, self._alive)

    # -- while it lasts ------------------------------------------------------------------------------------------

    def other(self, stream: Stream) -> Stream:
        """The stream of the other direction."""
        return self._streams[stream.sink]

    def update(self, sock: socket.socket) -> None:
        """Watch a socket for what its two streams need."""
        if not self._open:
            return
        reads = self._streams[sock]
        events = selectors.EVENT_READ if reads.wants_to_read else 0
        if self.other(reads).wants_to_write:
            events |= selectors.EVENT_WRITE
        self.core.watch(sock, events, partial(self._ready, sock))

    def _ready(self, sock: socket.socket, mask: int) -> None:
        stream = self._streams[sock]
        if mask & selectors.EVENT_WRITE:
            self.other(stream).pump()
        if mask & selectors.EVENT_READ and self._open:
            stream.read()

    def half_close(self) -> None:
        """A side has sent its FIN."""
        self.relay.scan()

    @property
    def half_closed(self) -> bool:
        """One side has sent its FIN, the other not yet."""
        return any(stream.ended for stream in self._streams.values())

    def look_for_reset(self) -> None:
        """Notice a reset of a side that is no longer read from."""
        for sock, stream in self._streams.items():
            if stream.ended and self._open and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                stream.source_was_reset()

    # -- the end -------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Close if both streams have ended."""
        if self._open and all(stream.finished and stream.ended for stream in self._streams.values()):
            self._leave()

    def abort(self) -> None:
        """Reset both sides."""
        if not self._open:
            return
        for sock in (self._client, self._server):
            if sock is not None:
                reset_on_close(sock)
        self._leave()

    def _leave(self) -> None:
        self._open = False
        self.relay.connections.discard(self)
        for sock in (self._client, self._server):
            if sock is not None:
                self.core.forget(sock)

    @property
    def open(self) -> bool:
        """Whether it is still there."""
        return self._open
