"""The raw side of the tester's TLS: bytes of one TCP connection, kept as they go, and changed if a test wants it.

Rule: knows sockets and records, no keys and no story. One thread may read while another writes: the socket never
blocks, and each waits on its own.
"""

from __future__ import annotations

import selectors
import socket
import sys
import time
from collections.abc import Callable
from typing import Literal

from harness.tls.record_layer.records import split

#: Bytes kept of each direction.
KEPT = 4_000_000
#: Bytes taken from the kernel at a time.
_MOST = 262_144
#: Seconds between two looks during a wait at whether the connection is still there.
_GLANCE = 0.5

RawEnd = Literal["end", "reset"]


class Kept:
    """One direction as it was on the wire: the first bytes, and how many there were in all."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.count = 0

    def add(self, data: bytes | memoryview) -> None:
        """More bytes; beyond KEPT they are only counted."""
        self.count += len(data)
        if (room := KEPT - len(self.data)) > 0:
            self.data += data[:room]


class Wire:
    """A connected socket under TLS. `ahead`: bytes that were read from it before."""

    def __init__(self, connection: socket.socket, ahead: bytes = b"") -> None:
        self._socket = connection
        self._ahead = ahead
        self._write_error: RawEnd | None = None
        self.came = Kept()
        self.went = Kept()
        self.ended: RawEnd | None = None  #: how the other side ended, once everything before that was read
        #: changes each record (with its header) before it goes out
        self.tamper: Callable[[bytes], bytes] | None = None
        self.piece = 0  #: largest write in bytes, 0: any
        self.apart = 0.0  #: seconds between two such writes

    @property
    def broken(self) -> RawEnd | None:
        """How the connection had ended when a write failed."""
        return self._write_error

    # -- in ------------------------------------------------------------------------------------------------------

    def receive(self, deadline: float) -> bytes:
        """What comes next; b"" when the other side has ended, `ended` says how. Raises TimeoutError."""
        data, self._ahead = self._ahead, b""
        while not data and self.ended is None:
            try:
                self._socket.setblocking(False)
                data = self._socket.recv(_MOST)
            except (BlockingIOError, InterruptedError):
                self._wait(selectors.EVENT_READ, deadline)
                continue
            except (OSError, ValueError):
                self.ended = "reset"
                break
            if not data:
                # A write that met the reset has taken its error away: what then reads as an end is not one.
                self.ended = self._write_error or "end"
        self.came.add(data)
        return data

    # -- out -----------------------------------------------------------------------------------------------------

    def prepare(self, data: bytes) -> bytes:
        """Whole records as they are to go out: changed, if a test wants it so."""
        if self.tamper is None:
            return data
        records, rest = split(data)
        return b"".join(self.tamper(record.raw) for record in records) + rest

    def send(self, data: bytes, deadline: float) -> bytes:
        """Write; returns what could not be written in time. Raises OSError when the connection has ended."""
        view = memoryview(data)
        while view:
            if self._write_error is not None:
                raise ConnectionResetError("the connection has ended")
            try:
                self._socket.setblocking(False)
                count = self._socket.send(view[: self.piece] if self.piece else view)
            except (BlockingIOError, InterruptedError):
                try:
                    self._wait(selectors.EVENT_WRITE, deadline)
                except TimeoutError:
                    break
                continue
            except (OSError, ValueError) as error:
                self._write_error = _kind(error)
                raise ConnectionResetError("the connection has ended") from None
            self.went.add(view[:count])
            view = view[count:]
            if self.apart and view:
                time.sleep(self.apart)
        return bytes(view)

    def _wait(self, event: int, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        with selectors.DefaultSelector() as selector:
            try:
                selector.register(self._socket, event)
            except (OSError, ValueError):
                return  # closed by the test; the next call reports it
            selector.select(min(left, _GLANCE))  # not longer, or a socket closed meanwhile is never noticed


def _kind(error: Exception) -> RawEnd:
    """What a failed write says about the other side. On Linux a broken pipe means that its FIN had come before."""
    if isinstance(error, BrokenPipeError) and sys.platform == "linux":
        return "end"
    return "reset"
