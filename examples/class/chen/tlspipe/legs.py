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

# Stage 4: where plain text is decrypted to.


class Legs:
    """Both legs, after the handshake. `watch` is told what to wait for, `over` once both halves have ended."""

    def __init__(self, plain: socket.socket, wire: Wire, watch: Callable[[int, int], None]) -> None:
        """`watch(events of the plain leg, events of the wire leg)` is called whenever they may have changed."""
        raise NotImplementedError("stage 1: what is under way, and which halves have ended")

    @property
    def over(self) -> bool:
        """Both halves have ended as they should, and everything is delivered to the kernel."""
        raise NotImplementedError("stage 3: both ended, nothing waits")

    def wire_ready(self, _events: int) -> None:
        """The wire can be read or written. Raises Over, OSError."""
        raise NotImplementedError("stage 1: flush, fill, decrypt; stage 4: only while there is room")

    def plain_ready(self, _events: int) -> None:
        """The plain leg can be read or written. Raises Over, OSError."""
        raise NotImplementedError(
            "stage 1: send what waits, read, encrypt; stage 3: its end becomes close_notify"
        )

    def move(self) -> None:
        """Move what can be moved, and say what to wait for then. Raises Over, OSError."""
        raise NotImplementedError(
            "stage 1: decrypt until the plain leg is full; stage 3: close_notify becomes FIN"
        )

    # Stage 1: read once from the plain leg and encrypt.
    pass
