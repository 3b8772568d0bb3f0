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
        ### BEGIN SOLUTION: stage 1: two MemoryBIOs and context.wrap_bio; stage 2: server_hostname
        self.shaken = False  #: the handshake is done: now there may be plain text
        self.peer_closed = False  #: the peer's close_notify was read: it has said all it wanted to say
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._cut = False  # the wire has ended
        self._failure: Over | None = None  # to be raised when what came before it has been read
        self._unwritten = b""  # plain text that OpenSSL does not take before it has read something
        self._closing = False  # and close_notify after it
        self._client_name, self._alpn, self._tickets = client_name, alpn, tickets
        self._object = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_name is None,
            server_hostname=server_name,  # sent as SNI and compared; an IP address is compared and not sent
            session=tickets[0] if tickets else None,
        )
        ### END SOLUTION

    # -- the wire's side -----------------------------------------------------------------------------------------

    def receive(self, data: memoryview) -> None:
        """Bytes came from the wire; none: it has ended. Then call shake_hands() or read() until there is no more."""
        ### BEGIN SOLUTION: stage 1: into the BIO
        # No write_eof(): after it nothing could be put back, which close() may have to do.
        if data:
            self._incoming.write(data)
        else:
            self._cut = True
        ### END SOLUTION

    def data_to_send(self) -> bytes:
        """What is to be written to the wire now."""
        ### BEGIN SOLUTION: stage 1: out of the BIO
        return self._outgoing.read()
        ### END SOLUTION

    @property
    def waiting(self) -> int:
        """How many bytes data_to_send() would give."""
        ### BEGIN SOLUTION: stage 1: what is pending in the BIO
        return self._outgoing.pending
        ### END SOLUTION

    # -- the handshake -------------------------------------------------------------------------------------------

    def shake_hands(self) -> None:
        """Begin the handshake, or go on with it as far as what has come allows. Raises Over."""
        ### BEGIN SOLUTION: stage 1: do_handshake; SSLWantReadError: not yet; stage 2: a refusal is Ending.REFUSED
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            if self._cut:
                raise Over(Ending.TRUNCATED, "the connection ended in the handshake") from None
            return
        except ssl.SSLCertVerificationError as error:
            raise Over(Ending.REFUSED, error.verify_message) from None
        except ssl.SSLError as error:
            raise Over(Ending.REFUSED, _reason(error)) from None
        self._check_peer()
        self.shaken = True
        ### END SOLUTION

    ### BEGIN SOLUTION: stage 5: the application protocol and the client's name, which OpenSSL leaves to us
    def _check_peer(self) -> None:
        """Raises Over, and then nothing that waits is sent any more: it would tell the peer that all is well."""
        refusal = None
        if self._alpn is not None and self._object.selected_alpn_protocol() != self._alpn:
            refusal = f"no agreement on the protocol {self._alpn!r} (ALPN)"
        if self._client_name is not None:
            names = _names(self._object.getpeercert() or {})
            if _name(self._client_name) not in names:
                refusal = f"the client is {', '.join(sorted(map(str, names))) or 'nameless'}, not {self._client_name}"
        if refusal:
            self._outgoing.read()
            raise Over(Ending.REFUSED, refusal)

    ### END SOLUTION

    ### BEGIN SOLUTION: stage 6: with a ticket, the next handshake takes half the time (may be left out)
    def _keep_ticket(self) -> None:
        """After an orderly end only (RFC 8446, section 6.2). With a ticket no certificate is sent, nor looked at again.

        Appendix C.4 advises against using one twice: who watches could tell that it is the same client. A pipe always
        comes from the same address anyway.
        """
        if self._tickets is not None and not self._object.session_reused:
            session = self._object.session
            self._tickets[:] = [session] if session and session.has_ticket else []

    ### END SOLUTION

    # -- the plain side ------------------------------------------------------------------------------------------

    def read(self, buffer: memoryview) -> int:
        """Decrypt into `buffer`; how many bytes. 0: no more for now, or `peer_closed`. Raises Over.

        OpenSSL may hold more than one read takes, and no select() tells of that: call again until it answers 0.
        """
        ### BEGIN SOLUTION: stage 1: read while there is room for a record; stage 3: tell the endings apart
        if self._failure:
            raise self._failure
        filled = 0
        try:
            # Whole records only, so that nothing is left inside of OpenSSL: an empty BIO then means no more.
            while self._incoming.pending and len(buffer) - filled >= RECORD:
                count = self._object.read(RECORD, buffer[filled:])  # type: ignore[arg-type]
                if not count:
                    self.peer_closed = True
                    break
                filled += int(count)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:  # close_notify as well, when ours has been sent before
            self.peer_closed = True
        except ssl.SSLError as error:
            self._failure = Over(Ending.BROKEN, _reason(error))
        if self._cut and not self._incoming.pending and not self.peer_closed and not self._failure:
            self._failure = Over(Ending.TRUNCATED, "the connection ended without close_notify")
        if self.peer_closed:
            self._keep_ticket()
        if self._failure and not filled:
            raise self._failure
        if self.blocked:
            self._try_again()
        return filled
        ### END SOLUTION

    def write(self, data: memoryview) -> None:
        """Encrypt. The BIO takes everything: look at `waiting` and `blocked` before. Raises Over."""
        ### BEGIN SOLUTION: stage 1: write, until all is taken; stage 4: SSLWantReadError: keep the rest
        try:
            while data:
                data = data[self._object.write(data) :]
        except ssl.SSLWantReadError:  # half a message of the peer's is in: a session ticket, a key update
            self._unwritten = bytes(data)
        except ssl.SSLError as error:
            raise Over(Ending.BROKEN, _reason(error)) from None
        ### END SOLUTION

    @property
    def blocked(self) -> bool:
        """Something could not be written before the peer has said more: write nothing else. read() tries it again."""
        ### BEGIN SOLUTION: stage 4: plain text, or its end
        return bool(self._unwritten) or self._closing
        ### END SOLUTION

    ### BEGIN SOLUTION: stage 4: what was blocked
    def _try_again(self) -> None:
        data, self._unwritten = memoryview(self._unwritten), b""
        self.write(data)
        if self._closing and not self._unwritten:
            self._closing = False
            self.close()

    ### END SOLUTION

    def close(self) -> None:
        """Say close_notify: nothing more will be written. Reading goes on (RFC 8446, section 6.1). Raises Over."""
        ### BEGIN SOLUTION: stage 3: unwrap(), with an empty incoming BIO
        # unwrap() sends our close_notify and then looks for the peer's. If it finds data instead
        # (APPLICATION_DATA_AFTER_CLOSE_NOTIFY), the connection is dead: so let it find nothing, and put it back.
        unread = self._incoming.read()
        try:
            self._object.unwrap()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            if error.reason != "SHUTDOWN_WHILE_IN_INIT":
                raise Over(Ending.BROKEN, _reason(error)) from None
            self._closing = True  # as in write()
        self._incoming.write(unread)
        ### END SOLUTION


### BEGIN SOLUTION: stage 2: what OpenSSL says, for people; stage 5: the names in a certificate
def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")


def _names(certificate: object) -> set[object]:
    """The names that a verified certificate gives its owner. A wildcard is nobody's name."""
    assert isinstance(certificate, dict)
    names: set[object] = set()
    for kind, value in certificate.get("subjectAltName", ()):
        if kind == "DNS" and "*" not in value:
            names.add(value.lower())  # a string, though it may look like an address: it is not an iPAddress then
        elif kind == "IP Address":
            names.add(ipaddress.ip_address(value.strip()))
    return names


def _name(text: str) -> object:
    """What to look for among them: an IP address has many notations, a host's name has capitals that do not matter."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return text.lower()


### END SOLUTION
