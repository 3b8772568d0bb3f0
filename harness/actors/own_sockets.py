"""The tester's own sockets: how they are made and called, and what of their errors is no server's fault."""

from __future__ import annotations

import contextlib
import socket

from harness.course.address import Address
from harness.lab.interface import OURS, Family, LabError
from harness.lab.own_address import why_unconnected


def new_socket(
    family: Family, kind: socket.SocketKind, receive_buffer: int | None = None, segment: int | None = None
) -> socket.socket:
    """A socket that is neither bound nor connected yet: later, both sizes would come too late.

    segment: the largest that it takes, in bytes. Linux begins with room for 20 of them in the sender's buffer: 2.6 MB
    on loopback, and 46 KB for 536 bytes. What a program has not got rid of is then in the program.
    """
    made = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, kind)
    if receive_buffer is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    if segment is not None and hasattr(socket, "TCP_MAXSEG"):
        with contextlib.suppress(OSError):  # no system but Linux promises that it can be set
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
    return made


def address_of(name: object) -> Address:
    """The address that a socket calls itself or its other end by: getsockname(2), getpeername(2)."""
    if isinstance(name, tuple):
        return Address("tcp", host=str(name[0]), port=int(name[1]))
    # Bytes are an abstract name, which a program may choose freely.
    return Address("unix", path=name.decode("latin-1") if isinstance(name, bytes) else str(name))


def remote_of(connection: socket.socket) -> Address:
    """The address of the other end. A connection that was already reset has none, but still counts as a connection."""
    try:
        return address_of(connection.getpeername())
    except OSError:
        return Address("tcp")


class HeldPort:
    """A TCP socket that is bound and does not listen: who connects to it is refused."""

    def __init__(self, bound: socket.socket) -> None:
        self._bound = bound
        self.port: int = bound.getsockname()[1]

    def dismiss(self) -> None:
        """Let go of the port."""
        self._bound.close()


def not_ours(error: Exception, to: str = "") -> None:
    """Raise LabError if what a socket of the tester says is no server's fault. to: the host it was to connect to."""
    if isinstance(error, OSError) and error.errno in OURS:
        raise LabError(f"the tester cannot make a connection: {why_unconnected(error, to)}") from None
