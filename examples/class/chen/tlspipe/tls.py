"""TLS without a socket: bytes from the wire in, bytes for the wire out, plain text on the other side. Sans-IO.

TLS is a library above the socket. `ssl.MemoryBIO` shows it: two buffers stand where the socket stood, and whoever
drives this class moves their contents. So one thread can drive a thousand of them, and a test can do without a network.

    wire --- receive() ----> incoming BIO --.                  .--> read()  --- plain text
                                             SSLObject (OpenSSL)
    wire <-- data_to_send() - outgoing BIO <-'                 '<-- write() --- plain text

Law: no socket and no clock in here. Every way to fail is `Over`; the alert for the peer is then in data_to_send().
"""

from __future__ import annotations

import ipaddress
import ssl

from endings import Ending, Over

#: The most plain text in one record (RFC 8446, section 5.1). SSLObject.read() hands out one record at a time.
RECORD = 1 << 14


class TlsStream:
    """One side of one TLS connection. First `shake_hands` until `shaken`, then `read` and `write`."""

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        server_name: str | None = None,
        client_name: str | None = None,
        alpn: str | None = None,
        tickets: list[ssl.SSLSession] | None = None,
    ) -> None:
        """With `server_name` we are the client and want to talk to this host; without, we are the server.

        `client_name`: the server wants a client whose certificate has this name. `alpn`: what has to be agreed upon.
        `tickets` (may be left alone): what clients of this context and this name keep from one connection for the next.
        """
        raise NotImplementedError("stage 1: two MemoryBIOs and context.wrap_bio; stage 2: server_hostname")

    # -- the wire's side -----------------------------------------------------------------------------------------

    def receive(self, data: memoryview) -> None:
        """Bytes came from the wire; none: it has ended. Then call shake_hands() or read() until there is no more."""
        raise NotImplementedError("stage 1: into the BIO")

    def data_to_send(self) -> bytes:
        """What is to be written to the wire now."""
        raise NotImplementedError("stage 1: out of the BIO")

    @property
    def waiting(self) -> int:
        """How many bytes data_to_send() would give."""
        raise NotImplementedError("stage 1: what is pending in the BIO")

    # -- the handshake -------------------------------------------------------------------------------------------

    def shake_hands(self) -> None:
        """Begin the handshake, or go on with it as far as what has come allows. Raises Over."""
        raise NotImplementedError(
            "stage 1: do_handshake; SSLWantReadError: not yet; stage 2: a refusal is Ending.REFUSED"
        )

    # Stage 5: the application protocol and the client's name, which OpenSSL leaves to us.
    pass

    # Stage 6: with a ticket, the next handshake takes half the time (may be left out).
    pass

    # -- the plain side ------------------------------------------------------------------------------------------

    def read(self, buffer: memoryview) -> int:
        """Decrypt into `buffer`; how many bytes. 0: no more for now, or `peer_closed`. Raises Over.

        OpenSSL may hold more than one read takes, and no select() tells of that: call again until it answers 0.
        """
        raise NotImplementedError(
            "stage 1: read while there is room for a record; stage 3: tell the endings apart"
        )

    def write(self, data: memoryview) -> None:
        """Encrypt. The BIO takes everything: look at `waiting` and `blocked` before. Raises Over."""
        raise NotImplementedError(
            "stage 1: write, until all is taken; stage 4: SSLWantReadError: keep the rest"
        )

    @property
    def blocked(self) -> bool:
        """Something could not be written before the peer has said more: write nothing else. read() tries it again."""
        raise NotImplementedError("stage 4: plain text, or its end")

    # Stage 4: what was blocked.
    pass

    def close(self) -> None:
        """Say close_notify: nothing more will be written. Reading goes on (RFC 8446, section 6.1). Raises Over."""
        raise NotImplementedError("stage 3: unwrap(), with an empty incoming BIO")


# Stage 2: what OpenSSL says, for people; stage 5: the names in a certificate.
