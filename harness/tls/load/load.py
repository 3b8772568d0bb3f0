"""Many connections at once to a TLS pipe: `lab.tls.load`, measured and judged as `lab.clients.load` does.

Rule 1: a connection counts once its handshake is done and an exchange has come back from behind the pipe.
Rule 2: it counts as ended once the close_notify (plain: FIN) that it sent was answered with the same and a FIN.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from harness.actors.load.clients import Bystander, Client, GreedyClient, Place
from harness.actors.load.generator import Connect, Generator
from harness.actors.load.load import SPARE_FILES, Load, LoadInterval, allow_files
from harness.actors.story import Broken
from harness.tls.load.sockets import PlainSocket, TlsSocket

#: Silent connections that are made at once.
_SILENT_WINDOW = 100

Kind = TypeVar("Kind", Client, Bystander)


def secured(context: ssl.SSLContext, name: str | None, connect: Connect) -> Connect:
    """Connections that speak TLS, for a generator."""

    def make() -> tuple[socket.socket, Place | None]:
        sock, place = connect()
        return cast(socket.socket, TlsSocket(sock, context, name)), place

    return make


def plainly(connect: Connect) -> Connect:
    """Connections that speak no TLS and can end properly."""

    def make() -> tuple[socket.socket, Place | None]:
        sock, place = connect()
        return cast(socket.socket, PlainSocket(sock)), place

    return make


class ClosingClient(Client):
    """A client that shakes hands before it is ready, and ends properly."""

    _ready: Callable[[Client], None] | None = None
    _gone: Callable[[Client, float], None] | None = None

    def _connected(self, ready: Callable[[Client], None]) -> None:
        self._ready = ready
        super()._connected(lambda _: self._shake())

    def _shake(self) -> None:
        try:
            done = cast(PlainSocket, self.sock).shakes()
        except OSError as error:
            self.fails(f"the handshake failed ({_why(error)})")
            return
        ready = self._ready
        if done and ready is not None:
            self._ready = None
            ready(self)

    def _readable(self) -> None:
        if self.sock is None:
            return
        if self._ready is not None:
            self._shake()
        elif self._gone is not None:
            self._part(self._gone)
        else:
            super()._readable()

    def parts(self, gone: Callable[[Client, float], None]) -> None:
        """End properly; `gone(client, seconds it took)` is called when the other side has ended as well."""
        self._gone = gone
        self.said_at = time.monotonic()
        if self.sock is None:
            return  # it failed while others were being served; that is recorded
        try:
            cast(PlainSocket, self.sock).parts()
        except OSError as error:
            self.fails(f"the connection could not be ended ({_why(error)})")

    def _part(self, gone: Callable[[Client, float], None]) -> None:
        try:
            done = cast(PlainSocket, self.sock).parted()
        except BlockingIOError:
            return
        except OSError as error:
            self.fails(f"the connection did not end properly ({_why(error)})")
            return
        if done:
            self.leaves(reset=False)
            gone(self, time.monotonic() - self.said_at)


class ClosingBystander(ClosingClient, Bystander):
    """Its answers are timed by the kernel's stamps."""


class ClosingGreedy(ClosingClient, GreedyClient):
    """It sends as fast as it is taken."""


class SilentClient(Client):
    """A client that connects and never shakes hands: how long it was tolerated, and how it was ended."""

    ended_after: float | None = None  #: seconds from when it began to connect to its end
    how = ""  #: "end" or "reset"
    heard = 0  #: bytes that came

    def begins(self) -> None:
        """It connects now. The server's clock cannot begin sooner; ours would be late if it began once we noticed."""
        self.said_at = time.monotonic()

    def joins(self, says: bytes) -> None:
        """It is connected now; `says`: what it sends, if anything."""
        if says and self.sock is not None:
            try:
                self.sock.send(says)
            except OSError:
                pass  # ended already, as its end will tell

    def _readable(self) -> None:
        if self.sock is None:
            return
        try:
            data = self.sock.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data, self.how = b"", "reset"
        self.heard += len(data)
        if not data:
            self.how = self.how or "end"
            self.ended_after = time.monotonic() - self.said_at
            self.leaves(reset=False)


class TlsGenerator(Generator):
    """A generator whose connections end properly."""

    async def part(self, clients: Sequence[Client], *, window: int, deadline: float) -> int:
        """End each; how many have not ended at the deadline."""
        return await self._each(clients, lambda client, done: cast(ClosingClient, client).parts(done), window, deadline)

    async def greet(self, clients: Sequence[SilentClient], says: bytes, *, deadline: float) -> int:
        """Connect each and have it send `says`; how many are not connected at the deadline."""

        def joined(client: Client, done: Callable[[Client, float], None]) -> None:
            cast(SilentClient, client).joins(says)
            done(client, 0.0)

        def begin(client: Client, done: Callable[[Client, float], None]) -> None:
            cast(SilentClient, client).begins()
            self._join(client, lambda ready: joined(ready, done))

        return await self._each(clients, begin, _SILENT_WINDOW, deadline)


class _ClosingLoad(Load):
    """A load whose generator knows how its clients begin and end."""

    _generates = TlsGenerator
    _generator: TlsGenerator


class TlsLoad(_ClosingLoad):
    """A load (harness.actors.load.load.Load) over TLS, whose connections can also end properly."""

    def closes(self, *, within: float = 10.0, window: int = 100) -> int:  # type: ignore[override]  # tells more
        """End all connections properly, see the other side end each, return how many. Raises Broken, LabError."""
        clients = [client for client in self._generator.clients if client.open]
        self._story.add("tester", f"ends {len(clients):,} connections and waits for the other side's ends")
        began = time.monotonic()
        with LoadInterval(self) as interval:
            missing = self._do(self._generator.part(clients, window=window, deadline=began + within), within)
        if missing:
            self._tell(
                Broken(
                    f"{self._server.name} did not end {missing:,} of {len(clients):,} connections that were ended",
                    verdict="timeout",
                    expected=f"its own end of each within {within:g} s",
                    seen="nothing",
                ),
                interval.machine,
                within,
            )
        self._story.add("tester", f"saw {len(clients):,} clean ends in {time.monotonic() - began:.2f} s")
        return len(clients)

    def _make(self, kind: type[Kind]) -> Kind:
        polite = ClosingBystander if issubclass(kind, Bystander) else ClosingClient
        return super()._make(polite)

    def _make_greedy(self) -> GreedyClient:
        self._numbers += 1
        return ClosingGreedy(self._loop, self._numbers, self._generator.faults, self._greedy_data, self._greedy_rate)


class SilentLoad(_ClosingLoad):
    """Connections to a TLS server that never shake hands. One that ends is not a failure, whenever it ends."""

    def opens(self, count: int, *, says: bytes, within: float) -> None:
        """Open `count` connections, each sending `says`. Raises Broken, LabError."""
        allow_files(count + SPARE_FILES)
        clients = [self._silent() for _ in range(count)]
        self._generator.clients.extend(clients)
        self._story.add("tester", f"opens {count:,} connections on which it will not shake hands")
        with LoadInterval(self) as interval:
            missing = self._do(self._generator.greet(clients, says, deadline=time.monotonic() + within), within)
        if missing:
            self._tell(
                Broken(
                    f"{self._server.name} takes no further connections",
                    verdict="timeout",
                    expected=f"{count:,} connections within {within:g} s",
                    seen=f"{count - missing:,}",
                ),
                interval.machine,
                within,
            )

    def all_end(self, *, within: float, after: float = 0.0) -> None:
        """The server ends each within `within` seconds of connecting, and none sooner than `after`.

        Raises Broken, LabError.
        """
        clients = [cast(SilentClient, client) for client in self._generator.clients]
        deadline = time.monotonic() + within
        with LoadInterval(self) as interval:
            while any(client.open for client in clients) and time.monotonic() < deadline:
                time.sleep(0.02)
        took = [client.ended_after for client in clients if client.ended_after is not None]
        if len(took) < len(clients) or max(took, default=0.0) > within:
            self._tell(
                Broken(
                    f"{self._server.name} keeps connections that never shake hands",
                    verdict="timeout",
                    expected=f"the end of each within {within:g} s",
                    seen=f"{len(clients) - len(took):,} of {len(clients):,} are open",
                ),
                interval.machine,
                within,
            )
        if min(took, default=after) < after:
            raise Broken(
                f"{self._server.name} ended connections before the handshake's time was over",
                expected=f"at least {after:g} s",
                seen=f"{min(took):.2f} s",
            )
        self._story.add("tester", f"saw the end of {len(took):,} silent connections, the last after {max(took):.2f} s")

    def _silent(self) -> SilentClient:
        self._numbers += 1
        return SilentClient(self._loop, self._numbers, self._generator.faults)


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).lower().replace("_", " ")
    return (error.strerror or str(error)).lower()
