"""What a connection tells its application. Each event is reported once, in the order in which things happened."""

from __future__ import annotations

import enum


class Event(enum.Enum):
    """What `Connection.next_event()` returns (RFC 9293, section 3.9.1, calls these signals to the user)."""

    #: Synchronised: ESTABLISHED was reached.
    CONNECTED = "connected"
    #: The peer's FIN arrived in order: nothing comes after what can still be read. Once.
    END_OF_STREAM = "end of stream"
    #: Over as it should be: both FINs are acknowledged, after TIME-WAIT, or LAST-ACK is done or was given up.
    CLOSED = "closed"
    #: Ended by the peer's RST; a refused SYN too.
    RESET = "reset"
    #: Gave up retransmitting: 6 SYNs, or 8 other retransmissions of one segment.
    TIMED_OUT = "timed out"
    #: send() was called after end() or abort(); nothing of it was accepted.
    SEND_AFTER_END = "send after end"
