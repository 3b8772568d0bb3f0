"""What the three programs of stage 8 share: whom they talk to, and what the shell is told of how it ended.

`OnePeer` knows no socket: datagrams and where they came from are given.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import sys

import program
from addresses import Address
from connection import Connection
from events import Event
from program import BROKEN_PROTOCOL, CANNOT_CONNECT, GAVE_UP
from segment import decode

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
        if self.address is None:
            segment = decode(datagram)
            if segment is not None and segment.syn and not segment.ack and not segment.rst:
                self.address = source
        return source == self.address


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


def converse(address: Address, *, listen: bool, source: bool, sink: bool) -> None:
    """One connection from the beginning to the end; every end but success is a SystemExit."""
    from streams import Input, Output
    from udp import Driver

    with contextlib.closing(socket.socket(address.family, socket.SOCK_DGRAM)) as sock:
        if listen:
            try:
                sock.bind(address.pair)
            except OSError as error:
                program.fail(CANNOT_CONNECT, f"cannot listen on {address}: {error.strerror}")
        connection = Connection("server" if listen else "client", isn=secrets.randbits(32))
        peer = OnePeer(None if listen else address.pair)
        driver = Driver(
            connection, sock, peer, source=Input() if source else None, sink=Output() if sink else None
        )
        if listen:
            program.announce(address.bound_as(sock))
        try:
            driver.run()
        except BrokenPipeError:
            program.fail(program.BROKEN_OUTPUT, "nobody reads the output")
        status = exit_status(driver.connected, driver.over)
        if status:
            program.fail(status, complaint(driver.connected, driver.over))
