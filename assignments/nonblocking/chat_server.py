"""chat_server ADDRESS [--slow drop|wait|close] [--idle S]: rooms in which everyone reads what everyone says.

One thread. Where the mailbox's thread waited (for a line, for room to send, for the lock), a connection here remembers
what it was about to do and is called again when it can go on.
"""

from __future__ import annotations

import socket
import sys
from functools import partial

import program
from addresses import parse_address
from buffers import LIMIT, Outbox
from connection import OPEN, Connection
from framing import BadFrame, Lines, frame
from messages import BadRequest, Request, parse_request
from rooms import Entry, Rooms
from server import Server, serve

#: Requests of one client that are answered in one turn of the loop.
AT_A_TIME = 20
#: Replies that may wait for a client to read them, before no more of its requests are answered.
MOST_REPLIES = 100
#: The outbox of everyone who has nothing waiting. Ten thousand empty ones would be 16 MB.
NOTHING = Outbox()


class Hall:
    """What the clients of one server share."""

    def __init__(self, slow: str) -> None:
        self.slow = slow  #: the answer to a slow reader: "drop", "wait" or "close"
        self.rooms = Rooms()
        self.lagging: dict[Chat, None] = {}  #: with "wait": who has more than LIMIT bytes waiting
        self.waiting: dict[Chat, None] = {}  #: with "wait": who is about to say something to one of these

    def must_wait(self, speaker: Chat, request: Request) -> bool:
        """Whether somebody else in the room is too far behind for one more line."""
        raise NotImplementedError("stage 3: only for say; look at those who lag behind")

    def caught_up(self, reader: Chat) -> None:
        """A reader has caught up or leaves: whoever waits may try again."""
        raise NotImplementedError("stage 3: forget the reader, look_again()")

    def look_again(self) -> None:
        """Somebody may not be in the way any more: whoever waits tries again, and may have to wait again."""
        raise NotImplementedError("stage 3: let everyone who waits converse")


class Chat(Connection):
    """A client of the chat."""

    __slots__ = ("hall", "held", "lines", "name", "request", "rooms", "scheduled")

    out: Outbox
    scratch = Connection.scratch[:4096]  # not more: all that was read is worked through in small portions

    def __init__(self, hall: Hall, server: Server, sock: socket.socket) -> None:
        self.hall = hall
        self.lines = Lines()
        self.request: Request | None = None  #: what is to be done first, once that is possible
        self.held = False  #: requests may wait in `request` and `lines`; nothing is read meanwhile
        self.scheduled = False  #: converse() will go on in the next turn of the loop
        self.name = ""
        self.rooms: set[str] = set()
        super().__init__(server, sock, NOTHING)

    # -- in --------------------------------------------------------------------------------------------------------

    def take(self, data: memoryview) -> None:
        """Bytes have come."""
        raise NotImplementedError("stage 3: feed the lines, converse")

    def wants_to_read(self) -> bool:
        """Not while requests wait that have been read already."""
        return not self.held

    def converse(self) -> None:
        """Answer the requests that are there, in order; stop where it cannot go on, and say who will call again."""
        raise NotImplementedError(
            "stage 3: at most AT_A_TIME; hold when replies wait, or the room's readers lag behind"
        )

    def next_turn(self) -> None:
        """Others had theirs."""
        self.scheduled = False
        self.converse()

    def next_request(self) -> Request | None:
        """The next good request, None if there is none yet. Bad ones are answered, a bad line ends it all."""
        raise NotImplementedError("stage 3: parse the next line; error replies; end() after BadFrame")

    def answer(self, request: Request) -> None:
        """Do what is asked, and reply."""
        raise NotImplementedError(
            "stage 3: Rooms.answer, or an error reply; quit ends the connection; part: look_again()"
        )

    def hold(self) -> None:
        """Read no more until converse() is called again."""
        self.held = True
        self.update()

    # -- out -------------------------------------------------------------------------------------------------------

    def reply(self, line: bytes) -> None:
        """Send a reply, now or later; it is never dropped."""
        self.put(self.hall.rooms.numbered(line), broadcast=False)

    def deliver(self, entry: Entry) -> None:
        """Send a broadcast, now or later; or answer a slow reader as it was asked for on the command line."""
        raise NotImplementedError(
            "stage 3: beyond LIMIT: close the client, or let speakers wait; put() does the dropping"
        )

    def put(self, entry: Entry, *, broadcast: bool) -> None:
        """Send a line, as much of it as the kernel takes; the rest waits, and may push out old broadcasts."""
        raise NotImplementedError("stage 3: send(); what is left goes into an outbox")

    def output_taken(self) -> None:
        """The client reads: tell it what it missed, once it has caught up; go on with what waited for that."""
        raise NotImplementedError(
            "stage 3: `dropped N` when nothing waits any more; Hall.caught_up; converse if held"
        )

    # -- endings ---------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Says and hears nothing new; what waits is still sent."""
        self.leave()
        super().end()

    def closed(self) -> None:
        """The connection is over, however that came."""
        self.leave()

    def leave(self) -> None:
        """Out of all rooms; nobody has to wait for this client any more, nor it for anybody."""
        raise NotImplementedError("stage 3: Rooms.leave, then Hall.caught_up")


def main(arguments: list[str]) -> None:
    """Run the program until SIGTERM."""
    line = program.CommandLine("Rooms in which everyone reads what everyone says.")
    line.add_argument("address", type=parse_address)
    line.add_argument("--slow", choices=("drop", "wait", "close"), default="drop", help="the answer to a slow reader")
    line.add_argument("--idle", type=program.seconds, default=300.0, help="seconds of silence until a client is closed")
    options = line.parse_args(arguments)
    if options.address.kind == "udp":
        line.error("chat_server needs a stream: HOST:PORT, [V6]:PORT or unix:PATH")
    serve(options.address, partial(Chat, Hall(options.slow)), options.idle)


if __name__ == "__main__":
    main(sys.argv[1:])
