"""Non-blocking sockets for a load's clients, plain or with TLS over them, that can end a connection properly.

Rule 1: nothing here waits: what cannot be done now raises BlockingIOError and is asked for again.
Rule 2: each raises OSError (ssl.SSLError is one) with a sentence when the connection is over and should not be.
"""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Any

from harness.tls.record_layer.rules import HEADER

_CHUNK = 262_144


class PlainSocket:
    """A socket as `actors.load.clients` uses one; `shakes`, `parts` and `parted` are for the ends of a connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.came = bytearray()  #: what has come of the first record

    def __getattr__(self, name: str) -> Any:
        """Everything that does not touch the bytes: fileno, family, setsockopt, connect_ex."""
        return getattr(self._sock, name)

    def send(self, data: bytes | memoryview) -> int:
        return self._sock.send(data)

    def recv(self, most: int) -> bytes:
        return self._sock.recv(most)

    def recvmsg(self, most: int, ancillary: int) -> tuple[bytes, list[Any], int, Any]:
        return self._sock.recvmsg(most, ancillary)

    def shakes(self) -> bool:
        """Whether the connection can be used now."""
        return True

    def parts(self) -> None:
        """Say that no more will come."""
        self._sock.shutdown(socket.SHUT_WR)

    def parted(self) -> bool:
        """Read to the other side's end; whether it has come and was clean."""
        data = self._sock.recv(_CHUNK)
        if data:
            raise OSError(errno.EPROTO, "bytes came at the end that nobody asked for")
        return True


class TlsSocket(PlainSocket):
    """The client of a TLS connection."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, name: str | None) -> None:
        super().__init__(sock)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._unsent = b""
        self._owed = 0  # bytes that were encrypted and not yet sent in full
        self._notified = False  # the other side's close_notify came

    @property
    def version(self) -> str | None:
        """The version that was agreed on."""
        return self._tls.version()

    def shakes(self) -> bool:
        """Go on with the handshake; whether it is complete."""
        try:
            if data := self._begins():
                self._incoming.write(data)
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            self._flush()
        return True

    def _begins(self) -> bytes:
        try:
            data = self._sock.recv(_CHUNK)
        except BlockingIOError:
            return b""  # our turn
        if not data:
            raise OSError(errno.ECONNRESET, "the connection ended in the handshake")
        return data

    def send(self, data: bytes | memoryview) -> int:
        """Returns the length once all of it is sent; until then, call it again with the same data."""
        self._flush()
        if self._unsent:
            raise BlockingIOError
        if not self._owed:
            self._owed = self._tls.write(data[:_CHUNK])
            self._flush()
            if self._unsent:
                raise BlockingIOError
        sent, self._owed = self._owed, 0
        return sent

    def recv(self, most: int) -> bytes:
        """Plaintext; b"" is a close_notify. Tickets and other messages in between are consumed."""
        return self._plain(self._sock.recv(most))

    def recvmsg(self, most: int, ancillary: int) -> tuple[bytes, list[Any], int, Any]:
        """Plaintext, and the ancillary data of its last bytes."""
        data, beside, flags, sender = self._sock.recvmsg(most, ancillary)
        return self._plain(data), beside, flags, sender

    def _plain(self, data: bytes) -> bytes:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()
        parts: list[bytes] = []
        while not self._notified:
            try:
                part = self._tls.read(_CHUNK)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLEOFError:
                raise OSError(errno.ECONNRESET, "the connection ended without a close_notify") from None
            parts.append(part)
            self._notified = not part
        self._flush()  # an answer to a KeyUpdate
        if not parts:
            raise BlockingIOError
        return b"".join(parts)

    def parts(self) -> None:
        """Send a close_notify, no FIN."""
        self._unwraps()

    def parted(self) -> bool:
        """Read to close_notify and FIN. Raises OSError when either is missing."""
        data = self._sock.recv(_CHUNK)
        if data:
            self._incoming.write(data)
            self._unwraps()
            return False
        if not self._notified:
            raise OSError(errno.ECONNRESET, "the connection ended without a close_notify")
        return True

    def _unwraps(self) -> None:
        try:
            self._tls.unwrap()
            self._notified = True
        except ssl.SSLWantReadError:
            pass
        finally:
            self._flush()

    def _flush(self) -> None:
        data = self._unsent + self._outgoing.read() if self._outgoing.pending else self._unsent
        while data:
            try:
                data = data[self._sock.send(data) :]
            except BlockingIOError:
                break
        self._unsent = data


#: For a client that never shakes hands: the header of a ClientHello that does not come.
HALF_A_HELLO = bytes([22, 3, 1, 2, 0, 1, 0, 1])
assert len(HALF_A_HELLO) > HEADER
