"""Who plays in a test: the submission's programs on one student node or two, and the reference's beside the tester.

Mixed into `Scene`. Rule: what the reference does wrong is ours, whatever it says of the submission.
"""

from __future__ import annotations

import random
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from harness.actors.program import PATIENCE, Program, Server
from harness.actors.story import Broken, Story
from harness.course.address import Address, parse_address
from harness.lab.interface import CannotStart, Family, LabError, Network, Node, Process

if TYPE_CHECKING:
    from harness.actors.datagrams import Datagrams
    from harness.link.trace import Direction, Packet
    from harness.transport.checks.by_hand import ByHand
    from harness.transport.checks.simulation import Transport
    from harness.transport.segments import Wire

#: The student nodes: the first has all tests, the second is there where an assignment asks for it (nodes = 2).
Where = Literal["first", "second"]

#: Starts the program named by the words that follow with so many descriptors.
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

Started = TypeVar("Started", bound=Program)


class Reference:
    """The reference's programs, run where the tests run: never beside a submission's."""

    def __init__(self, folder: Path, programs: Mapping[str, Sequence[str]]) -> None:
        """`programs`: how the assignment starts them, whatever a submission made of that."""
        self._folder = folder
        self._programs = programs

    def start(self, name: str, words: Sequence[str]) -> Process:
        """Start one of them; it ends with the tester at the latest. Raises LabError."""
        from harness.lab.local.lab import LocalProcess, die_with_parent

        argv = [*self._programs[name], *words]
        if argv[0] in ("python3", "python"):
            argv[:1] = [sys.executable, "-B"]
        try:
            popen = subprocess.Popen(
                argv,
                cwd=self._folder,
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                preexec_fn=die_with_parent(),
            )
        except OSError as error:
            raise LabError(f"the reference's {name} cannot be started: {error.strerror}") from None
        return LocalProcess(popen)


class ReferenceProgram(Program):
    """The reference's program. In the story it is the tester's."""

    who = "tester"


class ReferenceServer(Server):
    """The reference's server."""

    who = "tester"


class Cast:
    """The programs of a test."""

    # What a Scene has.
    node: Node
    network: Network
    story: Story
    transport: Transport | None
    rng: random.Random
    listens_udp: Callable[..., Datagrams]
    datagrams: Callable[..., Datagrams]
    _programs: Mapping[str, Sequence[str]]
    _output_limit: int
    _open: list[Any]

    def cast(self, second: Node | None, reference: Reference | None) -> None:
        """Before the test: who is there beside the first student node."""
        self._second = second
        self._reference = reference
        self._last: Program | None = None  # the submission's program that was started last
        self._places: dict[Program, Where | Literal["tester"]] = {}
        self._since = time.time()
        self.second_used = False  #: whether the second node has to be made fresh

    # -- the submission's ----------------------------------------------------------------------------------------

    def runs(
        self,
        program: str,
        *words: object,
        env: Mapping[str, str] | None = None,
        node: Where = "first",
        stdin: bytes | None = None,
    ) -> Program:
        """Start a student's program with these arguments, and give it its whole standard input if that is known."""
        return self._given(self._start(Program, program, words, env, node=node), stdin)

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

        files: with so many descriptors and not more, so that they run out; flags: words in front of the address.
        """
        asked = parse_address(at) if isinstance(at, str) else at
        starter = [*_FEWER_FILES, str(files)] if files else ()
        server = self._start(Server, program, (*flags, asked, *words), env, starter, node)
        server.waits_until_listening(asked, within=within)
        return self._given(server, stdin)

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
        argv = [*self._programs[name], *arguments]
        home = self._home(node)
        if argv[1:] and argv[1].endswith(".py") and home.kind_of(argv[1]) == "missing":
            raise CannotStart(f"{name} cannot be started: the submission has no file {argv[1]}")
        program = kind(name, home.start([*starter, *argv], env=env), self.story, output_limit=self._output_limit)
        self._open.append(program)
        self._places[program] = node
        self._last = program
        return program

    def _home(self, node: Where) -> Node:
        if node == "first":
            return self.node
        if self._second is None:
            raise LabError("this assignment has one student node: write nodes = 2 under [limits]")
        self.second_used = True
        return self._second

    @staticmethod
    def _given(program: Started, stdin: bytes | None) -> Started:
        if stdin is not None:
            program.stdin_sends_in_background(stdin)
        return program

    def _early_end(self) -> Broken | None:
        """Why there is nothing to wait for any more: the program that was started last has ended."""
        program = self._last
        if program is None or program.runs():
            return None
        return program.broken(
            f"{program.name} ended before the tester heard from it",
            expected=f"{program.name} connects or sends",
            seen=program.ending(),
        )

    # -- the reference's -----------------------------------------------------------------------------------------

    def peer_runs(self, program: str, *words: object, stdin: bytes | None = None) -> Program:
        """Start the reference's program, as a peer of the submission's. Raises LabError."""
        return self._given(self._play(ReferenceProgram, program, words), stdin)

    def peer_serves(
        self, program: str, *words: object, family: Family = 4, flags: Sequence[str] = (), stdin: bytes | None = None
    ) -> Server:
        """Start the reference's server over UDP and wait until it listens; see `address_of`. Raises LabError."""
        at = Address("udp", host=self.network.tester_host(family), port=0)
        server = self._play(ReferenceServer, program, (*flags, at, *words))
        try:
            server.waits_until_listening(at)
        except Broken as broken:
            raise LabError(f"the reference does not listen: {broken.message} ({broken.seen})") from None
        return self._given(server, stdin)

    def _play(self, kind: type[Started], name: str, words: Sequence[object]) -> Started:
        if self._reference is None:
            raise LabError("this check needs the reference, and the job names none")
        arguments = [str(word) for word in words]
        self.story.add("tester", f"starts the reference's {shlex.join([name, *arguments])}")
        process = self._reference.start(name, arguments)
        program = kind(f"the reference's {name}", process, self.story, output_limit=self._output_limit)
        self._open.append(program)
        self._places[program] = "tester"
        return program

    # -- between them --------------------------------------------------------------------------------------------

    def address_of(self, server: Server) -> Address:
        """What the other side is told to reach a UDP server over the link.

        The other side of the first student node is the tester, or the second node; of each of these it is the first.
        """
        port, family = server.listening.port, server.listening.family
        place = self._places[server]
        if place == "first":
            return self.network.to_student(port, protocol="udp", family=family, mangle=None)
        if place == "second":
            return self.network.to_second(port, family)
        bound = Address("udp", host=self.network.tester_host(family), port=port)
        return self.network.to_tester(bound, mangle=None)

    def came_over_the_link(self, receiver: Program) -> None:
        """What a program of the transport printed is what the link brought to its node, and came by no other way."""
        from harness.transport.delivered import delivered

        packets = self._carried()
        way = "down" if self._places[receiver] == "first" else "up"
        stream = bytes(delivered([packet for packet in packets if packet.direction == way], self._wire()).stream)
        printed = receiver.stdout
        if stream != printed:
            if missed := self.network.missed(self._since):
                raise LabError(f"{missed:,} packets of the link were not captured, so nothing can be concluded")
            raise Broken(
                f"what {receiver.name} printed did not come over the link",
                expected=f"the {len(stream):,} bytes that the link brought to its node",
                seen=f"{len(printed):,} bytes" + ("" if len(stream) != len(printed) else ", and other ones"),
            )
        self.story.add("link", f"brought all {len(stream):,} bytes that {receiver.name} printed")

    def by_hand(self, server: Server | None = None, *, family: Family = 4) -> ByHand:
        """A peer whose segments the test says one by one: for a server, or for a client that is told `.address`."""
        from harness.transport.checks.by_hand import ByHand

        datagrams = self.listens_udp(family=family) if server is None else self.datagrams(server)
        return ByHand(datagrams, self._wire(), self.story, isn=self.rng.getrandbits(32))

    def keeps_the_rules(self, program: Program, *, stage: int = 9) -> None:
        """What a program of the transport sent breaks no rule of these stages that can be judged from outside."""
        from harness.transport.oracle.judge import Case, broken, judge

        side: Direction = "up" if self._places[program] == "first" else "down"
        found = broken(judge(self._carried(), self._wire(), Case(stage=stage, judged=[side], real=True)))
        if found:
            raise Broken(f"{program.name} broke {found[0]}", expected=f"rule {found[0].rule}", seen=found[0].text)
        self.story.add("tester", f"finds: {program.name} kept the rules on the wire")

    def _wire(self) -> Wire:
        if self.transport is None:
            raise LabError("this assignment says nothing of a wire format")
        return self.transport.wire

    def _carried(self) -> list[Packet]:
        packets = self.network.packets(self._since, time.time())
        if packets is None:
            raise LabError("there is no account of what the link carried")
        return packets
