"""One direction of a TCP connection that goes through the relay: read, travel, mangle, write.

The bytes arrive all and in order, the end of the stream (FIN) and a reset (RST) after them. A lost piece is sent
again after a while, and what follows it waits.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol

from harness.lab.interface import Mangle
from harness.lab.relay.core import Core
from harness.lab.relay.mangle import Mangler
from harness.link.model import UDP_FRAMING
from harness.link.trace import Direction

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


class StreamOwner(Protocol):
    """What a stream needs to know of its connection."""

    core: Core

    @property
    def open(self) -> bool: ...  #: still there

    def other(self, stream: Stream) -> Stream:
        """The stream of the other direction."""
        ...

    def update(self, sock: socket.socket) -> None:
        """Watch a socket for what its two streams need."""
        ...

    def half_close(self) -> None:
        """A side has sent its FIN."""
        ...

    def finish(self) -> None:
        """Close if both streams have ended."""
        ...

    def abort(self) -> None:
        """Reset both sides."""
        ...


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
        connection: StreamOwner,
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
        self._out = b""  # taken from the mangler, not yet accepted by the kernel
        self._deaf = False  # the sink takes nothing more
        self._reset = False

    def start(self) -> None:
        """Begin to read."""
        if self._connection.open:
            self._started = True
            self._connection.update(self.source)
            self.pump()

    @property
    def wants_to_read(self) -> bool:
        """Whether there is room for more."""
        held = self._flying_bytes + len(self._mangler) + len(self._out)
        return self._started and not self.ended and held < self._window()

    @property
    def wants_to_write(self) -> bool:
        """Whether the kernel refused some bytes."""
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
            self.source_was_reset()  # our write already got the error; what reads as an end is not one
        else:
            self.ended = True
            self._send(Piece("fin"))
            self._connection.half_close()
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

        travel(self._core, self._direction, len(piece.data), piece.kind, arrived, lambda: self._connection.open)

    def _arm(self) -> None:
        """Schedule the next piece for when it is due; those after a lost one wait for it."""
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
            self._connection.abort()  # the reader does not read; a reset reaches it anyway
            return
        self._connection.update(self.sink)
        if self._connection.open:
            self._connection.update(self.source)

    def _write_all(self) -> bool:
        """Write until the mangler has nothing more or the kernel takes nothing more (False)."""
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
            # Otherwise bytes that the sink sent before its reset are still to be read; the reset comes after them.
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
    """Small kernel buffers; on a socket that is to listen they are inherited, so call this before it listens."""
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
