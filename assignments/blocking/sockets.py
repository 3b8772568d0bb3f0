"""The life of a socket, from its making to its end: connect, listen, close. What is sent over it is not here.

client                                  server
socket()                                socket()
                                        bind()     local address and port
                                        listen()   from now on the kernel shakes hands by itself
connect()  ------- SYN, SYN+ACK, ACK -->           and queues connections, up to the backlog
                                        accept()   takes one from the queue: a new socket, the full 5-tuple
"""

from __future__ import annotations

import os
import socket
import stat
import time

from addresses import Address

#: Connections that the kernel keeps waiting for accept(). Linux drops the SYNs of any more, and their
#: clients try again after 1, 3, 7 ... seconds. The system's own maximum (net.core.somaxconn) is 128 or more.
BACKLOG = 128

#: Seconds that close_gently() waits for the peer's end.
PATIENCE = 1.0


def connect(address: Address) -> socket.socket:
    """A stream socket connected to `address` (TCP over IPv4 or IPv6, or Unix). Raises OSError."""
    raise NotImplementedError("stage 1: make a stream socket of the address's family and connect it")


def listen(address: Address) -> socket.socket:
    """A stream socket that listens at `address`. A Unix socket that nobody serves any more is replaced. Raises OSError.

    RFC 9293 section 3.6.1: whoever closes first keeps the port in TIME-WAIT. SO_REUSEADDR lets the same server bind it
    again meanwhile; on Linux and macOS it does not let two servers share a port. (On Windows it would.)
    """
    raise NotImplementedError("stage 2: make the socket, set SO_REUSEADDR, bind, listen with a backlog")


def remove_stale(path: str) -> None:
    """Remove the socket file at `path` if no server answers there; anything else stays, and bind() will complain."""
    raise NotImplementedError("stage 2: remove the file only if it is a socket that refuses a connection")


def stop_listening(listener: socket.socket, address: Address) -> None:
    """Close a listening socket; a Unix socket's file does not vanish by itself."""
    raise NotImplementedError("stage 2: close, and remove the file of a Unix socket")


def close_gently(sock: socket.socket) -> None:
    """Close so that the peer can still read everything it was sent. Takes PATIENCE seconds at most; raises nothing.

    RFC 1122 section 4.2.2.13: "If such a host issues a CLOSE call while received data is still pending in TCP [...]
    its TCP SHOULD send a RST to show that data was lost." The reset overtakes what the peer has not read yet.
    So: end our side first, throw away what still comes until the peer ends its own, and only then close.
    """
    raise NotImplementedError(
        "stage 2: shutdown(SHUT_WR), then read and forget until the end, but not for ever; then "
        "close"
    )
