"""The words of a test for attacks and for many TLS connections: `lab.middle`, `lab.seals`, `lab.tls_load`, `lab.echo`.

Rule: words only; what they do is in middle/, peer/sealer.py and load/, loaded when needed.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.course.address import Address

if TYPE_CHECKING:
    from harness.actors.load.generator import Connect
    from harness.actors.program import Server
    from harness.actors.story import Story
    from harness.lab.interface import Family, Network, Node
    from harness.tls.load.backend import Echo
    from harness.tls.load.load import SilentLoad, TlsLoad
    from harness.tls.middle.middle import Middle
    from harness.tls.peer.peer import TlsPeer
    from harness.tls.peer.sealer import Sealer
    from harness.tls.zoo.zoo import Identity, Zoo

#: Connections that a listening socket keeps waiting.
_BACKLOG = 1024


class TrafficWords:
    """Mixed into the words for TLS, and so into `harness.tester.scene.Scene`."""

    node: Node
    network: Network
    story: Story
    seed: int
    rng: random.Random
    _keep: Callable[[Any], Any]
    _connector: Callable[[Server, float], Connect]

    @property
    def zoo(self) -> Zoo:
        """Certificates good and bad."""
        raise NotImplementedError

    def middle(self, target: Server | Address) -> Middle:
        """A man in the middle before a student's server or any address; tell the other side his `.address`."""
        from harness.tls.middle.middle import Middle

        if isinstance(target, Address):
            family, place = target.family, target.pair
        else:
            listening = target.listening
            family = listening.family
            place = self.network.to_student(listening.port, protocol="tcp", family=family, mangle=None).pair
        bound = self._listening(family)
        host, port = bound.getsockname()[:2]
        address = self.network.to_tester(Address("tcp", host=host, port=port), mangle=None)
        self.story.add("tester", f"puts a man in the middle at {address}")
        made: Middle = self._keep(Middle(bound, address, place, family, self.story))
        return made

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
        from harness.tls.load.backend import Echo
        from harness.tls.peer.contexts import BOTH, server_context

        context = None
        if tls:
            context = server_context(
                identity=identity or self.zoo.server(), client_ca=client_ca, alpn=alpn, versions=BOTH, tickets=2
            )
        echo: Echo = self._keep(Echo(self._listening(family), self.story, context))
        self.story.add("tester", f"echoes {'over TLS ' if tls else ''}what comes to {echo.address}")
        return echo

    def tls_load(
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
        to be an echo, such as `lab.echo()`. active and bystanders are some of them: who speaks in `drives`, and whose
        waiting is measured there. window: how many shake hands at once. Raises Broken, LabError.
        """
        from harness.actors.load.load import SPARE_FILES, allow_files, echo_exchange
        from harness.tls.load.load import TlsLoad, plainly, secured
        from harness.tls.peer.contexts import BOTH, client_context

        allow_files(2 * count + SPARE_FILES)  # the echo behind the pipe is here as well
        connect = self._connector(pipe, within)
        if plain:
            connect = plainly(connect)
        else:
            context = client_context(ca=ca or self.zoo.ca, identity=identity, alpn=alpn, versions=BOTH)
            connect = secured(context, name, connect)
        load: TlsLoad = self._keep(
            TlsLoad(
                self.node,
                self.story,
                pipe,
                connect,
                echo_exchange(exchange, self.seed),
                greedy_data=self.rng.randbytes(65_536),
                greedy_rate=greedy_rate,
            )
        )
        idle = max(0, count - active - bystanders)
        load.connects(idle=idle, active=active, bystanders=bystanders, within=within, window=window)
        return load

    def stays_silent(self, pipe: Server, *, count: int, says: bytes = b"", within: float = 10.0) -> SilentLoad:
        """So many connections to `tls_pipe server` that never shake hands; `says`: what they send nevertheless."""
        from harness.actors.load.load import echo_exchange
        from harness.tls.load.load import SilentLoad

        load: SilentLoad = self._keep(
            SilentLoad(
                self.node,
                self.story,
                pipe,
                self._connector(pipe, within),
                echo_exchange(1, self.seed),
                greedy_data=b"-",
                greedy_rate=None,
            )
        )
        load.opens(count, says=says, within=within)
        return load

    def seals(self, peer: TlsPeer) -> Sealer:
        """From now on the tester makes the records of this connection by itself, under its keys; after the handshake.

        Data can be read from `peer` as before; what is sent has to be made and sent by the Sealer.
        """
        from harness.tls.peer.sealer import Sealer

        return Sealer(peer)

    def _listening(self, family: Family) -> socket.socket:
        bound = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_STREAM)
        bound.bind((self.network.tester_host(family), 0))
        bound.listen(_BACKLOG)
        return bound
