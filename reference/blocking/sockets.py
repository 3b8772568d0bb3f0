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
    ### BEGIN SOLUTION: make a stream socket of the address's family and connect it
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.connect(address.target)
    except OSError:
        sock.close()
        raise
    return sock
    ### END SOLUTION


def listen(address: Address) -> socket.socket:
    """A stream socket that listens at `address`. A Unix socket that nobody serves any more is replaced. Raises OSError.

    RFC 9293 section 3.6.1: whoever closes first keeps the port in TIME-WAIT. SO_REUSEADDR lets the same server bind it
    again meanwhile; on Linux and macOS it does not let two servers share a port. (On Windows it would.)
    """
    ### BEGIN SOLUTION: stage 2: make the socket, set SO_REUSEADDR, bind, listen with a backlog
    listener = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        if address.kind == "unix":
            remove_stale(address.path)
        elif os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address.target)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
    ### END SOLUTION


def remove_stale(path: str) -> None:
    """Remove the socket file at `path` if no server answers there; anything else stays, and bind() will complain."""
    ### BEGIN SOLUTION: stage 2: remove the file only if it is a socket that refuses a connection
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
    ### END SOLUTION


def stop_listening(listener: socket.socket, address: Address) -> None:
    """Close a listening socket; a Unix socket's file does not vanish by itself."""
    ### BEGIN SOLUTION: stage 2: close, and remove the file of a Unix socket
    listener.close()
    if address.kind == "unix":
        try:
            os.unlink(address.path)
        except FileNotFoundError:
            pass
    ### END SOLUTION


def close_gently(sock: socket.socket) -> None:
    """Close so that the peer can still read everything it was sent. Takes PATIENCE seconds at most; raises nothing.

    RFC 1122 section 4.2.2.13: "If such a host issues a CLOSE call while received data is still pending in TCP [...]
    its TCP SHOULD send a RST to show that data was lost." The reset overtakes what the peer has not read yet.
    So: end our side first, throw away what still comes until the peer ends its own, and only then close.
    """
    ### BEGIN SOLUTION: stage 2: shutdown(SHUT_WR), then read and forget until the end, but not for ever; then close
    deadline = time.monotonic() + PATIENCE
    with sock:
        try:
            sock.shutdown(socket.SHUT_WR)
            while (left := deadline - time.monotonic()) > 0:
                sock.settimeout(left)
                if not sock.recv(65536):
                    break
        except OSError:
            pass  # reset or silent: there is nothing left that a close could destroy
    ### END SOLUTION
