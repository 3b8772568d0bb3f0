"""What the tester does in TLS: `lab.tls`. A lab of another assignment never loads it.

Rule: words only; what they do is in peer/, middle/, load/ and zoo/.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from harness.actors.cast import Cast
from harness.actors.load.load import SPARE_FILES, allow_files, connector, echo_exchange
from harness.actors.peer import Peer
from harness.actors.program import PATIENCE
from harness.actors.server import Server
from harness.course.address import Address
from harness.lab.interface import Family
from harness.tls.load.backend import Echo
from harness.tls.load.load import SilentLoad, TlsLoad, plainly, secured
from harness.tls.middle.middle import Middle
from harness.tls.peer.contexts import BOTH, Versions, client_context, server_context
from harness.tls.peer.peer import TlsPeer
from harness.tls.peer.regular import Regular
from harness.tls.peer.sealer import Sealer
from harness.tls.record_layer.records import is_tls, plaintext_in
from harness.tls.zoo.zoo import Identity, Zoo


@functools.cache
def _zoo() -> Zoo:
    return Zoo()


@functools.cache
def _good() -> Identity:
    return _zoo().server()


class TlsWords:
    """Both ends of TLS, who stands between them, and many at once."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast
        self._story = cast.story

    @property
    def zoo(self) -> Zoo:
        """Certificates good and bad, the same for all tests of a run."""
        return _zoo()

    @property
    def good(self) -> Identity:
        """A good one for server.example, the same for all tests of a run."""
        return _good()

    # -- one connection ------------------------------------------------------------------------------------------

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
            identity=identity or self.good, client_ca=client_ca, alpn=alpn, versions=versions, tickets=tickets
        )
        end = TlsPeer(peer, context, server_side=True)
        if shakes:
            end.handshakes(within=within)
        return end

    def regular_client(
        self, *, name: str = "server.example", identity: Identity | None = None, versions: Versions = BOTH
    ) -> Regular:
        """A client for several connections, which resumes the session of an earlier one if the server lets it."""
        context = client_context(ca=self.zoo.ca, identity=identity, versions=versions)
        return Regular(context, server_side=False, name=name)

    def regular_server(self, *, identity: Identity | None = None, versions: Versions = BOTH) -> Regular:
        """A server for several connections, which lets clients resume their sessions."""
        context = server_context(identity=identity or self.good, versions=versions, tickets=2)
        return Regular(context, server_side=True)

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

    # -- what was seen on the wire ---------------------------------------------------------------------------------

    def is_private(self, wire: bytes, *plain: bytes) -> None:
        """Whoever listens on the wire sees TLS and learns nothing. Raises Broken."""
        expect, rule = self._cast.expect, "on the wire is TLS, from the first byte to the last"
        expect(wire and is_tls(wire), rule, seen=wire[:60], otherwise="something that is not TLS was on the wire")
        leak = plaintext_in(wire, plain)
        rule, otherwise = "nothing on the wire is plain text", "plain text was on the wire"
        expect(leak is None, rule, seen=leak and f"plain text, {leak.how}", otherwise=otherwise)
