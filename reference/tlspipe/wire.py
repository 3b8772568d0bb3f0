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

### BEGIN SOLUTION: stage 4: how much may wait
#: Bytes that may wait for the wire before we stop to read from it. Plain text stops much earlier; this is for peers
#: that make us answer (key updates, alerts) and do not read the answers.
MOST_WAITING = 4 * CHUNK
### END SOLUTION


class Wire:
    """A socket and the TLS on it."""

    def __init__(self, sock: socket.socket, tls: TlsStream) -> None:
        ### BEGIN SOLUTION: stage 1: the two, and what waits
        self.socket, self.tls = sock, tls
        self.ended = False  #: the other side's FIN was read
        self._out = memoryview(b"")  # encrypted, and not yet taken by the kernel
        ### END SOLUTION

    @property
    def waits(self) -> bool:
        """Something is to be written: ask for WRITE, and read no more plain text."""
        ### BEGIN SOLUTION: stage 1: in the rest of the last send, or in the TlsStream
        return bool(self._out) or self.tls.waiting > 0
        ### END SOLUTION

    @property
    def readable(self) -> bool:
        """There may be something to read, and room for what we may have to answer: ask for READ."""
        ### BEGIN SOLUTION: stage 4: not ended, not too much waiting
        return not self.ended and len(self._out) + self.tls.waiting < MOST_WAITING
        ### END SOLUTION

    def fill(self) -> bool:
        """Read once from the socket into the TlsStream; False if nothing was there. Raises OSError."""
        ### BEGIN SOLUTION: stage 1: recv_into, receive; 0 bytes are the end
        try:
            count = self.socket.recv_into(BUFFER)
        except BlockingIOError:
            return False
        self.ended = not count
        self.tls.receive(BUFFER[:count])
        return True
        ### END SOLUTION

    def skip(self) -> None:
        """Read once from the socket and throw it away. Raises OSError."""
        ### BEGIN SOLUTION: stage 3: recv_into; 0 bytes are the end
        try:
            self.ended = not self.socket.recv_into(BUFFER)
        except BlockingIOError:
            pass
        ### END SOLUTION

    def flush(self) -> None:
        """Write what the kernel takes. Raises OSError."""
        ### BEGIN SOLUTION: stage 1: the rest of last time first
        if not self._out and self.tls.waiting:
            self._out = memoryview(self.tls.data_to_send())
        if self._out:
            self._out = self._out[sockets.send(self.socket, self._out) :]
        ### END SOLUTION
