"""What is behind a pipe under load: an echo in the tester, plain or over TLS, for hundreds of connections.

Rule 1: one thread, one selector; a connection whose output is full is not read from.
Rule 2: it ends a connection when the other side has ended and everything was echoed; how each ended is counted.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import threading
from dataclasses import dataclass

from harness.actors.story import Story
from harness.course.address import Address
from harness.lab.linger import reset_and_close

#: Bytes held for one connection before reading from it stops.
_FULL = 262_144
_CHUNK = 65_536
_GIVE_UP = 5.0


@dataclass
class Ends:
    """How connections ended so far."""

    clean: int = 0  #: plain: a FIN; TLS: a close_notify and a FIN
    truncated: int = 0  #: TLS: a FIN without a close_notify
    reset: int = 0
    refused: int = 0  #: TLS: the handshake failed, or a record was bad

    @property
    def all(self) -> int:
        """The sum of them."""
        return self.clean + self.truncated + self.reset + self.refused


class _Plain:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.out = bytearray()
        self.events = 0
        self.over = False  # nothing is left to echo
        self.ended = False  # the other side's FIN has come
        self.finished = False  # ours is sent

    def comes(self, data: bytes) -> None:
        """Bytes came."""
        self.out += data

    def ends(self) -> str | None:
        """The stream ended; how, if not cleanly."""
        self.ended = self.over = True
        return None


class _Tls(_Plain):
    """One connection whose server side of TLS is here."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        super().__init__(sock)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._shaken = self._notified = False

    def comes(self, data: bytes) -> None:
        """Records came. Raises ssl.SSLError."""
        if self._notified:
            return  # whatever it is, nobody reads it
        self._incoming.write(data)
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
            while not self._notified:
                if part := self._tls.read(_CHUNK):
                    self._tls.write(part)
                else:
                    self._notified = self.over = True
                    self._unwraps()
        except ssl.SSLWantReadError:
            pass
        finally:
            self.out += self._outgoing.read()

    def _unwraps(self) -> None:
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass  # the close_notify is out

    def ends(self) -> str | None:
        """The stream ended; how, if not cleanly."""
        self.ended = True
        if self._notified:
            return None
        return "truncated" if self._shaken else "refused"


def _room() -> int:
    """Connections that may be open here: half of the tester's descriptors, the rest is for its clients."""
    try:
        import resource
    except ImportError:
        return 1000  # Windows has no such limit
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 8000 if soft == resource.RLIM_INFINITY else min(8000, soft // 2)


class Echo:
    """Made by `lab.tls.echo`. `address` is what a pipe is told: past the link's relay, not built for hundreds."""

    def __init__(self, listening: socket.socket, story: Story, context: ssl.SSLContext | None = None) -> None:
        host, port = listening.getsockname()[:2]
        self.address = Address("tcp", host=host, port=port)
        self.ends = Ends()
        self.accepted = 0  #: connections so far
        self._story = story
        self._context = context
        self._listening = listening
        self._open: set[_Plain] = set()
        self._changed = threading.Condition()
        self._selector = selectors.DefaultSelector()
        self._ours, self._woken = socket.socketpair()
        self._over = False
        listening.setblocking(False)
        self._selector.register(listening, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True, name="echo")
        self._thread.start()

    @property
    def count(self) -> int:
        """Connections open now."""
        with self._changed:
            return len(self._open)

    def dismiss(self) -> None:
        """End of the test: reset what is open, end the thread."""
        if self._over:
            return
        self._over = True
        self._ours.send(b"!")
        self._thread.join(_GIVE_UP)
        for connection in self._open:
            reset_and_close(connection.sock)
        for sock in (self._listening, self._ours, self._woken):
            sock.close()
        self._selector.close()

    # -- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._over:
            ready = self._selector.select()
            with self._changed:
                for key, events in ready:
                    if key.fileobj is self._listening:
                        self._accept()
                    elif isinstance(key.data, _Plain):
                        self._attend(key.data, events)
                self._changed.notify_all()

    def _accept(self) -> None:
        for _ in range(64):
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return  # nobody is waiting, or they have gone again
            if len(self._open) >= _room():
                reset_and_close(sock)  # no test needs so many: someone is trying to use up the tester's descriptors
                continue
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = _Plain(sock) if self._context is None else _Tls(sock, self._context)
            self.accepted += 1
            self._open.add(connection)
            self._watch(connection)

    def _attend(self, connection: _Plain, events: int) -> None:
        try:
            if events & selectors.EVENT_READ:
                self._read(connection)
            self._send(connection)
        except ssl.SSLError:
            self._leave(connection, "refused")
        except OSError:  # after both ends this is expected
            self._leave(connection, "clean" if connection.finished else "reset")
        else:
            if connection in self._open:
                self._watch(connection)

    def _read(self, connection: _Plain) -> None:
        try:
            data = connection.sock.recv(_CHUNK)
        except BlockingIOError:
            return
        if data:
            connection.comes(data)
        elif how := connection.ends():
            self._leave(connection, how)

    def _send(self, connection: _Plain) -> None:
        if connection not in self._open:
            return
        try:
            while connection.out:
                del connection.out[: connection.sock.send(connection.out)]
        except BlockingIOError:
            return
        if connection.over and not connection.finished:
            connection.sock.shutdown(socket.SHUT_WR)
            connection.finished = True
        if connection.ended and connection.finished:
            self._leave(connection, "clean")

    def _watch(self, connection: _Plain) -> None:
        reads = len(connection.out) < _FULL and not connection.ended
        wanted = (selectors.EVENT_READ if reads else 0) | (selectors.EVENT_WRITE if connection.out else 0)
        if wanted == connection.events:
            return
        if connection.events:
            self._selector.modify(connection.sock, wanted, connection)
        else:
            self._selector.register(connection.sock, wanted, connection)
        connection.events = wanted

    def _leave(self, connection: _Plain, how: str) -> None:
        self._open.discard(connection)
        self._selector.unregister(connection.sock)
        setattr(self.ends, how, getattr(self.ends, how) + 1)
        if how == "clean":
            connection.sock.close()
        else:
            reset_and_close(connection.sock)
