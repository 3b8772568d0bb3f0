"""The words of a test for the TLS pipe: `lab.tls`. A lab of another assignment never loads it.

Rule: words only; what they do is in peer/, middle/, load/ and zoo/.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from harness.actors.cast import Cast
from harness.actors.listener import Listener
from harness.actors.load.load import SPARE_FILES, allow_files, connector, echo_exchange
from harness.actors.peer import Peer
from harness.actors.program import PATIENCE, Program, Server
from harness.actors.story import Broken, readable
from harness.course.address import Address
from harness.lab.interface import Family, LabError
from harness.tls.load.backend import Echo
from harness.tls.load.load import SilentLoad, TlsLoad, plainly, secured
from harness.tls.logs import endings, secret_in
from harness.tls.middle.middle import Middle
from harness.tls.peer.contexts import BOTH, Versions, client_context, server_context
from harness.tls.peer.peer import TlsPeer
from harness.tls.peer.sealer import Sealer
from harness.tls.zoo.zoo import Identity, Zoo

#: The name of the program in assignment.toml.
PIPE = "tls_pipe"


@functools.cache
def _zoo() -> Zoo:
    return Zoo()


@functools.cache
def _good() -> Identity:
    return _zoo().server()


class TlsWords:
    """The submission's pipes, both ends of TLS beside them, and who stands between."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast
        self._story = cast.story
        self._put_file = cast.node.put_file
        self._pipes: dict[Program, str] = {}  # what the files of each pipe are called

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
        words = ["--forward", _place(backend), *self._pair(stem, identity or _good())]
        if client_ca is not None:
            words += ["--client-ca", self._put_file(f"{stem}-ca.pem", client_ca)]
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
        trusted = self._put_file(f"{stem}-ca.pem", self.zoo.ca if ca is None else ca)
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
            self._put_file(f"{stem}-ca.pem", ca)
        self._story.add("tester", f"writes other certificates into the files of {pipe.name}")

    def _names(self) -> str:
        return f"pipe{len(self._pipes) + 1}"

    def _pair(self, stem: str, identity: Identity) -> list[str]:
        certificates = self._put_file(f"{stem}-cert.pem", identity.certificates)
        return ["--cert", certificates, "--key", self._put_file(f"{stem}-key.pem", identity.key, private=True)]

    def _pipe(self, role: str, words: Sequence[object], at: str, stem: str, within: float, files: int | None) -> Server:
        pipe = self._cast.serves(PIPE, *words, at=at, within=within, files=files, flags=(role, "--listen"))
        self._pipes[pipe] = stem
        return pipe

    # -- the tester's ends of TLS --------------------------------------------------------------------------------

    def client(
        self,
        peer: Peer,
        *,
        name: str | None = "server.example",
        ca: bytes | None = None,
        identity: Identity | None = None,
        alpn: Sequence[str] = (),
        versions: Versions = BOTH,
        shakes: bool = True,
        within: float = PATIENCE,
    ) -> TlsPeer:
        """The tester as a TLS client on a connection to the student's server. Raises Broken if the handshake fails.

        name: what the certificate has to be for; None: no SNI, and anything is believed. ca: default the zoo's roots.
        versions: lowest and highest (harness.tls.peer.contexts.TLS12, ...). shakes=False: nothing is sent yet.
        """
        roots = None if name is None else self.zoo.ca if ca is None else ca
        context = client_context(ca=roots, identity=identity, alpn=alpn, versions=versions)
        end = TlsPeer(peer, context, server_side=False, name=name)
        if shakes:
            end.handshakes(within=within)
        return end

    def server(
        self,
        peer: Peer,
        *,
        identity: Identity | None = None,
        client_ca: bytes | None = None,
        alpn: Sequence[str] = (),
        versions: Versions = BOTH,
        tickets: int = 2,
        shakes: bool = True,
        within: float = PATIENCE,
    ) -> TlsPeer:
        """The tester as a TLS server on a connection of the student's client. Raises Broken if the handshake fails.

        identity: default a good one for server.example. tickets: session tickets sent under TLS 1.3.
        """
        context = server_context(
            identity=identity or _good(), client_ca=client_ca, alpn=alpn, versions=versions, tickets=tickets
        )
        end = TlsPeer(peer, context, server_side=True)
        if shakes:
            end.handshakes(within=within)
        return end

    # -- between two ends, and many at once ------------------------------------------------------------------------

    def middle(self, target: Server | Address) -> Middle:
        """A man in the middle before a student's server or any address; tell the other side his `.address`."""
        if isinstance(target, Address):
            family, place = target.family, target.pair
        else:
            listening = target.listening
            family = listening.family
            place = self._cast.network.to_student(listening.port, protocol="tcp", family=family, mangle=None).pair
        bound = self._cast.listening(family)
        address = self._cast.offered(bound)
        self._story.add("tester", f"puts a man in the middle at {address}")
        return self._cast.keep(Middle(bound, address, place, family, self._story))

    def echo(
        self,
        *,
        tls: bool = False,
        identity: Identity | None = None,
        client_ca: bytes | None = None,
        alpn: Sequence[str] = (),
        family: Family = 4,
    ) -> Echo:
        """A backend that sends back what comes, for hundreds of connections; plain, or the server of TLS.

        It takes what comes past the link's relay.
        """
        context = None
        if tls:
            context = server_context(
                identity=identity or self.zoo.server(), client_ca=client_ca, alpn=alpn, versions=BOTH, tickets=2
            )
        echo = self._cast.keep(Echo(self._cast.listening(family), self._story, context))
        self._story.add("tester", f"echoes {'over TLS ' if tls else ''}what comes to {echo.address}")
        return echo

    def load(
        self,
        pipe: Server,
        *,
        count: int,
        plain: bool = False,
        name: str = "server.example",
        ca: bytes | None = None,
        identity: Identity | None = None,
        alpn: Sequence[str] = (),
        active: int = 0,
        bystanders: int = 4,
        exchange: int = 1024,
        within: float = 30.0,
        window: int = 50,
        greedy_rate: float | None = None,
    ) -> TlsLoad:
        """So many connections to a pipe, each proven by an exchange of bytes that come back from behind it.

        They speak TLS, as for `tls_pipe server`; plain=True: they do not, as for `tls_pipe client`. Behind the pipe has
        to be an `echo`. active and bystanders are some of them: who speaks in `drives`, and whose waiting is measured
        there. window: how many shake hands at once. Raises Broken, LabError.
        """
        allow_files(2 * count + SPARE_FILES)  # the echo behind the pipe is here as well
        connect = connector(self._cast, pipe, within)
        if plain:
            connect = plainly(connect)
        else:
            context = client_context(ca=ca or self.zoo.ca, identity=identity, alpn=alpn, versions=BOTH)
            connect = secured(context, name, connect)
        greedy_data, spoken = self._cast.rng.randbytes(65_536), echo_exchange(exchange, self._cast.seed)
        load = self._cast.keep(
            TlsLoad(self._cast, pipe, connect, spoken, greedy_data=greedy_data, greedy_rate=greedy_rate)
        )
        idle = max(0, count - active - bystanders)
        load.connects(idle=idle, active=active, bystanders=bystanders, within=within, window=window)
        return load

    def stays_silent(self, pipe: Server, *, count: int, says: bytes = b"", within: float = 10.0) -> SilentLoad:
        """So many connections to `tls_pipe server` that never shake hands; `says`: what they send nevertheless."""
        connect, unspoken = connector(self._cast, pipe, within), echo_exchange(1, self._cast.seed)
        load = self._cast.keep(SilentLoad(self._cast, pipe, connect, unspoken))
        load.opens(count, says=says, within=within)
        return load

    def seals(self, peer: TlsPeer) -> Sealer:
        """From now on the tester makes the records of this connection by itself, under its keys; after the handshake.

        Data can be read from `peer` as before; what is sent has to be made and sent by the Sealer.
        """
        return Sealer(peer)

    # -- what a pipe says ----------------------------------------------------------------------------------------

    def ends_as(self, pipe: Program, *words: str, count: int = 1, within: float = PATIENCE) -> None:
        """So many connections have ended by its log, and the last one as one of these words. Raises Broken."""

        def enough(log: bytearray) -> bool:
            # Counting first: a flood that is none of these lines must not be looked through again and again.
            return log.count(b"ended: ") >= count and len(endings(bytes(log))) >= count

        log = pipe.complains(enough, within=within)
        seen, expected = [readable(word[:40].encode()) for word in endings(log)], " or ".join(words)
        if len(seen) == count and seen[-1] in words:
            self._story.add("student", f"{pipe.name} logged: ended: {seen[-1]}")
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
        for output, stream in ((pipe.stdout, "standard output"), (pipe.stderr, "standard error")):
            if (how := secret_in(output, secrets)) is not None:
                raise Broken(
                    f"{pipe.name} wrote something secret to its {stream}",
                    expected="no plaintext, no key in what it prints",
                    seen=f"a secret, {how}",
                )
        self._story.add("tester", f"finds nothing secret in what {pipe.name} printed")


def _place(there: Listener | Echo | Middle | Address) -> str:
    address = there if isinstance(there, Address) else there.address
    if address.kind != "tcp":
        raise LabError(f"a pipe cannot be told to go to {address}")
    return str(address)
