"""The life of each connection of the pipe, from accept to close.

    client: accept a plain connection, connect to the server, shake hands, then carry bytes
    server: accept a TLS connection, shake hands, then connect to the backend, then carry bytes

Rule 1: nothing is carried before the handshake is done: who has not proved himself gets and gives not one byte.
Rule 2: nobody waits for anybody: a handshake that never comes costs an entry in a table, and that for a while only.
Rule 3: whatever goes wrong ends this connection, no other, and it ends it with a reset: nobody takes it for an end.
"""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable
from typing import NamedTuple

import sockets
from addresses import Address
from endings import Ending, Over
from legs import Legs
from loop import Loop, Timer
from poller import READ, WRITE
from tls import TlsStream
from wire import Wire

# Stage 3: how long to wait for what.


class Plan(NamedTuple):
    """What a pipe does with each connection it accepts."""

    serves: bool  #: TLS is on the side that is accepted
    target: Address  #: where the other side is
    make_tls: Callable[[], TlsStream]  #: a new TLS side
    handshake_timeout: float  #: seconds


class Session:
    """One accepted connection with its other half, until both are closed."""

    def __init__(
        self, loop: Loop, plan: Plan, accepted: socket.socket, on_end: Callable[[Session, Over], None]
    ) -> None:
        """`on_end` is called once, when all is over and closed."""
        raise NotImplementedError(
            "stage 1: a server has the wire and lacks the plain side, a client the other way round"
        )

    def begin(self) -> None:
        """A server waits for the client's first word, a client connects."""
        raise NotImplementedError("stage 1: shake hands or connect")

    def stop(self) -> None:
        """The program ends: what is open is cut, and nobody takes that for an end."""
        raise NotImplementedError("stage 3: as a reset")

    # Stage 1: connect, shake, carry; stage 3: every way to end; stage 4: nobody waits.
    pass
