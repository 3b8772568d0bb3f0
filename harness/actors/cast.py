"""The participants of a test: the submission's programs, on one student node or two, and the tester's sockets.

Rule: whatever is made here, or is given to `keep`, ends with the test.
"""

from __future__ import annotations

import random
import shlex
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeVar, runtime_checkable

from harness.actors.datagrams import Datagrams
from harness.actors.listener import Listener
from harness.actors.own_sockets import HeldPort, new_socket, not_ours
from harness.actors.peer import Peer
from harness.actors.program import PATIENCE, Program
from harness.actors.server import Server
from harness.actors.story import Broken, Story, show
from harness.course.address import Address, parse_address
from harness.course.assignment import Assignment
from harness.lab.interface import CannotStart, Family, LabError, Mangle, Network, Node, NotMeasured
from harness.lab.own_address import bind
from harness.link.profile import Profile

#: The student nodes: all tests use the first, the second exists if an assignment asks for it (nodes = 2).
Where = Literal["first", "second"]

_BACKLOG = 1024  #: connections that the tester's own listening sockets keep waiting

#: Starts a program with a limit on descriptors; the arguments are the limit and the command.
_FEWER_FILES = (
    "python3",
    "-c",
    (
        "import os, resource, sys\n"
        "files, argv = int(sys.argv[1]), sys.argv[2:]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))\n"
        "os.execvp(sys.executable if argv[0] in ('python3', 'python') else argv[0], argv)"
    ),
)


class Lasting(Protocol):
    """What is ended with the test."""

    def dismiss(self) -> None: ...


@runtime_checkable
class Doubtful(Protocol):
    """What of the tester's own may have made a check fail."""

    def doubt(self) -> str | None: ...


Started = TypeVar("Started", bound=Program)
Held = TypeVar("Held", bound=Lasting)


def given(program: Started, stdin: bytes | None) -> Started:
    """A program, with its whole standard input if that is known."""
    if stdin is not None:
        program.stdin_sends_in_background(stdin)
    return program


class Cast:
    """The programs and the sockets of one test."""

    def __init__(
        self,
        node: Node,
        network: Network,
        *,
        assignment: Assignment,
        programs: Mapping[str, Sequence[str]],
        seed: int,
        second: Node | None = None,
        second_programs: Mapping[str, Sequence[str]] | None = None,
        reference: Path | None = None,
    ) -> None:
        """`programs`: how the submission starts them (`second_programs`: another one's); `reference`: the answers."""
        self.node, self.second = node, second
        self.network = network
        self.assignment = assignment
        self.output_limit = assignment.limits.output_mb * 1_000_000  #: bytes of each stream of a program
        self.programs = programs
        self.second_programs = programs if second_programs is None else second_programs
        self.reference = reference
        self.seed = seed
        self.rng = random.Random(seed)
        self.story = Story(time.monotonic)
        self.engine = network.engine
        self.since = time.time()  #: when the test began
        self.shaped = (Profile(), Profile())  #: what the link does now: up, down
        self.places: dict[Program, Where] = {}  #: the node of each program of the submission
        self.second_used = False  #: whether the second node has to be made fresh
        self.facts: dict[str, object] = {}  #: what the test found or measured, as plain data, for the check's report
        #: what a failing check leaves to look at, as plain data, or None; is given what only the reporter knows
        self.attachment: Callable[..., dict[str, object] | None] = lambda **_: None
        self._last: Program | None = None  # the submission's program that was started last
        self._open: list[Lasting] = []
        self._ports: dict[Peer, int] = {}  # the server's own port of each connection; a relay has another

    # -- the submission's programs -------------------------------------------------------------------------------

    def runs(
        self,
        program: str,
        *words: object,
        env: Mapping[str, str] | None = None,
        node: Where = "first",
        stdin: bytes | None = None,
    ) -> Program:
        """Start a student's program with these arguments, and give it its whole standard input if that is known."""
        return given(self._start(Program, program, words, env, node=node), stdin)

    def serves(
        self,
        program: str,
        *words: object,
        at: str | Address = "0.0.0.0:0",
        env: Mapping[str, str] | None = None,
        within: float = PATIENCE,
        files: int | None = None,
        node: Where = "first",
        flags: Sequence[str] = (),
        stdin: bytes | None = None,
    ) -> Server:
        """Start a student's server on an address and wait until it says that it listens.

        files: limit of descriptors, so that they run out; flags: arguments before the address.
        """
        asked = parse_address(at) if isinstance(at, str) else at
        starter = [*_FEWER_FILES, str(files)] if files else ()
        server = self._start(Server, program, (*flags, asked, *words), env, starter, node)
        server.waits_until_listening(asked, within=within)
        return given(server, stdin)

    def _start(
        self,
        kind: type[Started],
        name: str,
        words: Sequence[object],
        env: Mapping[str, str] | None,
        starter: Sequence[str] = (),
        node: Where = "first",
    ) -> Started:
        arguments = [str(word) for word in words]
        place = " on the second node" if node == "second" else ""
        self.story.add("tester", f"starts {shlex.join([name, *arguments])}{place}")
        argv = [*self.programs[name], *arguments]
        home = self.home(node)
        if argv[1:] and argv[1].endswith(".py") and home.kind_of(argv[1]) == "missing":
            raise CannotStart(f"{name} cannot be started: the submission has no file {argv[1]}")
        process = home.start([*starter, *argv], env=env)
        self._last = program = self.keep(kind(name, process, self.story, output_limit=self.output_limit))
        self.places[program] = node
        return program

    def home(self, node: Where) -> Node:
        """The node of that name; it will have to be made fresh. Raises LabError."""
        if node == "first":
            return self.node
        if self.second is None:
            raise LabError("this assignment has one student node: write nodes = 2 under [limits]")
        self.second_used = True
        return self.second

    def _early_end(self) -> Broken | None:
        """Why waiting is pointless: the program that was started last has ended."""
        program = self._last
        if program is None or program.runs():
            return None
        return program.broken(
            f"{program.name} ended before the tester heard from it",
            expected=f"{program.name} connects or sends",
            seen=program.ending(),
        )

    def address_of(self, server: Server) -> Address:
        """What the other side is told to reach a UDP server over the link.

        The other side of the first student node is the tester, or the second node; of each of these it is the first.
        """
        port, family = server.listening.port, server.listening.family
        place = self.places.get(server)
        if place == "first":
            return self.network.to_student(port, protocol="udp", family=family, mangle=None)
        if place == "second":
            return self.network.to_second(port, family)
        bound = Address("udp", host=self.network.tester_host(family), port=port)
        return self.network.to_tester(bound, mangle=None)

    # -- the tester's sockets --------------------------------------------------------------------------------------

    def listens(
        self,
        *,
        family: Family = 4,
        kind: str = "tcp",
        mangle: Mangle | None = None,
        receive_buffer: int | None = None,
        segment: int | None = None,
    ) -> Listener:
        """A listening socket of the tester; `.address` is what a student's client is told. kind: "tcp" or "unix".

        segment: as for `new_socket`. It is reached past the link's relay, which would hold some of the bytes itself.
        """
        if kind == "unix":
            listening, path = self.node.listen_unix("tester.sock")
            address = Address("unix", path=path)
        else:
            listening = self.listening(family, receive_buffer=receive_buffer, segment=segment)
            address = self.offered(listening, mangle, straight=segment is not None)
        self.story.add("tester", f"listens on {address}")
        return self.keep(Listener(listening, address, self.story, ended=self._early_end))

    def connects(
        self,
        server: Server,
        *,
        mangle: Mangle | None = None,
        family: Family | None = None,
        receive_buffer: int | None = None,
        segment: int | None = None,
        within: float = PATIENCE,
        name: str = "",
        quietly: bool = False,
    ) -> Peer:
        """Connect to a student's server over the link (to a Unix socket: beside it, as another user).

        segment: as for `new_socket`, and past the link's relay, which would hold some of the bytes itself. quietly: one
        of many; neither this step nor the peer's go into the story.
        """
        was_reset = False
        if server.listening.kind == "unix":
            try:
                connection = self.node.connect_unix(server.listening.path, within)
            except (OSError, ValueError) as error:
                not_ours(error)
                raise server.broken(
                    f"the tester cannot connect to {server.name}",
                    expected=f"a connection to {server.listening}",
                    seen=str(error),
                ) from None
        else:
            connection, was_reset = self._connected(
                server, family or server.listening.family, mangle, (receive_buffer, segment), within
            )
        if not quietly:
            self.story.add("tester", f"{name} connects to {server.name}".strip())
        peer = self.keep(Peer(connection, self.story, name=name, quiet=quietly, was_reset=was_reset))
        self._ports[peer] = server.listening.port
        return peer

    def _connected(
        self, server: Server, family: Family, mangle: Mangle | None, sizes: tuple[int | None, int | None], within: float
    ) -> tuple[socket.socket, bool]:
        """A connection, and whether it was reset before connect() returned. sizes: receive buffer and segment."""
        if sizes[1] is None:
            target = self.network.to_student(server.listening.port, protocol="tcp", family=family, mangle=mangle)
        else:
            target = self.network.straight_to_student(server.listening.port, family)
        connection = new_socket(family, socket.SOCK_STREAM, *sizes)
        connection.settimeout(within)
        try:
            connection.connect(target.pair)
        except ConnectionResetError:
            return connection, True
        except OSError as error:
            connection.close()
            not_ours(error, target.host)
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
        bound = self._bound(family, socket.SOCK_DGRAM)
        address = self.offered(bound)
        self.story.add("tester", f"waits for datagrams on {address}")
        return self.keep(Datagrams(bound, self.story, address=address, target=None, name="", ended=self._early_end))

    def datagrams(self, server: Server, *, family: Family | None = None) -> Datagrams:
        """A UDP socket of the tester that sends to a student's server over the link."""
        family = family or server.listening.family
        target = self.network.to_student(server.listening.port, protocol="udp", family=family, mangle=None)
        bound = self._bound(family, socket.SOCK_DGRAM)
        return self.keep(Datagrams(bound, self.story, address=None, target=target, name="", ended=self._early_end))

    def nobody(self, kind: Literal["tcp", "udp"] = "tcp", *, family: Family = 4) -> Address:
        """An address at which nothing listens; a TCP port is held, so that nobody takes it meanwhile."""
        if kind == "udp":
            return self.network.closed_address(family, kind)
        held = self.keep(HeldPort(self._bound(family, socket.SOCK_STREAM)))
        return Address("tcp", host=self.network.tester_host(family), port=held.port)

    def silence(self, *, family: Family = 4) -> Address:
        """An address that neither takes nor refuses a connection: the queue of what listens there is full (Linux)."""
        bound = self._bound(family, socket.SOCK_STREAM)
        bound.listen(0)
        address = self.offered(bound, straight=True)
        self.keep(Listener(bound, address, self.story, ended=self._early_end))
        for last in (False, True):
            filler = new_socket(family, socket.SOCK_STREAM)
            filler.settimeout(0.2 if last else PATIENCE)
            taken = not filler.connect_ex(address.pair)
            self.keep(Peer(filler, self.story, quiet=True))
        if taken:
            raise NotMeasured("a queue of one takes two connections here")
        return address

    def listening(
        self, family: Family, *, receive_buffer: int | None = None, segment: int | None = None
    ) -> socket.socket:
        """A listening TCP socket of the tester; see `offered`."""
        bound = self._bound(family, socket.SOCK_STREAM, receive_buffer, segment)
        bound.listen(_BACKLOG)
        return bound

    def offered(self, bound: socket.socket, mangle: Mangle | None = None, *, straight: bool = False) -> Address:
        """The address a student's program is given to reach a socket of the tester over the link.

        straight: past a relay, if the link is one.
        """
        host, port = bound.getsockname()[:2]
        kind: Literal["tcp", "udp"] = "tcp" if bound.type == socket.SOCK_STREAM else "udp"
        address = Address(kind, host=host, port=port)
        return address if straight else self.network.to_tester(address, mangle=mangle)

    def _bound(
        self, family: Family, kind: socket.SocketKind, receive_buffer: int | None = None, segment: int | None = None
    ) -> socket.socket:
        bound = new_socket(family, kind, receive_buffer, segment)
        bind(bound, self.network.tester_host(family))
        return bound

    # -- what is expected, and the end --------------------------------------------------------------------------

    def expect(self, met: object, rule: str, *, otherwise: str, expected: object = None, seen: object = None) -> None:
        """The test's own expectation: `rule` is a sentence that can stand alone, and is broken if `met` is false.

        otherwise: what has happened then, in a sentence; it is the headline of the failure. Raises Broken.
        """
        if not met:
            raise Broken(
                otherwise,
                expected=None if expected is None else str(expected),
                seen=show(seen) if isinstance(seen, bytes) else None if seen is None else str(seen),
            )
        self.story.add("tester", f"finds: {rule}")

    def expect_same(self, seen: object, expected: object, rule: str, *, otherwise: str) -> None:
        """`expect` for two values that have to be equal; both are shown. Raises Broken."""
        shown = show(expected) if isinstance(expected, bytes) else expected
        self.expect(seen == expected, rule, otherwise=otherwise, expected=shown, seen=seen)

    def keep(self, thing: Held) -> Held:
        """Have it dismissed at the end of the test."""
        self._open.append(thing)
        return thing

    def crashes(self) -> list[str]:
        """The check has failed: which servers ended although nobody told them to, in words."""
        servers = [thing for thing in self._open if isinstance(thing, Server) and thing.crashed()]
        return [server.crash() for server in servers]

    def doubt(self) -> str | None:
        """The check has failed: what of the tester's own or of the machine's may have made it fail, in a sentence."""
        doubts = (thing.doubt() for thing in self._open if isinstance(thing, Doubtful))
        return next(filter(None, doubts), None) or self.node.doubt()

    def last_words(self) -> None:
        """The check has failed: add to the story what the programs wrote on standard error."""
        for thing in self._open:
            if isinstance(thing, Program):
                thing.last_words()

    def close(self) -> None:
        """End of the test: everything made here ends."""
        for thing in reversed(self._open):
            thing.dismiss()
        self._open.clear()
        self.network.close_paths()
