"""The life of a socket, from its making to its end: connect, listen, close. Nothing here waits for anybody.

A non-blocking socket answers at once, always: with what it did, or with an error that says "not now".

    call         done at once                   not now
    connect()    0                              EINPROGRESS; writable when it is decided, SO_ERROR says how
    accept()     a connection                   EAGAIN (BlockingIOError)
    recv()       1 to n bytes, or b"": the end  EAGAIN. Nothing there is an error, never 0 bytes
    send()       1 to n bytes taken             EAGAIN: the kernel's buffer is full
"""

from __future__ import annotations

import errno
import os
import socket
import stat

from addresses import Address

#: Connections that the kernel keeps waiting for accept(). Linux drops the SYNs of any more, and their
#: clients try again after 1, 3, 7 ... seconds. The system's own maximum is net.core.somaxconn.
BACKLOG = 1024

#: What accept() fails with when there is no room for one more connection: descriptors or memory have run out.
NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def begin_to_connect(address: Address) -> socket.socket:
    """A non-blocking stream socket that is being connected to `address`. Raises OSError if that has failed already."""
    ### BEGIN SOLUTION: stage 1: a non-blocking socket; connect_ex() answers 0 or EINPROGRESS if all is well
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    sock.setblocking(False)
    number = sock.connect_ex(address.target)
    if number not in (0, errno.EINPROGRESS):
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


def listen(address: Address) -> socket.socket:
    """A non-blocking stream socket that listens at `address`. Raises OSError.

    A Unix socket that nobody serves is replaced. RFC 9293 section 3.6.1: whoever closes first keeps the port in
    TIME-WAIT. SO_REUSEADDR lets the same server bind it again meanwhile.
    """
    ### BEGIN SOLUTION: stage 2: as in the mailbox, and then setblocking(False)
    listener = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        if address.kind == "unix":
            remove_stale(address.path)
        elif os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address.target)
        listener.listen(BACKLOG)
        listener.setblocking(False)
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
        probe.setblocking(False)
        if probe.connect_ex(path) == errno.ECONNREFUSED:
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


def accept(listener: socket.socket) -> socket.socket:
    """The next waiting connection, non-blocking as well. Raises BlockingIOError if none waits, OSError.

    On Linux an accepted socket does not inherit O_NONBLOCK: a blocking one among ten thousand stops them all.
    """
    ### BEGIN SOLUTION: stage 2: accept, setblocking(False), send_at_once()
    sock, _ = listener.accept()
    sock.setblocking(False)
    send_at_once(sock)
    return sock
    ### END SOLUTION


def send_at_once(sock: socket.socket) -> None:
    """Small pieces do not wait for the acknowledgement of those before them, which the other side delays by 40 ms."""
    ### BEGIN SOLUTION: stage 2: TCP_NODELAY, but not for Unix sockets
    if sock.family != getattr(socket, "AF_UNIX", None):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    ### END SOLUTION
