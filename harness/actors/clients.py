"""Many clients at once, and clients that misbehave: `lab.clients`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.actors.cast import Cast
from harness.actors.load.clients import Exchange
from harness.actors.load.load import SPARE_FILES, Load, allow_files, connector, echo_exchange
from harness.actors.misbehaving import WHOLE_SEGMENT, Floods, Misbehaving
from harness.actors.peer import Peer
from harness.actors.server import Server
from harness.actors.story import Broken
from harness.lab.interface import Mangle

#: Bytes a second of a greedy client whose packets a router carries: some 8,000 packets a second both ways.
ROUTED_RATE = 4e6
#: Seconds within which a connection is made that did not have to try again: a lost SYN is repeated after 1 s.
FIRST_TRY = 0.9
#: Where Linux says how long the queue of a listening socket may be.
_LONGEST_QUEUE = Path("/proc/sys/net/core/somaxconn")


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

    def queue_up(self, server: Server, count: int) -> list[Peer]:
        """Connect that many while the server stands still, so that all of them wait in the queue of its listen().

        None of them has to try again, or Broken is raised.
        """
        count = min(count, _longest_queue() or count)
        allow_files(count + SPARE_FILES)
        self._cast.story.add("tester", f"connects {count} clients while {server.name} stands still")
        peers: list[Peer] = []
        with server.stands_still():
            for _ in range(count):
                try:
                    peers.append(self._cast.connects(server, segment=WHOLE_SEGMENT, within=FIRST_TRY, quietly=True))
                except Broken as broken:
                    raise Broken(
                        f"{count} clients cannot wait for {server.name}: {broken.message}",
                        verdict=broken.verdict,
                        expected=f"a queue of listen() that has room for {count} connections",
                        seen=f"room for {len(peers)}; the next one has to try again",
                    ) from None
        return peers

    def flood(self, peers: Sequence[Peer]) -> Floods:
        """Let all of these send without end from now on."""
        self._cast.story.add("tester", f"sends without end on {len(peers)} connections")
        return self._cast.keep(Floods(peers, self._cast.story))

    def misbehaving(
        self, server: Server, *, receive_buffer: int | None = None, mangle: Mangle | None = None
    ) -> Misbehaving:
        """Clients that are too slow, too fast, silent, gone, or do not speak the protocol at all."""
        return Misbehaving(self._cast, server, receive_buffer=receive_buffer, mangle=mangle)


def _longest_queue() -> int | None:
    """Connections that any queue has room for on this machine (net.core.somaxconn), if it says so."""
    try:
        return int(_LONGEST_QUEUE.read_text())
    except (OSError, ValueError):
        return None
