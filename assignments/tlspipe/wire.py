"""A TCP socket that does not block, with TLS on it: the wire leg of a connection.

It moves bytes between the socket and a TlsStream, and remembers what the kernel has not taken yet.
"""

from __future__ import annotations

import socket

import sockets
from tls import TlsStream

#: Bytes that are read at once: large enough to make a system call worth its price.
CHUNK = 1 << 17

#: Where everything is read into, on both legs of all connections: nothing stays in it between two calls.
BUFFER = memoryview(bytearray(CHUNK))

# Stage 4: how much may wait.


class Wire:
    """A socket and the TLS on it."""

    def __init__(self, sock: socket.socket, tls: TlsStream) -> None:
        raise NotImplementedError("stage 1: the two, and what waits")

    @property
    def waits(self) -> bool:
        """Something is to be written: ask for WRITE, and read no more plain text."""
        raise NotImplementedError("stage 1: in the rest of the last send, or in the TlsStream")

    @property
    def readable(self) -> bool:
        """There may be something to read, and room for what we may have to answer: ask for READ."""
        raise NotImplementedError("stage 4: not ended, not too much waiting")

    def fill(self) -> bool:
        """Read once from the socket into the TlsStream; False if nothing was there. Raises OSError."""
        raise NotImplementedError("stage 1: recv_into, receive; 0 bytes are the end")

    def skip(self) -> None:
        """Read once from the socket and throw it away. Raises OSError."""
        raise NotImplementedError("stage 3: recv_into; 0 bytes are the end")

    def flush(self) -> None:
        """Write what the kernel takes. Raises OSError."""
        raise NotImplementedError("stage 1: the rest of last time first")
