"""The listening socket and everybody who came through it.

The mailbox gave every client a thread. Here every client is an object with a method that the loop calls.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

import program
import sockets
from addresses import Address
from connection import Connection
from loop import Loop
from poller import READ

#: Clients accepted in one turn of the loop: others want to be served, too.
AT_A_TIME = 100
#: Seconds without accept() after descriptors have run out.
PAUSE = 0.1
#: Seconds between two looks for silent clients, at most.
LOOK = 1.0
#: Seconds that clients have to read what waits for them after SIGTERM.
DRAIN = 1.5

#: Makes a connection of the server's kind for a new socket.
Maker = Callable[["Server", socket.socket], Connection]


class Server:
    """Accepts clients until SIGTERM."""

    def __init__(self, loop: Loop, listener: socket.socket, make: Maker, idle: float) -> None:
        self.loop = loop
        self.idle = idle  #: seconds of silence until a client is closed
        self._listener = listener
        self._make = make
        self._connections: set[Connection] = set()
        self.draining = False  #: after SIGTERM: whoever still has requests gets no answer to them
        loop.on_sigterm(self.drain)
        loop.watch(listener, READ, self)
        self.look_for_silence()

    def ready(self, _events: int) -> None:
        """Clients wait in the kernel's queue."""
        ### BEGIN SOLUTION: stage 2: accept until EAGAIN; stage 5: pause when descriptors have run out
        for _ in range(AT_A_TIME):
            try:
                sock = sockets.accept(self._listener)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in sockets.NO_ROOM:
                    self.pause()
                    return
                continue  # reset while it waited in the queue
            self._connections.add(self._make(self, sock))
        ### END SOLUTION

    def pause(self) -> None:
        """No descriptor is free. The next client still waits, so that select() would return at once, for ever."""
        ### BEGIN SOLUTION: stage 5: stop watching the listening socket for a while
        self.loop.watch(self._listener, 0, self)
        self.loop.call_later(PAUSE, self.resume)
        ### END SOLUTION

    def resume(self) -> None:
        """Try again."""
        ### BEGIN SOLUTION: stage 5: watch it again, unless the server is ending
        if not self.draining:
            self.loop.watch(self._listener, READ, self)
        ### END SOLUTION

    def look_for_silence(self) -> None:
        """Close whoever has sent nothing and taken nothing for --idle seconds; come again.

        A timer for each client, restarted with every byte, would cost more than the byte. One look at 10,000 clients
        takes a millisecond, and being late by a second does no harm here.
        """
        ### BEGIN SOLUTION: stage 5: compare `active` of every connection with now - idle; set a timer for the next look
        before = self.loop.now - self.idle
        for connection in [each for each in self._connections if each.active < before and each.events]:
            connection.close()
        self.loop.call_later(min(LOOK, self.idle / 4), self.look_for_silence)
        ### END SOLUTION

    def forget(self, connection: Connection) -> None:
        """A connection has been closed."""
        ### BEGIN SOLUTION: stage 2: forget it; stage 5: after SIGTERM, the last one ends the program
        self._connections.discard(connection)
        if self.draining and not self._connections:
            self.loop.stop()
        ### END SOLUTION

    def drain(self) -> None:
        """SIGTERM: accept nobody, answer nothing more, send what waits, and end."""
        ### BEGIN SOLUTION: stage 5: close the listening socket, end() every connection, stop after DRAIN at the latest
        if self.draining:
            return
        self.draining = True
        self.loop.watch(self._listener, 0, self)
        self._listener.close()
        for connection in list(self._connections):
            connection.end()
        if not self._connections:
            self.loop.stop()
        self.loop.call_later(DRAIN, self.loop.stop)
        ### END SOLUTION


def serve(address: Address, make: Maker, idle: float) -> None:
    """Listen at `address` and serve until SIGTERM. Ends the program with status 3 if that cannot be."""
    try:
        listener = sockets.listen(address)
    except OSError as error:
        program.fail(program.CANNOT_CONNECT, f"{address}: {error}")
    loop = Loop()
    try:
        Server(loop, listener, make, idle)
        program.announce(address.bound_as(listener))
        loop.run()
    finally:
        sockets.stop_listening(listener, address)
