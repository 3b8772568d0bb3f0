"""A connection of the pipe that is carrying bytes: a plain leg, and a wire leg with TLS.

    plain socket  <-- waiting plain text <-- decrypt --  wire
                  --          encrypt                -->

Rule 1: a leg is read only while the other one has room. So buffers stay bounded, the kernel's windows close, and a
slow reader on one side slows down the writer on the other, wherever they are.
Rule 2: an end is passed on as an end (FIN as close_notify, close_notify as FIN), after everything that came before it.
Rule 3: anything else is Over, and whoever called us resets both sides.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

import sockets
from poller import READ, WRITE
from wire import BUFFER, CHUNK, Wire

### BEGIN SOLUTION: stage 4: where plain text is decrypted to
_DECRYPTED = memoryview(bytearray(CHUNK))  # shared by all connections, like BUFFER
### END SOLUTION


class Legs:
    """Both legs, after the handshake. `watch` is told what to wait for, `over` once both halves have ended."""

    def __init__(self, plain: socket.socket, wire: Wire, watch: Callable[[int, int], None]) -> None:
        """`watch(events of the plain leg, events of the wire leg)` is called whenever they may have changed."""
        ### BEGIN SOLUTION: stage 1: what is under way, and which halves have ended
        self._plain, self._wire, self._watch = plain, wire, watch
        self._out = memoryview(b"")  # decrypted, and not yet taken by the plain side
        self._plain_ended = False  # its FIN was read, and our close_notify written
        self._told_plain = False  # close_notify was read, and our FIN written
        ### END SOLUTION

    @property
    def over(self) -> bool:
        """Both halves have ended as they should, and everything is delivered to the kernel."""
        ### BEGIN SOLUTION: stage 3: both ended, nothing waits
        return self._plain_ended and self._told_plain and not self._wire.waits and not self._wire.tls.blocked
        ### END SOLUTION

    def wire_ready(self, _events: int) -> None:
        """The wire can be read or written. Raises Over, OSError."""
        ### BEGIN SOLUTION: stage 1: flush, fill, decrypt; stage 4: only while there is room
        self._wire.flush()
        if not self._out and self._wire.readable:
            self._wire.fill()
        self.move()
        ### END SOLUTION

    def plain_ready(self, _events: int) -> None:
        """The plain leg can be read or written. Raises Over, OSError."""
        ### BEGIN SOLUTION: stage 1: send what waits, read, encrypt; stage 3: its end becomes close_notify
        if self._out:
            self._out = self._out[sockets.send(self._plain, self._out) :]
        if self._reads_plain:
            self._encrypt()
        self.move()
        ### END SOLUTION

    def move(self) -> None:
        """Move what can be moved, and say what to wait for then. Raises Over, OSError."""
        ### BEGIN SOLUTION: stage 1: decrypt until the plain leg is full; stage 3: close_notify becomes FIN
        while not self._out and (count := self._wire.tls.read(_DECRYPTED)):
            sent = sockets.send(self._plain, _DECRYPTED[:count])
            if sent < count:
                self._out = memoryview(bytes(_DECRYPTED[sent:count]))
        if self._wire.tls.peer_closed and not self._out and not self._told_plain:
            self._told_plain = True
            self._plain.shutdown(socket.SHUT_WR)
        self._wire.flush()
        reads_wire = not self._out and not self._told_plain and self._wire.readable
        self._watch(
            (READ if self._reads_plain else 0) | (WRITE if self._out else 0),
            (READ if reads_wire else 0) | (WRITE if self._wire.waits else 0),
        )
        ### END SOLUTION

    ### BEGIN SOLUTION: stage 1: read once from the plain leg and encrypt
    @property
    def _reads_plain(self) -> bool:
        return not self._plain_ended and not self._wire.waits and not self._wire.tls.blocked

    def _encrypt(self) -> None:
        try:
            count = self._plain.recv_into(BUFFER)
        except BlockingIOError:
            return
        if count:
            self._wire.tls.write(BUFFER[:count])
        else:
            self._plain_ended = True
            self._wire.tls.close()

    ### END SOLUTION
