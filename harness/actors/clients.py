"""Many clients at once, and clients that misbehave: `lab.clients`."""

from __future__ import annotations

from harness.actors.cast import Cast
from harness.actors.load.clients import Exchange
from harness.actors.load.load import Load, connector, echo_exchange
from harness.actors.misbehaving import Misbehaving
from harness.actors.program import Server
from harness.lab.interface import Mangle

#: Bytes a second of a greedy client whose packets a router carries: some 8,000 packets a second both ways.
ROUTED_RATE = 4e6


class Clients:
    """Clients of the submission's servers, in the tester."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast

    def load(
        self,
        server: Server,
        *,
        idle: int,
        active: int = 0,
        bystanders: int = 4,
        within: float = 30.0,
        window: int = 100,
        exchange: Exchange | None = None,
        size: int = 64,
        greedy_data: bytes | None = None,
        greedy_rate: float | None = None,
    ) -> Load:
        """Connect thousands of clients and prove each by an exchange (default: `size` bytes, echoed).

        window: how many are under way at once, fewer than the smallest queue that listen() is usually given.
        greedy_data is what greedy clients send, over and over; greedy_rate in bytes a second, default: what is taken
        (where a router carries the packets: no more than it can carry). Raises Broken, LabError.
        """
        cast = self._cast
        if greedy_rate is None and server.listening.kind != "unix" and cast.engine != "relay":
            greedy_rate = ROUTED_RATE
        load = cast.keep(
            Load(
                cast,
                server,
                connector(cast, server, within),
                exchange or echo_exchange(size, cast.seed),
                greedy_data=greedy_data or cast.rng.randbytes(65_536),
                greedy_rate=greedy_rate,
            )
        )
        load.connects(idle=idle, active=active, bystanders=bystanders, within=within, window=window)
        return load

    def misbehaving(
        self, server: Server, *, receive_buffer: int | None = None, mangle: Mangle | None = None
    ) -> Misbehaving:
        """Clients that are too slow, too fast, silent, gone, or do not speak the protocol at all."""
        return Misbehaving(self._cast, server, receive_buffer=receive_buffer, mangle=mangle)
