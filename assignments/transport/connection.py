"""A connection: bytes in order over datagrams that may be lost, repeated, late, damaged (after RFC 9293). Pure.

Rule 1: no socket and no clock. Datagrams and time come in by calls, and what is to be sent is asked for.
Rule 2: nothing is decided here. This is the way in for the application and for the driver. Behind it you may divide the
work as you like; the course's own has

    arrivals.py   what a segment means        sender.py     what to send, and when again
    states.py     which state follows         receiver.py   what was received, and when to acknowledge it
"""

from __future__ import annotations

# Stages 3 and 4 and 5 and 6 and 7 and 9: import your parts here, and Event from events.py.


class Connection:
    """One end. `now` is in seconds and never goes back; calls without it take effect when the driver asks next."""

    def __init__(self, role: str, *, isn: int, receive_buffer: int = 65536, controller: str | None = None) -> None:
        """`role`: "client" begins, "server" waits. `isn`: number of our SYN. `receive_buffer`: bytes.

        `controller`: who says how much may be under way; None for NewReno, "model" for a model of the path.
        """
        raise NotImplementedError("stage 3: a sender, a receiver, and the state that the role begins with")

    # -- the application's side ----------------------------------------------------------------------------------

    def next_event(self) -> Event | None:
        """What has happened, in order; None when there is no more."""
        raise NotImplementedError("stage 3: the oldest one that has not been reported")

    def send(self, data: bytes) -> int:
        """Queue bytes of the stream; how many were accepted, 0 if the buffer is full. Before CONNECTED they wait."""
        raise NotImplementedError("stage 3: into the send buffer, unless the stream has ended")

    def read(self, limit: int) -> bytes:
        """Up to `limit` bytes that arrived in order, also when the connection is over; b"" if there are none now."""
        raise NotImplementedError("stage 3: from the receiver")

    def end(self) -> None:
        """Nothing more to send: FIN after what is queued. Reading goes on."""
        raise NotImplementedError("stage 3: the stream has an end now")

    def abort(self) -> None:
        """Over at once: an RST, and what waits in either direction is discarded (RFC 9293, section 3.10.5)."""
        raise NotImplementedError("stage 4: tell the peer, if there is one")

    # -- the driver's side ---------------------------------------------------------------------------------------

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        """A datagram of the peer arrived. What is not a segment is ignored."""
        raise NotImplementedError("stage 3: decode it and see what it means")

    def datagrams_to_send(self, *, now: float) -> list[bytes]:
        """What is to be sent now, in order."""
        raise NotImplementedError(
            "stage 3: what the sender wants to send; an ACK alone if one is owed that none of it "
            "carries"
        )

    def next_timer(self) -> float | None:
        """When `handle_timer` is to be called: absolute seconds, None for never."""
        raise NotImplementedError("stage 3: the earliest one of those that are set")

    def handle_timer(self, *, now: float) -> None:
        """The time of `next_timer` has come."""
        raise NotImplementedError(
            "stage 3: let both halves look at the time; end what has lasted long enough"
        )
