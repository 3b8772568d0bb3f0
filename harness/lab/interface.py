"""The promise every lab keeps, whatever it is made of.

Rule 1: a test sees only what is defined here: a node that runs programs, a network with two ends, a link between them.
Rule 2: nothing here knows Docker, loopback, TUN or a relay; the other modules of the room do.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from harness.course.address import Address
from harness.course.forbidden import StageRule
from harness.errors import SetupError, SubmissionError
from harness.link.addresses import Family as Family
from harness.link.profile import Profile
from harness.link.trace import Packet

#: Errors of the tester's own sockets that are no server's fault: no descriptor, port, memory or route.
OURS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL, errno.ENETUNREACH)


class LabError(SetupError):
    """Ours or the machine's fault, never the submission's: the test that meets it is inconclusive."""


class NodeGone(LabError):
    """The student's node has ended, or so it seems from here: whoever watches the node knows for sure, and why."""


class NodeMute(LabError):
    """The student's node is there and does not answer: whoever can look at it knows whether somebody stopped it."""


class NotMeasured(LabError):
    """This system does not report what a program uses: checks that need it are left out, and the story says so."""


class CannotStart(SubmissionError):
    """The submission's fault: the program is missing, is not executable, or names no interpreter that exists."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What the kernel reports for everything that the student's user runs in a node, added up."""

    processes: int  #: processes alive
    threads: int  #: threads alive, the main threads included
    open_files: int  #: open descriptors over all processes
    memory_bytes: int  #: resident memory, tmpfs, what waits in pipes and Unix sockets (Docker); no cache of files
    cpu_seconds: float  #: user and system time used so far, including ended processes if the kernel keeps that
    #: times that the living threads have slept and been woken so far; None: not reported
    wakeups: int | None = None
    #: seconds that the living threads were ready to run and had no processor; None: not reported
    queued_seconds: float | None = None
    #: the most of these that one living thread has waited; threads that wait for each other do not add up in it
    queued_longest: float | None = None
    #: what each process alive is, by what it executes: "python", "go", "node", "java", "shell", "native"
    runtimes: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class LinkCounters:
    """What the link did since it was last set, both directions added up; the proof that it was applied."""

    packets: int = 0  #: packets (UDP datagrams or TCP chunks for a relay) that entered
    delivered: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    overflowed: int = 0  #: lost because the queue limit was reached
    data_up: int = 0  #: packets with payload that the student's side sent, 0 where it is not counted
    data_down: int = 0  #: and the tester's
    bytes_up: int = 0  #: how large these were together: payload at home, whole packets in Docker; 0: not counted
    bytes_down: int = 0
    late_p99: float = 0.0  #: seconds between when a packet was due and when it left, 99th percentile
    engine_drops: int = 0  #: packets the engine itself lost (tun0 queue): a run with any is inconclusive


@dataclass(frozen=True, kw_only=True)
class Mangle:
    """What can be done to a TCP byte stream on its way, since a TCP program cannot see a lost packet.

    Applies to the bytes that the student's program reads, of each connection that goes through a TCP relay. Offsets
    count bytes of the stream. None, and 0 seconds, mean "do not".
    """

    slices: tuple[int, ...] = ()  #: deliver in chunks of these sizes, repeated in turn, each a separate write
    pause: float = 0.0  #: seconds between two such chunks, so that the receiver sees them one by one
    coalesce: float = 0.0  #: hold bytes back for this long and deliver them as one write
    stall_at: int | None = None  #: after this many bytes, hold everything back once ...
    stall_for: float = 0.0  #: ... for this many seconds
    reset_at: int | None = None  #: after this many bytes, reset both sides of the connection
    end_at: int | None = None  #: after this many bytes, half-close towards the receiver and discard the rest


class Process(Protocol):
    """A student's program while it runs. The descriptors are real pipes (or a socket), owned by the caller."""

    @property
    def stdin(self) -> int: ...  #: descriptor to write to
    @property
    def stdout(self) -> int: ...  #: descriptor to read from
    @property
    def stderr(self) -> int: ...  #: descriptor to read from

    def signal(self, signum: int) -> None:
        """Send a signal to the program (its first process); SIGSTOP and SIGCONT go to all that it has started, too.

        A program that has already ended is not an error.
        """
        ...

    def left(self) -> int:
        """How many processes that it has started run on, once it has ended; those of nobody else are counted as its."""
        ...

    def wait(self, timeout: float) -> int | None:
        """Exit status (negative: the signal that ended it, as subprocess has it), None if it still runs then."""
        ...


class Node(Protocol):
    """The student's side: one machine on which only the submission runs, as an ordinary user."""

    def build(self, command: Sequence[str] | None, *, timeout: float) -> str | None:
        """Once, before the first test: copy the submission and, if a command is given, build it as the student's user.

        None if all went well, else what to tell the author (exit status and the end of the build's output).
        """
        ...

    def look(self, rules: Sequence[StageRule]) -> dict[int, str]:
        """Stage -> what it forbids and the programs use, found by this node's Python. After the build.

        Raises LabError.
        """
        ...

    def pack(self) -> int:
        """A descriptor from which a tar of what was built comes; it may end too early, and nothing in it is safe."""
        ...

    def fresh(self) -> None:
        """End every process of the student and start over with empty folders and a copy of the submission."""
        ...

    def start(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Process:
        """Start a program in the folder of the submission's copy. Raises CannotStart."""
        ...

    def connect_unix(self, path: str, timeout: float) -> socket.socket:
        """A stream socket connected to `path` (relative to the working folder) in this node, by another user."""
        ...

    def listen_unix(self, name: str) -> tuple[socket.socket, str]:
        """A listening stream socket in this node for student clients, and the path they are told."""
        ...

    def connect_tcp(self, port: int, family: Family, timeout: float) -> socket.socket:
        """A stream socket connected to a port of this node's own loopback: no link is in between.

        Raises ConnectionError, LabError.
        """
        ...

    def listen_tcp(self, family: Family) -> tuple[socket.socket, int]:
        """A listening stream socket on this node's own loopback, and its port. Raises LabError."""
        ...

    def put_file(self, name: str, data: bytes, *, mode: int = 0) -> str:
        """Write a file the student's user can read; returns the path to give to the program.

        mode: owned by the student's user, with these permissions, such as 0o600 for a key; else anybody may read it.
        """
        ...

    def kind_of(self, path: str) -> Literal["missing", "file", "folder", "socket", "other"]:
        """What is at `path` in this node (links are not followed)."""
        ...

    def usage(self) -> Usage: ...

    def trouble(self) -> str | None:
        """A sentence if the kernel had to step in (memory limit, process limit), else None."""
        ...

    def doubt(self) -> str | None:
        """After a failure: what the machine denied this node that the limits allow, in a sentence, else None."""
        ...


class Network(Protocol):
    """The two ends and the link between them."""

    engine: str  #: "relay", "router" or "netem"

    def tester_host(self, family: Family) -> str:
        """The address to bind the tester's own sockets to (numeric)."""
        ...

    def student_host(self, family: Family) -> str:
        """The address of the student's node as its own sockets have it (numeric)."""
        ...

    def to_student(
        self, port: int, *, protocol: Literal["tcp", "udp"], family: Family, mangle: Mangle | None
    ) -> Address:
        """Where the tester connects (or sends) to reach that port of the student's node over the link."""
        ...

    def straight_to_student(self, port: int, family: Family) -> Address:
        """Where to send thousands of TCP connections to that port: past a link that would itself be the bottleneck."""
        ...

    def to_tester(self, bound: Address, *, mangle: Mangle | None) -> Address:
        """The address a student's program is given to reach the tester's socket bound at `bound` over the link."""
        ...

    def to_second(self, port: int, family: Family) -> Address:
        """The address given to a program of the first student node to reach a UDP port of the second over the link."""
        ...

    def seen_by_student(self, local: Address, remote: Address) -> Address:
        """The source address the student's server sees for the tester's socket `local` connected to `remote`."""
        ...

    def closed_address(self, family: Family, protocol: Literal["tcp", "udp"]) -> Address:
        """An address of the tester at which nothing listens: connecting is refused, a datagram brings an ICMP error."""
        ...

    def shape(self, *, up: Profile, down: Profile, seed: int) -> None:
        """Apply a profile per direction from now on: up is student to tester. Resets the counters."""
        ...

    def counters(self) -> LinkCounters: ...

    def packets(self, start: float, end: float) -> list[Packet] | None:
        """The UDP datagrams that were sent into the link between two wall-clock times, and what came of each.

        Up is from the (first) student node. None where there is no capture.
        """
        ...

    def missed(self, start: float) -> int:
        """How many packets, of any kind, the link has carried since then (time.time()) that no capture has.

        The link must not have been set before then.
        """
        ...

    def flooded(self) -> bool:
        """Whether the captures ended because more was sent in this test than any test needs."""
        ...

    def capture(self, start: float, end: float) -> bytes | None:
        """The packets between two wall-clock times (time.time()) as a pcapng file, None where there is no capture."""
        ...

    def close_paths(self) -> None:
        """Forget every path made by to_student and to_tester (end of a test)."""
        ...
