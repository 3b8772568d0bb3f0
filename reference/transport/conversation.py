"""What the three programs of stage 8 share: whom they talk to, and what the shell learns about how it ended.

No socket here: datagrams and where they came from are given.
"""

from __future__ import annotations

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
        ### BEGIN SOLUTION: stage 8: remember who sends the first valid SYN, if nobody is known; take the peer's only
        if self.address is None:
            segment = decode(datagram)
            if segment is not None and segment.syn and not (segment.ack or segment.rst):
                self.address = source
        return source == self.address
        ### END SOLUTION


def exit_status(connected: bool, ending: Event | None) -> int:
    """The exit status for how a connection ended (rule 8.6); `connected`: whether the handshake was ever done."""
    ### BEGIN SOLUTION: stage 8: 0 for CLOSED; before the handshake CANNOT_CONNECT, after it one of the other two
    if ending is Event.CLOSED:
        return 0
    if not connected:
        return CANNOT_CONNECT
    return BROKEN_PROTOCOL if ending is Event.RESET else GAVE_UP
    ### END SOLUTION


def complaint(connected: bool, ending: Event | None) -> str:
    """The same in words, for standard error."""
    if not connected:
        return "refused" if ending is Event.RESET else "nobody answers"
    return "the peer reset the connection" if ending is Event.RESET else "the peer fell silent"
