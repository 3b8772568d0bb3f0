### GIVEN TO STUDENTS
"""Drives a Connection on a UDP socket: brings it datagrams, time and the application's bytes, and sends what it says.

You get this file unchanged. The Connection knows no socket and no clock; this file knows nothing of segments:

    standard input ──> send() ┌────────────┐ datagrams_to_send() ──> sendto()
                              │ Connection │
    standard output <─ read() └────────────┘ receive_datagram()  <── recvfrom(), if the datagram is the peer's

One thread. It sleeps in select() until a datagram, a byte of input, room for output, or the connection's timer is
there, and never anywhere else: who waits for a full pipe misses the timer.
"""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from typing import Protocol

from connection import Connection
from events import Event
from program import TERMINATED
from streams import Input, Output, Termination

#: Bytes of a datagram that are looked at: more than a segment can have, so a larger one is cut, and is not one then.
LARGEST = 2048
#: Buffers that the kernel is asked for (bytes); it may give less.
BUFFER = 4 << 20
#: Datagrams that are taken before the application has its turn.
TURN = 64
#: Output that may wait here (bytes). Beyond that the connection keeps it, and its window closes.
MOST_OUTPUT = 65536

#: Host and port.
Pair = tuple[str, int]


class Peer(Protocol):
    """Whom the program talks to: your part, in conversation.py."""

    #: Where datagrams are sent; None as long as nobody is known.
    address: Pair | None

    def takes(self, datagram: bytes, source: Pair) -> bool:
        """Whether a datagram that came from `source` is for the connection."""
        ...


class Driver:
    """One connection on one socket until it is over."""

    def __init__(
        self,
        connection: Connection,
        sock: socket.socket,
        peer: Peer,
        *,
        source: Input | None = None,
        sink: Output | None = None,
    ) -> None:
        """Without a source nothing is sent, and we end when the peer has; without a sink, what comes is discarded."""
        self.connection = connection
        self.connected = False  #: whether it ever was
        self.over: Event | None = None  #: CLOSED, RESET or TIMED_OUT, once it is over
        self._sock, self._peer, self._source, self._sink = sock, peer, source, sink
        self._input = b""  # read from the source, not taken by the connection yet
        self._output = bytearray()  # read from the connection, not taken by the sink yet
        self._all_read = False  # the peer has ended, so what is in `_output` is the rest
        self._outgoing: deque[bytes] = deque()  # datagrams that the kernel had no room for
        self._termination = Termination()
        sock.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, BUFFER)

    def run(self) -> None:
        """Until the connection is over and the sink has everything. However else this is left, the peer learns of it.

        SIGTERM raises SystemExit, a sink that nobody reads any more BrokenPipeError.
        """
        try:
            while True:
                self._serve_application()
                self._transmit()
                if self.over is not None and not self._output:
                    return
                self._wait()
        finally:
            if self.over is None:
                self.connection.abort()
                self._outgoing.clear()
                self._transmit()

    # -- the application's side --------------------------------------------------------------------------------

    def _serve_application(self) -> None:
        connection = self.connection
        while (event := connection.next_event()) is not None:
            if event is Event.CONNECTED:
                self.connected = True
            elif event is Event.END_OF_STREAM:
                self._all_read = True
                if self._source is None:
                    connection.end()
            elif event is not Event.SEND_AFTER_END:
                self.over = event
        if self._input:
            self._input = self._input[connection.send(self._input) :]
        while len(self._output) < MOST_OUTPUT and (data := connection.read(MOST_OUTPUT)):
            if self._sink is not None:
                self._output += data
        if (self._all_read or self.over) and not self._output and self._sink is not None:
            self._sink.close()  # now, not after TIME-WAIT: somebody may be waiting for the end
            self._sink = None

    def _take_input(self) -> None:
        assert self._source is not None
        data = self._source.read()
        if data:
            self._input = data
        elif data == b"":
            self._source = None
            self.connection.end()

    # -- the network's side ------------------------------------------------------------------------------------

    def _receive(self) -> None:
        """Take what has come. After each datagram the connection is asked what it has to say (rule 0.3)."""
        for _ in range(TURN):
            try:
                datagram, source = self._sock.recvfrom(LARGEST)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error, or on Windows a datagram that is too large: not for us
            if self._peer.takes(datagram, source[:2]):
                self.connection.receive_datagram(datagram, now=time.monotonic())
                self._transmit()

    def _transmit(self) -> None:
        """Send what the connection has to say, as far as the kernel has room for it."""
        if not self._outgoing:
            self._outgoing.extend(self.connection.datagrams_to_send(now=time.monotonic()))
        while self._outgoing and self._peer.address is not None:
            try:
                self._sock.sendto(self._outgoing[0], self._peer.address)
            except BlockingIOError:
                return  # select() will tell when there is room
            except OSError:
                pass  # no route, no buffer: lost, like so much that is sent
            self._outgoing.popleft()

    # -- waiting -----------------------------------------------------------------------------------------------

    def _wait(self) -> None:
        """Sleep until something can be done, and do it."""
        readable: list[object] = [self._termination]
        writable: list[object] = []
        timer = None
        if self.over is None:
            readable.append(self._sock)
            if self._source is not None and not self._input:
                readable.append(self._source)
            if self._outgoing:
                writable.append(self._sock)
            timer = self.connection.next_timer()
        if self._output:
            writable.append(self._sink)
        timeout = None if timer is None else max(0.0, timer - time.monotonic())
        can_read, can_write, _ = select.select(readable, writable, [], timeout)
        if self._termination in can_read:
            raise SystemExit(TERMINATED)
        if self._source in can_read:
            self._take_input()
        if self._sock in can_read:
            self._receive()
        if self._sink in can_write:
            assert self._sink is not None
            del self._output[: self._sink.write(self._output)]
        now = time.monotonic()
        if timer is not None and (timer := self.connection.next_timer()) is not None and timer <= now:
            self.connection.handle_timer(now=now)
