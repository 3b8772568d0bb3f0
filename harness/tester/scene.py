"""What a test holds in its hand: the fixture `lab`.

Programs to run, peers to play, a link to spoil, and a story that writes itself. The same words in every lab.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar

from harness.actors import measure
from harness.actors.datagrams import Datagrams
from harness.actors.listener import Listener
from harness.actors.load.clients import Exchange
from harness.actors.load.generator import Connect
from harness.actors.load.load import Load, echo_exchange
from harness.actors.misbehaving import Clumsy
from harness.actors.peer import Peer
from harness.actors.program import PATIENCE, Program, Server
from harness.actors.story import Broken, Story, show
from harness.course.address import Address
from harness.lab.interface import Family, Mangle, Network, Node, Usage
from harness.link.named import find_profile
from harness.link.profile import Profile
from harness.tester.cast import Cast, Reference
from harness.tls.words import TlsWords
from harness.transport.words import TransportWords

#: Connections that the tester's own listening sockets keep waiting.
_BACKLOG = 1024

#: Bytes a second of a greedy client whose packets a router carries: some 8,000 packets a second both ways.
ROUTED_RATE = 4e6
Held = TypeVar("Held", Peer, Listener, Datagrams, Load)


class Scene(Cast, TransportWords, TlsWords):
    """One test's lab. Everything made through it is ended by `close`."""

    def __init__(
        self,
        node: Node,
        network: Network,
        *,
        programs: Mapping[str, Sequence[str]],
        seed: int,
        output_limit: int,
        second: Node | None = None,
        reference: Reference | None = None,
    ) -> None:
        self.node = node
        self.network = network
        self.story = Story(time.monotonic)
        self.rng = random.Random(seed)
        self.seed = seed
        self.engine = network.engine
        self.link_name = "clean"  #: the link profile in force, "custom" for one without a name
        self._programs = programs
        self._output_limit = output_limit
        self._open: list[Program | Peer | Listener | Datagrams | Load] = []
        self.cast(second, reference)
        self._ports: dict[Peer, int] = {}  # the server's own port of each connection; a relay has another

    # -- the tester's sockets ----------------------------------------------------------------------------------

    def listens(
        self, *, family: Family = 4, kind: str = "tcp", mangle: Mangle | None = None, receive_buffer: int | None = None
    ) -> Listener:
        """A listening socket of the tester; `.address` is what a student's client is told. kind: "tcp" or "unix"."""
        if kind == "unix":
            listening, path = self.node.listen_unix("tester.sock")
            address = Address("unix", path=path)
        else:
            listening = self._socket(family, socket.SOCK_STREAM)
            if receive_buffer is not None:  # before listen, so that accepted sockets inherit it
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            listening.bind((self.network.tester_host(family), 0))
            listening.listen(_BACKLOG)
            host, port = listening.getsockname()[:2]
            address = self.network.to_tester(Address("tcp", host=host, port=port), mangle=mangle)
        self.story.add("tester", f"listens on {address}")
        return self._keep(Listener(listening, address, self.story, ended=self._early_end))

    def connects(
        self,
        server: Server,
        *,
        mangle: Mangle | None = None,
        family: Family | None = None,
        receive_buffer: int | None = None,
        within: float = PATIENCE,
        name: str = "",
        quietly: bool = False,
    ) -> Peer:
        """Connect to a student's server over the link (to a Unix socket: beside it, as another user).

        quietly: one of many; neither this step nor those of the peer go into the story.
        """
        was_reset = False
        if server.listening.kind == "unix":
            try:
                connection = self.node.connect_unix(server.listening.path, within)
            except (OSError, ValueError) as error:
                raise server.broken(
                    f"the tester cannot connect to {server.name}",
                    expected=f"a connection to {server.listening}",
                    seen=str(error),
                ) from None
        else:
            connection, was_reset = self._connected(
                server, family or server.listening.family, mangle, receive_buffer, within
            )
        if not quietly:
            self.story.add("tester", f"{name} connects to {server.name}".strip())
        peer = self._keep(Peer(connection, self.story, name=name, quiet=quietly, was_reset=was_reset))
        self._ports[peer] = server.listening.port
        return peer

    def _connected(
        self, server: Server, family: Family, mangle: Mangle | None, receive_buffer: int | None, within: float
    ) -> tuple[socket.socket, bool]:
        """A connection, and whether it was reset before connect() could say that it was made."""
        target = self.network.to_student(server.listening.port, protocol="tcp", family=family, mangle=mangle)
        connection = self._socket(family, socket.SOCK_STREAM)
        if receive_buffer is not None:  # before connect, or the window has been offered already
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(within)
        try:
            connection.connect(target.pair)
        except ConnectionResetError:
            return connection, True
        except OSError as error:
            connection.close()
            timed_out = isinstance(error, TimeoutError)
            raise server.broken(
                f"the tester cannot connect to {server.name}" + (f" within {within:g} s" if timed_out else ""),
                verdict="timeout" if timed_out else "fail",
                expected=f"a connection to port {server.listening.port}",
                seen="no answer" if timed_out else (error.strerror or str(error)).lower(),
            ) from None
        return connection, False

    def five_tuple(self, peer: Peer) -> tuple[Address, Address]:
        """(client, server) as the sockets of the student's server have them for a connection made by `connects`."""
        client = self.network.seen_by_student(peer.local, peer.remote)
        port = self._ports[peer]
        return client, Address("tcp", host=self.network.student_host(client.family), port=port)

    def listens_udp(self, *, family: Family = 4) -> Datagrams:
        """A UDP socket of the tester; `.address` is what a student's client is told."""
        bound = self._bound_udp(family)
        host, port = bound.getsockname()[:2]
        address = self.network.to_tester(Address("udp", host=host, port=port), mangle=None)
        self.story.add("tester", f"waits for datagrams on {address}")
        return self._keep(Datagrams(bound, self.story, address=address, target=None, name="", ended=self._early_end))

    def datagrams(self, server: Server, *, family: Family | None = None) -> Datagrams:
        """A UDP socket of the tester that sends to a student's server over the link."""
        family = family or server.listening.family
        target = self.network.to_student(server.listening.port, protocol="udp", family=family, mangle=None)
        bound = self._bound_udp(family)
        return self._keep(Datagrams(bound, self.story, address=None, target=target, name="", ended=self._early_end))

    def nobody(self, kind: Literal["tcp", "udp"] = "tcp", *, family: Family = 4) -> Address:
        """An address at which nothing listens."""
        return self.network.closed_address(family, kind)

    def _bound_udp(self, family: Family) -> socket.socket:
        bound = self._socket(family, socket.SOCK_DGRAM)
        bound.bind((self.network.tester_host(family), 0))
        return bound

    @staticmethod
    def _socket(family: Family, kind: socket.SocketKind) -> socket.socket:
        return socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, kind)

    # -- many clients, and clumsy ones ---------------------------------------------------------------------------

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
        greedy_data is what greedy clients say, over and over; greedy_rate in bytes a second, default: what is taken
        (where a router carries the packets: no more than it can carry). Raises Broken, LabError.
        """
        if greedy_rate is None and server.listening.kind != "unix" and self.engine != "relay":
            greedy_rate = ROUTED_RATE
        load = self._keep(
            Load(
                self.node,
                self.story,
                server,
                self._connector(server, within),
                exchange or echo_exchange(size, self.seed),
                greedy_data=greedy_data or self.random_bytes(65_536),
                greedy_rate=greedy_rate,
            )
        )
        load.connects(idle=idle, active=active, bystanders=bystanders, within=within, window=window)
        return load

    def _connector(self, server: Server, within: float) -> Connect:
        address = server.listening
        if address.kind == "unix":
            return lambda: (self.node.connect_unix(address.path, within), None)
        place = self.network.straight_to_student(address.port, address.family).pair
        return lambda: (self._socket(address.family, socket.SOCK_STREAM), place)

    def clumsy(self, server: Server, *, receive_buffer: int | None = None, mangle: Mangle | None = None) -> Clumsy:
        """Clients of a server that misbehave."""
        return Clumsy(
            lambda quietly: self.connects(
                server, receive_buffer=receive_buffer, mangle=mangle, quietly=quietly, name="a clumsy client"
            ),
            self.story,
        )

    # -- what the kernel says of the program ---------------------------------------------------------------------

    def usage(self) -> Usage:
        """What the kernel says of the student's processes."""
        return self.node.usage()

    def stays_idle(self, server: Program, *, for_: float = 2.0, at_most: float = 0.05) -> None:
        """Nothing to do: at most that share of a processor is used, and no wake-ups all the time. Raises Broken."""
        measure.stays_idle(self.node, self.story, server, for_=for_, at_most=at_most)

    def uses_one_thread(self, server: Program) -> None:
        """No threads and processes but those its language brings along. Raises Broken."""
        measure.uses_one_thread(self.node, self.story, server)

    def measures(self, *, every: float = 0.1) -> measure.Measurement:
        """Look at what is used again and again while a `with` block runs."""
        return measure.Measurement(self.node, self.story, every=every)

    def returns_to(self, before: Usage, *, within: float = 3.0) -> None:
        """Processes, threads and open files are no more than they were. Raises Broken."""
        measure.returns_to(self.node, self.story, before, within=within)

    def memory_per_client(self, before: Usage, load: Load) -> float:
        """Bytes of memory that each connection of a load takes now, beside what was used before."""
        return max(0, self.node.usage().memory_bytes - before.memory_bytes) / max(1, load.count)

    # -- the link ----------------------------------------------------------------------------------------------

    def link(self, name: str = "custom", *, up: Profile | None = None, down: Profile | None = None) -> None:
        """Impair the link from now on: a named profile, or one per direction (up is student to tester)."""
        if up is None and down is None:
            profile = find_profile(name)
            up, down = profile.up, profile.down
        self.link_name = name
        self.network.shape(up=up or Profile(), down=down or Profile(), seed=self.seed)
        self.story.add("link", f"the link is now {name!r}")

    # -- the rest ----------------------------------------------------------------------------------------------

    def expect(self, met: object, rule: str, *, expected: object = None, seen: object = None) -> None:
        """The test's own expectation: `rule` is the sentence that is broken if `met` is false."""
        if not met:
            raise Broken(
                f"not so: {rule}",
                expected=None if expected is None else str(expected),
                seen=None if seen is None else _shown(seen),
            )
        self.story.add("tester", f"finds: {rule}")

    def says(self, what: str) -> None:
        """A sentence for the story: what the tester does next, or why."""
        self.story.add("tester", what)

    def random_bytes(self, count: int) -> bytes:
        """Bytes from the test's seed; NULs and line feeds are among them as they fall."""
        return self.rng.randbytes(count)

    def put_file(self, name: str, data: bytes, *, private: bool = False) -> str:
        """A file in the student's node; answers the path to give to a program. private: for its user only (0600)."""
        return self.node.put_file(name, data, private=private)

    def kind_of(self, path: str) -> str:
        """What stands at a path in the student's node: missing, file, folder, socket, other."""
        return self.node.kind_of(path)

    def waits_until(self, met: Callable[[], object], *, within: float = PATIENCE, every: float = 0.02) -> bool:
        """Ask the callable `met` again and again until it answers true; False when it never did."""
        deadline = time.monotonic() + within
        while not met():
            if time.monotonic() > deadline:
                return False
            time.sleep(every)
        return True

    def pauses(self, seconds: float) -> None:
        """Let time pass, where the passing of time is what the test is about."""
        self.story.add("tester", f"lets {seconds:g} s pass")
        time.sleep(seconds)

    @staticmethod
    def now() -> float:
        """Seconds on a monotonic clock."""
        return time.monotonic()

    def _keep(self, thing: Held) -> Held:
        self._open.append(thing)
        return thing

    def last_words(self) -> None:
        """The check has failed: the story gets what the programs wrote on standard error."""
        for thing in self._open:
            if isinstance(thing, Program):
                thing.last_words()

    def close(self) -> None:
        """End of the test: everything made here ends."""
        for thing in reversed(self._open):
            thing.dismiss()
        self._open.clear()
        self.network.close_paths()


def _shown(seen: object) -> str:
    return show(seen) if isinstance(seen, bytes) else str(seen)
