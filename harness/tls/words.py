"""The words of a test for the TLS pipe: `lab.pipe_server`, `lab.pipe_client`, `lab.tls_client`, `lab.tls_server`.

Rule: words only; a lab of another assignment never loads what is behind them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from harness.actors.program import PATIENCE, Program, Server
from harness.actors.story import Broken
from harness.course.address import Address
from harness.lab.interface import LabError
from harness.text.printable import printable
from harness.tls.traffic_words import TrafficWords

if TYPE_CHECKING:
    import ssl

    from harness.actors.listener import Listener
    from harness.actors.peer import Peer
    from harness.tls.load.backend import Echo
    from harness.tls.middle.middle import Middle
    from harness.tls.peer.peer import TlsPeer
    from harness.tls.zoo.zoo import Identity, Zoo

#: The name of the program in assignment.toml.
PIPE = "tls_pipe"


@functools.cache
def _zoo() -> Zoo:
    from harness.tls.zoo.zoo import Zoo

    return Zoo()


@functools.cache
def _good(role: str) -> Identity:
    return _zoo().server() if role == "server" else _zoo().client()


class TlsWords(TrafficWords):
    """Mixed into `harness.tester.scene.Scene`."""

    serves: Callable[..., Server]
    put_file: Callable[..., str]
    _pipes: dict[Program, str]  # what the files of each pipe are called

    @property
    def zoo(self) -> Zoo:
        """Certificates good and bad, the same for all tests of a run."""
        return _zoo()

    # -- the submission ------------------------------------------------------------------------------------------

    def pipe_server(
        self,
        *options: object,
        backend: Listener | Echo | Middle | Address,
        identity: Identity | None = None,
        client_ca: bytes | None = None,
        at: str = "0.0.0.0:0",
        files: int | None = None,
        within: float = PATIENCE,
    ) -> Server:
        """Start the student's `tls_pipe server` (TLS in front, plain behind) and wait until it listens.

        identity: default a good one of the zoo; client_ca: ask clients for a certificate; files: with so many
        descriptors and not more. Raises Broken, CannotStart.
        """
        stem = self._names()
        words = ["--forward", _place(backend), *self._pair(stem, identity or _good("server"))]
        if client_ca is not None:
            words += ["--client-ca", self.put_file(f"{stem}-ca.pem", client_ca)]
        return self._pipe("server", [*words, *options], at, stem, within, files)

    def pipe_client(
        self,
        *options: object,
        target: Listener | Echo | Middle | Address,
        name: str = "server.example",
        ca: bytes | None = None,
        identity: Identity | None = None,
        at: str = "0.0.0.0:0",
        files: int | None = None,
        within: float = PATIENCE,
    ) -> Server:
        """Start the student's `tls_pipe client` (plain in front, TLS behind) and wait until it listens.

        ca: the roots it believes, default the zoo's; identity: default none is shown; files: with so many descriptors
        and not more. Raises Broken, CannotStart.
        """
        stem = self._names()
        trusted = self.put_file(f"{stem}-ca.pem", self.zoo.ca if ca is None else ca)
        words = ["--connect", _place(target), "--ca", trusted, "--name", name]
        if identity is not None:
            words += self._pair(stem, identity)
        return self._pipe("client", [*words, *options], at, stem, within, files)

    def renews(self, pipe: Server, *, identity: Identity | None = None, ca: bytes | None = None) -> None:
        """Write other certificates (and roots) into the files a pipe was started with; it is not told."""
        stem = self._pipes[pipe]
        if identity is not None:
            self._pair(stem, identity)
        if ca is not None:
            self.put_file(f"{stem}-ca.pem", ca)
        self.story.add("tester", f"writes other certificates into the files of {pipe.name}")

    def _names(self) -> str:
        self._pipes = getattr(self, "_pipes", {})
        return f"pipe{len(self._pipes) + 1}"

    def _pair(self, stem: str, identity: Identity) -> list[str]:
        certificates = self.put_file(f"{stem}-cert.pem", identity.certificates)
        return ["--cert", certificates, "--key", self.put_file(f"{stem}-key.pem", identity.key, private=True)]

    def _pipe(self, role: str, words: Sequence[object], at: str, stem: str, within: float, files: int | None) -> Server:
        pipe = self.serves(PIPE, *words, at=at, within=within, files=files, flags=(role, "--listen"))
        self._pipes[pipe] = stem
        return pipe

    # -- the tester's ends of TLS --------------------------------------------------------------------------------

    def tls_client(
        self,
        peer: Peer,
        *,
        name: str | None = "server.example",
        ca: bytes | None = None,
        identity: Identity | None = None,
        alpn: Sequence[str] = (),
        versions: Sequence[ssl.TLSVersion] | None = None,
        shakes: bool = True,
        within: float = PATIENCE,
    ) -> TlsPeer:
        """The tester as a TLS client on a connection to the student's server. Raises Broken if the handshake fails.

        name: what the certificate has to be for; None: no SNI, and anything is believed. ca: default the zoo's roots.
        versions: lowest and highest (harness.tls.peer.contexts.TLS12, ...). shakes=False: nothing is sent yet.
        """
        from harness.tls.peer.contexts import BOTH, client_context
        from harness.tls.peer.peer import TlsPeer

        roots = None if name is None else self.zoo.ca if ca is None else ca
        context = client_context(ca=roots, identity=identity, alpn=alpn, versions=versions or BOTH)
        end = TlsPeer(peer, context, server_side=False, name=name)
        if shakes:
            end.handshakes(within=within)
        return end

    def tls_server(
        self,
        peer: Peer,
        *,
        identity: Identity | None = None,
        client_ca: bytes | None = None,
        alpn: Sequence[str] = (),
        versions: Sequence[ssl.TLSVersion] | None = None,
        tickets: int = 2,
        shakes: bool = True,
        within: float = PATIENCE,
    ) -> TlsPeer:
        """The tester as a TLS server on a connection of the student's client. Raises Broken if the handshake fails.

        identity: default a good one for server.example. tickets: session tickets sent under TLS 1.3.
        """
        from harness.tls.peer.contexts import BOTH, server_context
        from harness.tls.peer.peer import TlsPeer

        context = server_context(
            identity=identity or _good("server"),
            client_ca=client_ca,
            alpn=alpn,
            versions=versions or BOTH,
            tickets=tickets,
        )
        end = TlsPeer(peer, context, server_side=True)
        if shakes:
            end.handshakes(within=within)
        return end

    # -- what a pipe says ----------------------------------------------------------------------------------------

    def ends_as(self, pipe: Program, *words: str, count: int = 1, within: float = PATIENCE) -> None:
        """So many connections have ended by its log, and the last one as one of these words. Raises Broken."""
        from harness.tls.logs import endings

        def enough(log: bytearray) -> bool:
            # Counting first: a flood that is none of these lines must not be looked through again and again.
            return log.count(b"ended: ") >= count and len(endings(bytes(log))) >= count

        log = pipe.complains(enough, within=within)
        seen, expected = [printable(word[:40]) for word in endings(log)], " or ".join(words)
        if len(seen) == count and seen[-1] in words:
            self.story.add("student", f"{pipe.name} logged: ended: {seen[-1]}")
            return
        lines = f"{count} line" + ("s that begin" if count > 1 else " that begins") + " with 'ended: '"
        late = len(seen) < count and pipe.status(within=0.2) is None
        raise pipe.broken(
            f"{pipe.name} logged the end of a connection as {seen[-1]!r}"
            if len(seen) == count
            else f"{pipe.name} logged {len(seen)} ends of connections, not {count}"
            + (f", within {within:g} s" if late else ""),
            verdict="timeout" if late else "fail",
            expected=f"{lines}, the last one {expected}",
            seen=", ".join([*seen[:12], "..."] if len(seen) > 12 else seen) or "none",
        )

    def no_secret(self, pipe: Program, *secrets: bytes) -> None:
        """None of these is in its output, as it is or in hex or base64; of a PEM file: no line of it. Raises Broken."""
        from harness.tls.logs import secret_in

        for output, stream in ((pipe.stdout, "standard output"), (pipe.stderr, "standard error")):
            if (how := secret_in(output, secrets)) is not None:
                raise Broken(
                    f"{pipe.name} wrote something secret to its {stream}",
                    expected="no plaintext, no key in what it prints",
                    seen=f"a secret, {how}",
                )
        self.story.add("tester", f"finds nothing secret in what {pipe.name} printed")


def _place(there: Listener | Echo | Middle | Address) -> str:
    address = there if isinstance(there, Address) else there.address
    if address.kind != "tcp":
        raise LabError(f"a pipe cannot be told to go to {address}")
    return str(address)
