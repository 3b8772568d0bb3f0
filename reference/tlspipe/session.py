"""The life of each connection of the pipe, from accept to close.

    client: accept a plain connection, connect to the server, shake hands, then carry bytes
    server: accept a TLS connection, shake hands, then connect to the backend, then carry bytes

Rule 1: nothing is carried before the handshake is done: who has not proved himself gets and gives not one byte.
Rule 2: nobody waits for anybody: a handshake that never comes costs an entry in a table, and that for a while only.
Rule 3: whatever goes wrong ends this connection, no other, and it ends it with a reset: nobody takes it for an end.
"""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable
from typing import NamedTuple

import sockets
from addresses import Address
from endings import Ending, Over
from legs import Legs
from loop import Loop, Timer
from poller import READ, WRITE
from tls import TlsStream
from wire import Wire

### BEGIN SOLUTION: stage 3: how long to wait for what
#: Seconds for a TCP connection to be made, and for the peer's end after ours.
CONNECT_WITHIN, LINGER = 10.0, 5.0
### END SOLUTION


class Plan(NamedTuple):
    """What a pipe does with each connection it accepts."""

    serves: bool  #: TLS is on the side that is accepted
    target: Address  #: where the other side is
    make_tls: Callable[[], TlsStream]  #: a new TLS side
    handshake_timeout: float  #: seconds


class Session:
    """One accepted connection with its other half, until both are closed."""

    def __init__(
        self, loop: Loop, plan: Plan, accepted: socket.socket, on_end: Callable[[Session, Over], None]
    ) -> None:
        """`on_end` is called once, when all is over and closed."""
        ### BEGIN SOLUTION: stage 1: a server has the wire and lacks the plain side, a client the other way round
        self._loop, self._plan, self._on_end = loop, plan, on_end
        self._plain: socket.socket | None = None
        self._wire: Wire | None = None
        self._timer: Timer | None = None
        self._plain_ready: Callable[[int], None] | None = None
        self._wire_ready: Callable[[int], None] | None = None
        self._over: Over | None = None
        if plan.serves:
            self._wire = Wire(accepted, plan.make_tls())
        else:
            self._plain = accepted
        ### END SOLUTION

    def begin(self) -> None:
        """A server waits for the client's first word, a client connects."""
        ### BEGIN SOLUTION: stage 1: shake hands or connect
        self._guarded(self._shake if self._plan.serves else self._connect)
        ### END SOLUTION

    def stop(self) -> None:
        """The program ends: what is open is cut, and nobody takes that for an end."""
        ### BEGIN SOLUTION: stage 3: as a reset
        self._fail(Over(Ending.RESET, "the pipe was stopped"))
        ### END SOLUTION

    ### BEGIN SOLUTION: stage 1: connect, shake, carry; stage 3: every way to end; stage 4: nobody waits
    def _guarded(self, act: Callable[..., None], *args: object) -> None:
        """Do something for this connection: whatever goes wrong is its end."""
        try:
            act(*args)
        except Over as over:
            self._fail(over)
        except OSError as error:
            self._fail(Over(Ending.RESET, error.strerror or error))

    # -- connect -------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        try:
            other = sockets.begin_to_connect(self._plan.target)
        except OSError as error:
            raise Over(Ending.UNREACHABLE, f"{self._plan.target}: {error.strerror}") from None
        if self._plan.serves:
            self._plain = other
        else:
            self._wire = Wire(other, self._plan.make_tls())
        self._limit(CONNECT_WITHIN, Over(Ending.UNREACHABLE, f"{self._plan.target} does not answer"))
        self._watch(other, WRITE, functools.partial(self._connected, other))

    def _connected(self, other: socket.socket, _events: int) -> None:
        try:
            sockets.check_connected(other)
        except OSError as error:
            raise Over(Ending.UNREACHABLE, f"{self._plan.target}: {error.strerror}") from None
        self._loop.watch(other, 0, self._never)
        if self._plan.serves:
            self._carry()
        else:
            self._shake()

    # -- shake hands ---------------------------------------------------------------------------------------------

    def _shake(self) -> None:
        self._limit(self._plan.handshake_timeout, Over(Ending.TIMEOUT, "no handshake in time"))
        if not self._plan.serves:
            self._wire.tls.shake_hands()
        self._shaking(0)

    def _shaking(self, events: int) -> None:
        wire = self._wire
        if events & ~WRITE and wire.fill():
            wire.tls.shake_hands()
        wire.flush()
        if not wire.tls.shaken:
            self._watch(wire.socket, READ | (WRITE if wire.waits else 0), self._shaking)
        elif self._plan.serves:
            self._loop.watch(wire.socket, 0, self._never)
            self._connect()
        else:
            self._carry()

    # -- carry bytes ---------------------------------------------------------------------------------------------

    def _carry(self) -> None:
        self._no_limit()
        legs = Legs(self._plain, self._wire, self._watch_both)
        self._plain_ready = functools.partial(self._guarded, self._leg, legs, legs.plain_ready)
        self._wire_ready = functools.partial(self._guarded, self._leg, legs, legs.wire_ready)
        legs.move()  # something may have come after the last record of the handshake

    def _watch_both(self, plain: int, wire: int) -> None:
        self._loop.watch(self._plain, plain, self._plain_ready)
        self._loop.watch(self._wire.socket, wire, self._wire_ready)

    def _leg(self, legs: Legs, ready: Callable[[int], None], events: int) -> None:
        ready(events)
        if legs.over:
            self._linger()

    # -- end -----------------------------------------------------------------------------------------------------

    def _linger(self) -> None:
        """All is said. Unread bytes (a session ticket, say) would turn our close() into a reset: read on to the end."""
        self._loop.watch(self._plain, 0, self._never)
        self._plain.close()
        self._over = Over(Ending.CLOSED, "by both sides")  # even if the peer's reset is faster than our FIN
        self._wire.socket.shutdown(socket.SHUT_WR)
        self._limit(LINGER, self._over)
        self._lingering(0)

    def _lingering(self, events: int) -> None:
        if events:
            self._wire.skip()  # TLS is over: nothing that comes now means anything
        if self._wire.ended:
            self._finish(self._over)
        else:
            self._watch(self._wire.socket, READ, self._lingering)

    def _fail(self, over: Over) -> None:
        """The wire gets the alert that OpenSSL may have made, both sides a reset."""
        over = self._over or over  # while we linger nothing can go wrong any more
        if self._wire:
            self._say_why(over)
        if self._plain and self._plain.fileno() != -1:
            self._loop.watch(self._plain, 0, self._never)
            sockets.reset(self._plain)
        self._finish(over)

    def _say_why(self, over: Over) -> None:
        alert = over.ending in (Ending.REFUSED, Ending.BROKEN) and self._wire.waits
        try:
            self._wire.flush()
        except OSError:
            pass
        if not alert or self._wire.waits:
            self._loop.watch(self._wire.socket, 0, self._never)
            sockets.reset(self._wire.socket)

    def _finish(self, over: Over) -> None:
        self._no_limit()
        if self._wire and self._wire.socket.fileno() != -1:
            self._loop.watch(self._wire.socket, 0, self._never)
            self._wire.socket.close()
        # The callbacks form a reference cycle: break it, or OpenSSL's memory waits for the garbage collector.
        self._plain_ready = self._wire_ready = None
        self._plain = self._wire = None
        self._on_end(self, over)

    # -- waiting -------------------------------------------------------------------------------------------------

    def _watch(self, sock: socket.socket, events: int, call: Callable[[int], None]) -> None:
        self._loop.watch(sock, events, functools.partial(self._guarded, call))

    def _limit(self, seconds: float, over: Over) -> None:
        self._no_limit()
        self._timer = self._loop.call_later(seconds, lambda: self._fail(over))

    def _no_limit(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None

    @staticmethod
    def _never(_events: int) -> None:
        """Nothing is watched, so nobody calls."""

    ### END SOLUTION
