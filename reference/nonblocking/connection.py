"""One client of a server: read when there is something, write when there is room, and end well.

    OPEN ------- end() ------> FINISHING -- all output sent --> LINGERING -- the client ends, or a second --> CLOSED
                               (FIN follows the output)         (what still comes is thrown away)

An error, a reset or a silence that is too long leads from everywhere to CLOSED.

What differs from the mailbox's thread: nothing here waits. Each method does what can be done now and returns; what a
thread keeps in its local variables and its place in the program is in attributes instead.
"""

from __future__ import annotations

import enum
import socket
from typing import TYPE_CHECKING

from buffers import LIMIT, Outbox, Output
from poller import READ, WRITE

if TYPE_CHECKING:
    from server import Server

#: All connections read into the same memory, one after the other: a buffer for each would be 640 MB for 10,000.
SCRATCH = bytearray(65536)
#: Seconds that a connection lingers for the client's end.
PATIENCE = 1.0


class State(enum.Enum):
    """The phases of a connection."""

    OPEN = 0  #: reads, and answers
    FINISHING = 1  #: reads no more, sends what waits
    LINGERING = 2  #: has sent its FIN, throws away what comes
    CLOSED = 3  #: no longer has a socket


OPEN, FINISHING, LINGERING, CLOSED = State


class Connection:
    """A client. Subclasses say what they do with what arrives (`take`)."""

    __slots__ = ("active", "blocked", "events", "out", "server", "sock", "state")

    scratch = memoryview(SCRATCH)  #: where bytes are received, and how many at a time

    def __init__(self, server: Server, sock: socket.socket, out: Output | Outbox) -> None:
        self.server = server
        self.sock = sock
        self.out = out  #: what the kernel has not taken yet
        self.state = OPEN
        self.blocked = False  #: the kernel's buffer is full, and `out` is not empty
        self.events = 0  #: what the loop watches for
        self.active = server.loop.now  #: when the client last sent or took something
        self.update()

    # -- what a subclass does --------------------------------------------------------------------------------------

    def take(self, data: memoryview) -> None:
        """Bytes have come. The memory is used again as soon as this returns."""
        raise NotImplementedError

    def input_ended(self) -> None:
        """The client has ended its sending side: it may still read all that is on its way."""
        self.end()

    def output_taken(self) -> None:
        """The kernel has taken some of what waited, perhaps all."""

    def closed(self) -> None:
        """The connection is over, however that came."""

    def wants_to_read(self) -> bool:
        """Whether more may be read now. No, while the client does not take what it has been sent."""
        return len(self.out) < LIMIT

    # -- called by the loop ----------------------------------------------------------------------------------------

    def ready(self, events: int) -> None:
        """The socket is ready. Only one piece is read, so that a greedy client gets its turn and no more.

        Another client's handler may have closed this connection, or stopped its reading, since select() returned:
        what counts is what is wanted now.
        """
        ### BEGIN SOLUTION: stage 2: write if writable, read if readable, as far as both are still wanted
        if events & WRITE and self.events & WRITE:
            self.flush()
        if events & READ and self.events & READ:
            self.receive()
        ### END SOLUTION

    def receive(self) -> None:
        """Read one piece."""
        ### BEGIN SOLUTION: stage 2: recv_into; EAGAIN is nothing, 0 bytes are the end, an error is the end of all
        try:
            count = self.sock.recv_into(self.scratch)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self.active = self.server.loop.now
        if self.state is not OPEN:  # lingering: only the end is of interest
            if not count:
                self.close()
        elif count:
            self.take(self.scratch[:count])
        else:
            self.input_ended()
        ### END SOLUTION

    def flush(self) -> None:
        """Offer the kernel what waits, once."""
        ### BEGIN SOLUTION: stage 2: send, forget what was taken; when nothing is left, stop asking for writability
        try:
            count = self.sock.send(self.out.head())
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self.active = self.server.loop.now
        self.out.taken(count)
        self.blocked = len(self.out) > 0
        self.output_taken()
        if self.state is FINISHING and not self.blocked:
            self.linger()
        self.update()
        ### END SOLUTION

    # -- called by subclasses --------------------------------------------------------------------------------------

    def send(self, data: bytes | memoryview) -> int:
        """Send what the kernel takes at once; how much that was. The caller keeps the rest, and calls wait_for_room().

        Most of the time there is room, so it is tried first: asking whether there is would be one more system call.
        """
        ### BEGIN SOLUTION: stage 2: nothing may overtake what waits already; EAGAIN means that 0 bytes were taken
        if self.blocked:
            return 0
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self.close()
            return len(data)  # nobody will miss them
        ### END SOLUTION

    def wait_for_room(self) -> None:
        """Something waits in `out`: ask for writability, and perhaps stop reading."""
        self.blocked = True
        self.update()

    def update(self) -> None:
        """Watch the socket for what matters now. Whoever always asks for writability is always told, and spins."""
        ### BEGIN SOLUTION: stage 2: WRITE only while blocked, READ only while wanted; tell the loop if that changed
        if self.state is CLOSED:
            return
        reads = self.state is LINGERING or (self.state is OPEN and self.wants_to_read())
        events = (READ if reads else 0) | (WRITE if self.blocked else 0)
        if events != self.events:
            if not self.events:
                self.active = self.server.loop.now  # while nobody listened to it, it was not silent
            self.events = events
            self.server.loop.watch(self.sock, events, self)
        ### END SOLUTION

    # -- endings ---------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Read no more; send what waits, then the FIN."""
        ### BEGIN SOLUTION: stage 5: if nothing waits, linger now; else flush() will
        if self.state is OPEN:
            self.state = FINISHING
            if self.blocked:
                self.update()
            else:
                self.linger()
        ### END SOLUTION

    def linger(self) -> None:
        """Send the FIN and wait a while for the client's. A close now, with input unread, would be a reset.

        RFC 1122 section 4.2.2.13. The mailbox's close_gently() waits here; this one sets a timer.
        """
        ### BEGIN SOLUTION: stage 5: shutdown(SHUT_WR), watch for the client's end, close after PATIENCE at most
        self.state = LINGERING
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()
            return
        self.update()
        self.server.loop.call_later(PATIENCE, self.close)
        ### END SOLUTION

    def close(self) -> None:
        """Forget the client, whatever waits."""
        ### BEGIN SOLUTION: stage 2: tell the loop before the descriptor is free to become another connection's
        if self.state is CLOSED:
            return
        self.server.loop.watch(self.sock, 0, self)
        self.state, self.events, self.blocked = CLOSED, 0, False
        self.sock.close()
        self.server.forget(self)
        self.closed()
        ### END SOLUTION
