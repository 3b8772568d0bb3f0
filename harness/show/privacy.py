"""TLS on the wire: what an onlooker reads, what a handshake says, and what an end looks like."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
import time
from dataclasses import dataclass

from harness.link.trace import Direction
from harness.pictures.ladder import Rung
from harness.show.sockets import Sockets
from harness.show.telling import Telling, page
from harness.tls.peer.contexts import client_context, server_context
from harness.tls.record_layer import records
from harness.tls.zoo.zoo import Identity, Zoo

NAME = "server.example"


@dataclass
class Side:
    """One end of TLS over a real socket, without a hidden read or write: bytes in, bytes out."""

    sock: socket.socket
    tls: ssl.SSLObject
    incoming: ssl.MemoryBIO
    outgoing: ssl.MemoryBIO


class Tapped:
    """A TLS connection on loopback whose every byte is seen on its way: a tap that a wire would have."""

    def __init__(
        self, made: Sockets, client: ssl.SSLContext, server: ssl.SSLContext, *, name: str | None = NAME
    ) -> None:
        _, one, other = made.connected()
        self.sides = {"up": _side(one, client, name, server=False), "down": _side(other, server, None, server=True)}
        self.rungs: list[Rung] = []
        self._began = time.monotonic()
        self.wire: dict[str, bytes] = {"up": b"", "down": b""}
        self.errors: dict[str, str] = {}

    @property
    def client(self) -> ssl.SSLObject:
        """The client's TLS."""
        return self.sides["up"].tls

    @property
    def server(self) -> ssl.SSLObject:
        """The server's TLS."""
        return self.sides["down"].tls

    def shake_hands(self) -> bool:
        """Carry flights until both are done or one has refused; whether both are done."""
        done: set[str] = set()
        for _ in range(6):
            for way in ("up", "down"):
                if way not in done and way not in self.errors and self.tries(way):
                    done.add(way)
                self.carry(way)
        return len(done) == 2 and not self.errors

    def tries(self, way: str) -> bool:
        """Let one side go on with its handshake as far as it can; whether it is done. Its refusal is in `errors`."""
        try:
            self.sides[way].tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            self.errors[way] = reason(error)
            return False
        return True

    def carry(self, way: str) -> bytes:
        """Send what one side has to send, over the socket, and hand it to the other; what it was."""
        side, other = self.sides[way], self.sides["down" if way == "up" else "up"]
        data = side.outgoing.read()
        if not data:
            return b""
        sent = time.monotonic() - self._began
        side.sock.sendall(data)
        got = b""
        while len(got) < len(data):
            got += other.sock.recv(65_536)
        other.incoming.write(got)
        self.wire[way] += got
        for record in records.split(got)[0]:
            label = records.describe(record)
            self.rungs.append(Rung(len(self.rungs) + 1, sent, time.monotonic() - self._began, _way(way), label))
        return got


def _way(way: str) -> Direction:
    return "up" if way == "up" else "down"


def reason(error: ssl.SSLError) -> str:
    """What OpenSSL calls an error: for a certificate the words of its verification."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message.rstrip(".")
    return error.reason or type(error).__name__


def _side(sock: socket.socket, context: ssl.SSLContext, name: str | None, *, server: bool) -> Side:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    return Side(
        sock, context.wrap_bio(incoming, outgoing, server_side=server, server_hostname=name), incoming, outgoing
    )


def contexts(ca: bytes, identity: Identity, *, client_ca: bytes | None = None) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A client that trusts only `ca`, and a server with that identity, which may ask for a client's certificate."""
    return client_context(ca=ca), server_context(identity=identity, client_ca=client_ca)


@page(
    asks="""a password of 18 bytes goes over a plain connection and over TLS. What can somebody read who sees
    the wire? Does he see how long it is?""",
    seen="""of the plain connection everything. Of TLS the header of each record: its type, a version that means
    nothing any more, and its length; the password is 18 bytes and the record 35, always 17 more (TLS 1.3: one
    byte for the real type, 16 that prove that nothing was changed). So sizes and times show, and so do both
    addresses and, in the first message, the server's name. Change one bit of a record, and the receiver refuses
    all of it.""",
)
def plain_text(tell: Telling) -> None:
    """TCP carries bytes in the clear; whoever stands at the wire reads them. TLS puts them into records that
    are encrypted and sealed.
    """
    secret = b"password=swordfish"
    zoo = Zoo()
    with Sockets() as made:
        _, client, server = made.connected()
        client.sendall(secret)
        seen = server.recv(100)
        tell.step("onlooker", "reads the plain connection", repr(seen))
        tap = Tapped(made, *contexts(zoo.ca, zoo.server(NAME)))
        tap.shake_hands()
        tap.client.write(secret)
        sealed = tap.carry("up")
        tell.step("onlooker", "reads the TLS connection", f"{sealed[:5].hex(' ')} | {sealed[5:15].hex(' ')} ...")
        record = records.split(sealed)[0][0]
        tell.note(f"type {record.type}, version {record.version:#06x}, {len(record.body)} bytes; in the clear: no")
        tell.step("server", "reads", repr(tap.server.read(100)))
        tap.client.write(secret)
        data = bytearray(tap.sides["up"].outgoing.read())
        data[10] ^= 1
        tap.sides["down"].incoming.write(bytes(data))
        try:
            tap.server.read(100)
            refused = ""
        except ssl.SSLError as error:
            refused = reason(error)
        tell.step("server", "reads a record with one bit changed", refused)
    tell.keeps(
        plain=secret in seen, private=secret in sealed, length=len(secret), record=len(record.body), refused=refused
    )


@page(
    asks="""a TLS handshake is recorded on the wire. Which of its messages can an onlooker still read: the
    server's name, the certificate, the protocol that was agreed on?""",
    seen="""two messages: ClientHello and ServerHello. After these both sides have a common key (each sent half
    of a Diffie-Hellman exchange, and the halves do not give it away), so that the certificate is already
    encrypted in TLS 1.3, though the records are still called "application data". The server's name is in
    ClientHello, readable, because the server needs it to choose a certificate. One round trip after TCP's own,
    and the client may send.""",
)
def tls_handshake(tell: Telling) -> None:
    """Before TLS carries anything the two ends agree on a version and a cipher, make a common key, and one of
    them (or both) proves who it is.
    """
    zoo = Zoo()
    with Sockets() as made:
        tap = Tapped(made, *contexts(zoo.ca, zoo.server(NAME)))
        done = tap.shake_hands()
        tell.ladder(tap.rungs, ("client", "server"))
        hello = records.client_hello(tap.wire["up"])
        name = hello.sni if hello else None
        cipher = tap.client.cipher()
        tell.step("onlooker", "reads in ClientHello", f"the server's name: {name}")
        if hello:
            offered = ", ".join(f"{version - 0x0301:#x}".replace("0x", "1.") for version in hello.versions)
            tell.note(f"TLS {offered} offered, {len(hello.cipher_suites)} ciphers, {len(hello.extensions)} extensions")
        tell.step("both", "know, and the onlooker, too", f"{tap.client.version()}, {cipher[0] if cipher else '?'}")
        certificate = tap.client.getpeercert(binary_form=True) or b""
        shown = certificate in tap.wire["down"]
        tell.step("onlooker", "looks for the server's certificate", "found" if shown else "not there: it is encrypted")
    labels = [(rung.direction, rung.label) for rung in tap.rungs]
    tell.keeps(done=done, name=name, records=labels, certificate_seen=shown, version=tap.client.version())


@page(
    asks="""somebody on the way cuts the connection with a forged FIN, in the middle of a file. What does the
    reader see: an error, or an ordinary end?""",
    seen="""TCP's end is not signed: anybody on the way can make a FIN. TLS has an end of its own inside the
    encryption, the alert close_notify, and only who has seen it knows that nothing is missing. Python's read()
    gave b'' for the cut, the same as for the end, because suppress_ragged_eofs is on by default; with it off
    there is an error. A program that does not tell the two apart takes half a file for the whole.""",
)
def truncation(tell: Telling) -> None:
    """A stream that was cut off looks like one that has ended, unless the end says that it is one."""
    zoo = Zoo()
    seen = {}
    for title, notify in (("close_notify, then FIN", True), ("FIN only: a cut", False)):
        for suppress in (True, False):
            seen[title, suppress] = _read_to_the_end(zoo, notify=notify, suppress=suppress)
        tell.step("reader", title, f"{seen[title, True]}; with suppress_ragged_eofs=False: {seen[title, False]}")
    tell.keeps(
        end=seen["close_notify, then FIN", False],
        cut_by_default=seen["FIN only: a cut", True],
        cut=seen["FIN only: a cut", False],
    )


def _read_to_the_end(zoo: Zoo, *, notify: bool, suppress: bool) -> str:
    """What a wrapped socket's recv() says at the end of a stream, in words."""
    client, server = contexts(zoo.ca, zoo.server(NAME))
    client.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # Python 3.11.2 sets it, and hides the cut
    with Sockets() as made:
        _, one, other = made.connected()

        def serve() -> None:
            with server.wrap_socket(other, server_side=True) as wrapped:
                wrapped.sendall(b"half a file")
                if notify:
                    with contextlib.suppress(OSError):  # the client has closed already
                        wrapped.unwrap()
                else:
                    wrapped.recv(1)  # the client has read it: now the cut

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            with client.wrap_socket(one, server_hostname=NAME, suppress_ragged_eofs=suppress) as wrapped:
                wrapped.recv(100)
                if not notify:
                    wrapped.sendall(b"!")
                return repr(wrapped.recv(100))
        except ssl.SSLError as error:
            return type(error).__name__
        finally:
            thread.join(timeout=3)


@page(
    asks="""the peer sends one record of 8,000 bytes; you read 1,000 of them. What does select() say about the
    socket now?""",
    seen="""nothing: the socket is empty, since OpenSSL took the whole record from it to check its seal, and
    holds the other 7,000 bytes. A loop that waits for the socket then waits for ever on bytes that are here.
    pending() tells of them; or read until SSLWantReadError, which means "nothing more from me, ask the socket".""",
)
def pending(tell: Telling) -> None:
    """TLS lives in a library above the socket, not in the kernel. So there are two buffers, and select() knows
    of one.
    """
    zoo = Zoo()
    client, server = contexts(zoo.ca, zoo.server(NAME))
    with Sockets() as made:
        _, one, other = made.connected()
        shaking: list[ssl.SSLSocket] = []
        thread = threading.Thread(
            target=lambda: shaking.append(server.wrap_socket(other, server_side=True)), daemon=True
        )
        thread.start()
        wrapped = made.enter_context(client.wrap_socket(one, server_hostname=NAME))
        thread.join(timeout=3)
        peer = made.enter_context(shaking[0])
        peer.sendall(bytes(8000))
        tell.step("peer", "send 8,000 bytes: one record")
        got = len(wrapped.recv(1000))
        tell.step("reader", "recv(1000)", f"{got:,} bytes")
        ready = _readable(wrapped)
        tell.step("reader", "select()", "readable" if ready else "not readable")
        held = wrapped.pending()
        tell.step("reader", "pending()", f"{held:,} bytes")
        rest = len(wrapped.recv(100_000))
        tell.step("reader", "recv(100000)", f"{rest:,} bytes, without waiting")
    tell.keeps(read=got, readable=ready, pending=held, rest=rest)


def _readable(sock: socket.socket) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        return bool(selector.select(0.05))
