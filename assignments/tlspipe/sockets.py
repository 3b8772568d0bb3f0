"""TCP sockets that do not block: listen, accept, connect, and the two ways to let go.

    close(): everything sent is delivered, then FIN. "That was all."
    reset(): RST. "That was not all: something went wrong." Whoever reads at the other end gets an error, no end.

A program that answers every trouble with close() tells the other side that half a file is a whole one.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

from addresses import Address

#: Connections that the kernel keeps waiting for accept().
BACKLOG = 1024


def listen(address: Address) -> socket.socket:
    """A non-blocking socket that listens at `address`. Raises OSError."""
    raise NotImplementedError("stage 1: socket, SO_REUSEADDR, bind, listen, setblocking(False)")


def accept(listener: socket.socket) -> socket.socket:
    """The next waiting connection. Raises BlockingIOError if none waits, OSError."""
    raise NotImplementedError("stage 1: accept, setblocking(False), TCP_NODELAY")


def begin_to_connect(address: Address) -> socket.socket:
    """A non-blocking socket that is being connected to `address`. Raises OSError if that has failed already."""
    raise NotImplementedError("stage 1: connect_ex() answers 0 or EINPROGRESS if all is well")


def check_connected(sock: socket.socket) -> None:
    """Return if a socket that has become writable is connected. Raises OSError, with the reason, if it is not."""
    raise NotImplementedError("stage 1: the kernel keeps what became of connect() in SO_ERROR")


def send(sock: socket.socket, data: memoryview) -> int:
    """Send what the kernel takes now: 0 bytes if it takes none. Raises OSError if the connection is over."""
    raise NotImplementedError("stage 1: send, and BlockingIOError is not an error")


def reset(sock: socket.socket) -> None:
    """Close with RST: whoever reads the other end learns that this was not an orderly end."""
    raise NotImplementedError("stage 3: SO_LINGER of zero seconds (two shorts on Windows), then close")


# Stage 1: what every connection needs.
