"""What the three programs of stage 8 share: whom they talk to, and what the shell is told of how it ended.

"""

from __future__ import annotations

import secrets
import socket

from connection import Connection
from events import Event
from program import BROKEN_OUTPUT, BROKEN_PROTOCOL, CANNOT_CONNECT, GAVE_UP, announce, fail
from segment import decode
from udp import Driver

#: Host and port, as recvfrom() has them.
Pair = tuple[str, int]


class OnePeer:
    """The one peer of a program: known from the start, or whoever sends the first valid SYN (rule 8.5).

    A UDP socket takes datagrams from everybody. TCP's sockets are told apart by all four numbers; so is this one:
    what another address sends is not for this connection, however well it is made.
    """

    def __init__(self, address: Pair | None = None) -> None:
        #: Where datagrams are sent; None as long as nobody is known.
        self.address = address

    def takes(self, datagram: bytes, source: Pair) -> bool:
        """Whether a datagram that came from `source` is for the connection. May decide who the peer is."""
        if self.address is not None:
            return source == self.address
        segment = decode(datagram)
        if segment is None or not segment.syn or segment.ack or segment.rst:
            return False
        self.address = source
        return True


def exit_status(connected: bool, ending: Event | None) -> int:
    """The exit status for how a connection ended (rule 8.6); `connected`: whether the handshake was ever done."""
    if ending is Event.CLOSED:
        return 0
    if not connected:
        return CANNOT_CONNECT
    return BROKEN_PROTOCOL if ending is Event.RESET else GAVE_UP


def complaint(connected: bool, ending: Event | None) -> str:
    """The same in words, for standard error."""
    if not connected:
        return "refused" if ending is Event.RESET else "nobody answers"
    return "the peer reset the connection" if ending is Event.RESET else "the peer fell silent"


def converse(role, address, source=None, sink=None) -> None:
    """The whole of a program: a socket, a connection, and the exit status."""
    with socket.socket(address.family, socket.SOCK_DGRAM) as sock:
        if role == "server":
            try:
                sock.bind(address.pair)
            except OSError as error:
                fail(CANNOT_CONNECT, error)
            announce(address.bound_as(sock))
        peer = OnePeer(None if role == "server" else address.pair)
        connection = Connection(role, isn=secrets.randbits(32))
        driver = Driver(connection, sock, peer, source=source, sink=sink)
        try:
            driver.run()
        except BrokenPipeError:
            fail(BROKEN_OUTPUT, "nobody reads the output")
        status = exit_status(driver.connected, driver.over)
        if status:
            fail(status, complaint(driver.connected, driver.over))
