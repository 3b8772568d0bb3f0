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
    ### BEGIN SOLUTION: stage 1: socket, SO_REUSEADDR, bind, listen, setblocking(False)
    listener = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # on Windows it would mean: take the port away from whoever has it
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address.target)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
    ### END SOLUTION


def accept(listener: socket.socket) -> socket.socket:
    """The next waiting connection. Raises BlockingIOError if none waits, OSError."""
    ### BEGIN SOLUTION: stage 1: accept, setblocking(False), TCP_NODELAY
    sock, _ = listener.accept()
    return _prepared(sock)
    ### END SOLUTION


def begin_to_connect(address: Address) -> socket.socket:
    """A non-blocking socket that is being connected to `address`. Raises OSError if that has failed already."""
    ### BEGIN SOLUTION: stage 1: connect_ex() answers 0 or EINPROGRESS if all is well
    sock = _prepared(socket.socket(address.family, socket.SOCK_STREAM))
    number = sock.connect_ex(address.target)
    if number not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
        sock.close()
        raise OSError(number, os.strerror(number))
    return sock
    ### END SOLUTION


def check_connected(sock: socket.socket) -> None:
    """Return if a socket that has become writable is connected. Raises OSError, with the reason, if it is not."""
    ### BEGIN SOLUTION: stage 1: the kernel keeps what became of connect() in SO_ERROR
    if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(number, os.strerror(number))
    ### END SOLUTION


def send(sock: socket.socket, data: memoryview) -> int:
    """Send what the kernel takes now: 0 bytes if it takes none. Raises OSError if the connection is over."""
    ### BEGIN SOLUTION: stage 1: send, and BlockingIOError is not an error
    try:
        return sock.send(data)
    except BlockingIOError:
        return 0
    ### END SOLUTION


def reset(sock: socket.socket) -> None:
    """Close with RST: whoever reads the other end learns that this was not an orderly end."""
    ### BEGIN SOLUTION: stage 3: SO_LINGER of zero seconds (two shorts on Windows), then close
    zero = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, zero)
    except OSError:
        pass  # gone already
    sock.close()
    ### END SOLUTION


### BEGIN SOLUTION: stage 1: what every connection needs
def _prepared(sock: socket.socket) -> socket.socket:
    """Non-blocking, and small pieces do not wait for the acknowledgement of those before them (Nagle)."""
    sock.setblocking(False)
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


### END SOLUTION
