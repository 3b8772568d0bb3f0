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
        ### BEGIN SOLUTION: stage 3: only for say; look at those who lag behind
        return request.command == "say" and any(
            reader is not speaker and request.name in reader.rooms for reader in self.lagging
        )
        ### END SOLUTION

    def caught_up(self, reader: Chat) -> None:
        """A reader has caught up or leaves: whoever waits may try again."""
        ### BEGIN SOLUTION: stage 3: forget the reader, look_again()
        if reader in self.lagging:
            del self.lagging[reader]
            self.look_again()
        ### END SOLUTION

    def look_again(self) -> None:
        """Somebody may not be in the way any more: whoever waits tries again, and may have to wait again."""
        ### BEGIN SOLUTION: stage 3: let everyone who waits converse
        waiting, self.waiting = self.waiting, {}
        for speaker in waiting:
            speaker.converse()
        ### END SOLUTION


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
        ### BEGIN SOLUTION: stage 3: feed the lines, converse
        self.lines.feed(data)
        self.converse()
        ### END SOLUTION

    def wants_to_read(self) -> bool:
        """Not while requests wait that have been read already."""
        return not self.held

    def converse(self) -> None:
        """Answer the requests that are there, in order; stop where it cannot go on, and say who will call again."""
        ### BEGIN SOLUTION: stage 3: at most AT_A_TIME; hold when replies wait, or the room's readers lag behind
        if self.scheduled or self.server.draining:  # or whoever waits for a client that is ended first would go on
            return
        self.held = False
        self.hall.waiting.pop(self, None)
        for _ in range(AT_A_TIME):
            if self.state is not OPEN:
                return
            if self.out.replies >= MOST_REPLIES:  # output_taken() will call again
                self.hold()
                return
            request = self.request or self.next_request()
            self.request = None
            if request is None:
                self.update()
                return
            if self.hall.must_wait(self, request):  # Hall.caught_up() will call again
                self.request = request
                self.hall.waiting[self] = None
                self.hold()
                return
            self.answer(request)
        self.hold()  # others want their turn
        self.scheduled = True
        self.server.loop.call_later(0, self.next_turn)
        ### END SOLUTION

    def next_turn(self) -> None:
        """Others had theirs."""
        self.scheduled = False
        self.converse()

    def next_request(self) -> Request | None:
        """The next good request, None if there is none yet. Bad ones are answered, a bad line ends it all."""
        ### BEGIN SOLUTION: stage 3: parse the next line; error replies; end() after BadFrame
        try:
            while self.state is OPEN and (line := self.lines.next()) is not None:
                try:
                    return parse_request(line)
                except BadRequest as error:
                    self.reply(frame(f"error {error}"))
        except BadFrame as error:
            self.reply(frame(f"error {error}"))
            self.end()
        return None
        ### END SOLUTION

    def answer(self, request: Request) -> None:
        """Do what is asked, and reply."""
        ### BEGIN SOLUTION: stage 3: Rooms.answer, or an error reply; quit ends the connection; part: look_again()
        try:
            self.reply(self.hall.rooms.answer(self, request))
        except BadRequest as error:
            self.reply(frame(f"error {error}"))
        if request.command == "quit":
            self.end()
        elif request.command == "part":  # however far behind: nobody in that room has to wait for it any more
            self.hall.look_again()
        ### END SOLUTION

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
        ### BEGIN SOLUTION: stage 3: beyond LIMIT: close the client, or let speakers wait; put() does the dropping
        self.put(entry, broadcast=True)
        if len(self.out) > LIMIT:
            if self.hall.slow == "close":
                self.close()
            elif self.hall.slow == "wait":
                self.hall.lagging[self] = None
        ### END SOLUTION

    def put(self, entry: Entry, *, broadcast: bool) -> None:
        """Send a line, as much of it as the kernel takes; the rest waits, and may push out old broadcasts."""
        ### BEGIN SOLUTION: stage 3: send(); what is left goes into an outbox
        count = self.send(entry[1])
        if count == len(entry[1]):
            return
        if not self.blocked:
            self.out = Outbox()
        self.out.put(entry, broadcast=broadcast, begun=count)
        if self.hall.slow == "drop":
            self.out.drop_oldest(LIMIT)
        self.wait_for_room()
        ### END SOLUTION

    def output_taken(self) -> None:
        """The client reads: tell it what it missed, once it has caught up; go on with what waited for that."""
        ### BEGIN SOLUTION: stage 3: `dropped N` when nothing waits any more; Hall.caught_up; converse if held
        if not self.blocked:
            dropped, self.out = self.out.dropped, NOTHING
            if dropped:
                self.reply(frame(f"dropped {dropped}"))
        if len(self.out) <= LIMIT // 2:
            self.hall.caught_up(self)
        if self.held:
            self.converse()
        ### END SOLUTION

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
        ### BEGIN SOLUTION: stage 3: Rooms.leave, then Hall.caught_up
        self.hall.rooms.leave(self)
        self.hall.waiting.pop(self, None)
        self.hall.caught_up(self)
        ### END SOLUTION


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
