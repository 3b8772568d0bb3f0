"""TCP through the relay: the bytes of each connection, late, slow, in other pieces, but all and in order.

A TCP program never sees a lost packet, only the pause until it is sent again, so that is what a loss becomes here.
The end of a stream (FIN) and its reset (RST) take the same way as the bytes and arrive as what they were. A reader
that does not read is felt by the sender: what is under way is bounded, and the kernel's buffers are small.
"""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Literal

from harness.lab import Mangle
from harness.relay_core import UDP_FRAMING, Core
from harness.relay_mangle import Mangler
from harness.trace import Direction

Place = tuple[str, int]

#: Bytes taken from a connection at a time: one "packet" of the link.
_CHUNK = 16 * 1024
#: Kernel buffers asked for, in bytes, and how much of a stream may be under way beyond what the link itself holds.
_BUFFER = 64 * 1024
#: Bits per second assumed when a profile has a delay but no rate, to bound what is under way.
_ASSUMED_RATE = 100_000_000
#: Segment size and header bytes (Ethernet, IPv4, TCP with timestamps) that a link of a given rate carries.
_SEGMENT, _HEADERS = 1448, 66
#: Seconds until a lost piece is sent again: the smallest RTO of Linux; RFC 6298 section 2 has 1 s for the SYN.
_RTO, _SYN_RTO, _LARGEST_RTO = 0.2, 1.0, 8.0
#: Seconds between two looks at connections that were half-closed and may have been reset since.
_SCAN = 0.02

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
        """A connection towards the target has an address."""
        self._sources[client] = source
        for tell in self._asked.pop(client, ()):
            tell(source)

    def close(self) -> None:
        """Reset what is open, close the rest."""
        self.core.forget(self._listening)
        for connection in list(self.connections):
            connection.abort()

    def scan(self) -> None:
        """Look at half-closed connections from time to time: selectors do not tell of a reset after the FIN."""
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
                    # Full: without a pause the waiting connection would be announced again at once.
                    self.core.drops += 1
                    self.core.watch(self._listening, 0, lambda _mask: None)
                    self.core.after(0.1, self._listen_again)
                return
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
            # A connection to an unused port of one's own machine can meet itself (simultaneous open).
            itself = sock.getsockname() == sock.getpeername()
        except OSError:  # refused, or reset at once
            return False
        return not itself and not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def _refused(self) -> None:
        travel(self.core, self.relay.back, 0, "rst", lambda due: self.core.at(due, self.abort), self._alive)

    # -- while it lasts ------------------------------------------------------------------------------------------

    def other(self, stream: Stream) -> Stream:
        """The stream of the other direction."""
        return self._streams[stream.sink]

    def update(self, sock: socket.socket) -> None:
        """Watch a socket for what its two streams want of it."""
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

    @property
    def half_closed(self) -> bool:
        """One side has sent its FIN, the other not yet."""
        return any(stream.ended for stream in self._streams.values())

    def look_for_reset(self) -> None:
        """Has a side been reset that is not read from any more?"""
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
        """Still there."""
        return self._open


class Piece:
    """Bytes on their way, or the end of the stream."""

    __slots__ = ("data", "due", "kind")

    def __init__(self, kind: Literal["tcp", "fin", "rst"], data: bytes = b"") -> None:
        self.kind: Literal["tcp", "fin", "rst"] = kind
        self.data = data
        self.due: int | None = None  # None while it is lost and waits to be sent again


class Stream:
    """One direction of a connection: read, travel, mangle, write."""

    def __init__(
        self,
        connection: Connection,
        source: socket.socket,
        sink: socket.socket,
        direction: Direction,
        mangle: Mangle | None,
    ) -> None:
        self.source = source
        self.sink = sink
        self.ended = False  #: nothing more is read: FIN or RST
        self.finished = False  #: the FIN has been passed on
        self._connection = connection
        self._core = connection.core
        self._direction: Direction = direction
        self._started = False
        self._flying: deque[Piece] = deque()
        self._flying_bytes = 0
        self._armed = False  # an arrival is in the heap
        self._mangler = Mangler(mangle or Mangle())
        self._woken_at = 0  # when the mangler wants to be asked again
        self._out = b""  # taken from the mangler, not yet taken by the kernel
        self._deaf = False  # the sink takes nothing any more
        self._reset = False

    def start(self) -> None:
        """Begin to read."""
        if self._connection.open:
            self._started = True
            self._connection.update(self.source)
            self.pump()

    @property
    def wants_to_read(self) -> bool:
        """Is there room for more?"""
        held = self._flying_bytes + len(self._mangler) + len(self._out)
        return self._started and not self.ended and held < self._window()

    @property
    def wants_to_write(self) -> bool:
        """Did the kernel refuse some bytes?"""
        return bool(self._out) and not self._deaf

    def _window(self) -> int:
        profile = self._core.profile(self._direction)
        if not profile.delay:
            return _BUFFER
        return _BUFFER + min(4 * 1024 * 1024, int(profile.delay * (profile.rate or _ASSUMED_RATE) / 8))

    # -- in ------------------------------------------------------------------------------------------------------

    def read(self) -> None:
        """Take what is there and send it on its way."""
        if not self.wants_to_read:
            return
        try:
            data = self.source.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.source_was_reset()
            return
        if data:
            self._send(Piece("tcp", data))
        elif self._connection.other(self)._deaf:
            self.source_was_reset()  # the error was told when we wrote; what reads as an end is none
        else:
            self.ended = True
            self._send(Piece("fin"))
            self._connection.relay.scan()
        self._connection.update(self.source)

    def source_was_reset(self) -> None:
        """The side we read from is gone."""
        if self._reset:
            return
        self.ended = self._reset = True
        self._connection.other(self)._deaf = True
        self._connection.update(self.source)
        self._send(Piece("rst"))

    def _send(self, piece: Piece) -> None:
        self._flying.append(piece)
        self._flying_bytes += len(piece.data)

        def arrived(due: int) -> None:
            piece.due = due
            self._arm()

        travel(
            self._core, self._direction, len(piece.data), piece.kind, arrived, lambda: self._connection.open
        )

    def _arm(self) -> None:
        """See to it that the next piece arrives when it is due; those behind a lost one wait for it."""
        if not self._armed and self._flying and self._flying[0].due is not None:
            self._armed = True
            self._core.at(self._flying[0].due, self._arrive)

    # -- out -----------------------------------------------------------------------------------------------------

    def _arrive(self) -> None:
        self._armed = False
        if not self._connection.open:
            return
        now = time.perf_counter_ns()
        while self._flying and self._flying[0].due is not None and self._flying[0].due <= now:
            piece = self._flying.popleft()
            self._flying_bytes -= len(piece.data)
            if piece.kind == "tcp":
                self._mangler.feed(piece.data, now=now)
            else:
                self._mangler.end("end" if piece.kind == "fin" else "reset")
        self._arm()
        self.pump()
        if self.finished:  # by the mangler, before the sender's own end
            self._connection.finish()

    def pump(self) -> None:
        """Write what may be written."""
        if not self._connection.open:
            return
        if not self._write_all() and self._mangler.to_be_reset:
            self._connection.abort()  # the reader does not read; a reset reaches it all the same
            return
        self._connection.update(self.sink)
        if self._connection.open:
            self._connection.update(self.source)

    def _write_all(self) -> bool:
        """Write until the mangler has no more or the kernel takes no more (False)."""
        while self._connection.open:
            if self._out and not self._write_some():
                return False
            if self._out:
                continue
            now = time.perf_counter_ns()
            step = self._mangler.next(now=now)
            if step.do == "write":
                self._out = step.data
            elif step.do == "end":
                self._pass_end_on()
            elif step.do == "reset":
                self._connection.abort()
            else:
                if step.do == "wait" and self._woken_at != step.until:
                    self._woken_at = step.until
                    self._core.after((step.until - now) / 1e9, self.pump)
                return True
        return True

    def _write_some(self) -> bool:
        if self._deaf:
            self._out = b""
            return True
        try:
            self._out = self._out[self.sink.send(self._out) :]
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            self._out, self._deaf = b"", True
            other = self._connection.other(self)
            if other.ended:
                other.source_was_reset()
            # Else bytes that the sink sent before it was reset are still to be read; their end will be the reset.
        return True

    def _pass_end_on(self) -> None:
        self.finished = True
        if not self._deaf:
            with contextlib.suppress(OSError):
                self.sink.shutdown(socket.SHUT_WR)
        self._connection.finish()


def travel(
    core: Core,
    direction: Direction,
    size: int,
    kind: str,
    arrived: Callable[[int], None],
    alive: Callable[[], bool],
    timeout: float | None = None,
) -> None:
    """Send a piece of a stream through the link, again and again until it gets there; then `arrived(due)`."""
    if not alive():
        return
    wire = size + max(1, -(-size // _SEGMENT)) * _HEADERS - UDP_FRAMING
    # A damaged segment has a wrong checksum, so the receiver's kernel drops it: one more lost piece.
    due = [each.due for each in core.transmit(direction, wire, kind, size) if each.fate != "corrupted"]
    if due:
        arrived(min(due))
        return
    if timeout is None:
        delays = core.profile("up").delay + core.profile("down").delay
        timeout = (_SYN_RTO if kind == "syn" else _RTO) + delays
    later = min(2 * timeout, _LARGEST_RTO)
    core.after(timeout, lambda: travel(core, direction, size, kind, arrived, alive, later))


def prepare(sock: socket.socket) -> None:
    """Settings of both sides of every connection."""
    sock.setblocking(False)
    small_buffers(sock)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def small_buffers(sock: socket.socket) -> None:
    """Small kernel buffers; on a socket that is to listen they are inherited, which must be before it listens."""
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)


def reset_on_close(sock: socket.socket) -> None:
    """Make `close` send a RST (SO_LINGER with 0 seconds)."""
    with contextlib.suppress(OSError):
        form = "hh" if sys.platform == "win32" else "ii"
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(form, 1, 0))
