"""The lab in Docker, seen from the tester node: the student's node through its agent, the link through its router.

It runs inside the tester's container and knows sockets, not Docker (harness/lab/docker/containers.py does).
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from harness.course import languages, look
from harness.course.address import Address
from harness.course.assignment import Assignment, Limits
from harness.course.forbidden import StageRule
from harness.lab.docker.description import DockerLab
from harness.lab.docker.helper import ANSWERED_WITHIN, Helper, Reply
from harness.lab.interface import CannotStart, Family, LabError, LinkCounters, Mangle, NodeGone, NodeMute, Usage
from harness.lab.node.captures import FLOODED
from harness.lab.node.reply import Refused, otherwise
from harness.lab.own_address import bind
from harness.lab.relay.loop import RelayLoop
from harness.link.addresses import WIRES, address
from harness.link.profile import Profile
from harness.link.trace import Packet
from harness.pictures import wires as pcap

Kind = Literal["missing", "file", "folder", "socket", "other"]

_TESTER, _STUDENT, _SECOND = WIRES["tester"], WIRES["student"], WIRES["second"]
#: Multicast reports of the kernel's own on three new wires, which netem counts and no capture holds.
_MULTICASTS = 24


# -- the student's node --------------------------------------------------------------------------------------------


class AgentProcess:
    """A program in the student's node. Its exit status comes over a pipe from the agent."""

    def __init__(
        self, pid: int, descriptors: Sequence[int], signal: Callable[[int, int], None], left: Callable[[int], int]
    ) -> None:
        self.stdin, self.stdout, self.stderr, self._told = descriptors
        self._pid = pid
        self._signal, self._left = signal, left
        self._status: int | None = None
        self._lock = threading.Lock()

    def signal(self, signum: int) -> None:
        """Send a signal to the program itself; SIGSTOP and SIGCONT to all that it has started."""
        if self._status is None:
            self._signal(self._pid, signum)

    def left(self) -> int:
        """Processes of it that run on after its end."""
        return self._left(self._pid)

    def wait(self, timeout: float) -> int | None:
        """Exit status, or None if it still runs after `timeout` seconds. Raises LabError."""
        with self._lock:
            if self._status is not None:
                return self._status
            poll = select.poll()
            poll.register(self._told, select.POLLIN)
            if not poll.poll(max(0.0, timeout) * 1000):
                return None
            data = os.read(self._told, 4)
            if len(data) < 4:
                raise NodeGone("the agent of the student's node ended, and with it all that ran there")
            self._status = int(struct.unpack("i", data)[0])
            os.close(self._told)
            return self._status


class AgentNode:
    """A student's node: the agent in it does what is asked, the warden gives it fresh folders."""

    def __init__(self, agent: str, warden: str, router: str, limits: Limits, name: str = "student") -> None:
        self._name = name  #: the name of its wire
        self._agent = Helper("agent", agent, socket.SOCK_SEQPACKET, gone=NodeGone, mute=NodeMute)
        self._warden = Helper("warden", warden)
        self._router = Helper("router", router)
        self._limits = limits

    def _ask(
        self, op: str, *, given: Sequence[int] = (), answered_within: float = ANSWERED_WITHIN, **arguments: Any
    ) -> tuple[Reply, list[int]]:
        """The agent's answer. Raises Refused for what the submission did or left, LabError for the rest."""
        try:
            return self._agent.ask({"op": op, **arguments}, given=given, within=answered_within)
        except Refused as refused:
            if refused.kind in ("request", "node"):
                raise LabError(f"the agent of the student's node cannot {op}: {refused}") from None
            raise

    def _tell_warden(self, op: str) -> None:
        with otherwise(LabError, f"the lab's warden cannot {op}"):
            self._warden.ask({"op": op, "node": self._name})

    def build(self, command: Sequence[str] | None, *, timeout: float) -> str | None:
        words = None if command is None else list(command)
        text: str | None
        try:
            within, env = timeout + ANSWERED_WITHIN, dict(languages.ENVIRONMENT)
            reply, _ = self._ask("build", command=words, timeout=timeout, env=env, answered_within=within)
            text = reply["text"]
        except Refused as refused:
            text = str(refused)
        self._tell_warden("seal")
        return text

    def look(self, rules: Sequence[StageRule]) -> dict[int, str]:
        def run(question: bytes) -> tuple[int | None, bytes]:
            answered = look.ENDED_AFTER + ANSWERED_WITHIN
            text = question.decode()
            reply, _ = self._ask("look", question=text, within=look.ENDED_AFTER, answered_within=answered)
            return reply["status"], reply["output"].encode()

        try:
            # Less than the node has, since what was built is memory, too.
            return look.look(rules, "/build", run, memory=(self._limits.memory_mb << 20) * 5 // 8)
        except (Refused, look.CannotLook) as why:
            raise LabError(f"the sources cannot be looked through: {why}") from None

    def pack(self) -> int:
        with otherwise(LabError, "what was built cannot be packed"):
            return self._ask("pack")[1][0]

    def fresh(self) -> None:
        try:
            self._ask("fresh_kill")
        except Refused as refused:  # otherwise something may be left of what outlives processes
            if refused.kind == "start":
                raise CannotStart(f"what ran in an earlier check is still there: {refused}") from None
        self._tell_warden("fresh")
        with contextlib.suppress(Refused):
            self._router.ask({"op": "flush"})  # no packet of one test reaches the next
        with otherwise(CannotStart, "what was built cannot be copied to the working folder"):
            self._ask("populate")

    def start(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> AgentProcess:
        named = len(argv) > 1 and argv[0] in ("python3", "python") and not argv[1].startswith("-")
        if named and self.kind_of(argv[1]) == "missing":
            raise CannotStart(f"the program {argv[1]} is missing: the submission has no file of that name")
        try:
            reply, descriptors = self._ask("start", argv=list(argv), env=dict(env or {}))
        except Refused as refused:
            why = f"{argv[0]} cannot be started ({refused}): is it there, built and executable?"
            raise CannotStart(why) from None
        return AgentProcess(reply["pid"], descriptors, self._signal, self._left)

    def _signal(self, pid: int, signum: int) -> None:
        with contextlib.suppress(Refused):
            self._ask("signal", pid=pid, signum=int(signum))

    def _left(self, pid: int) -> int:
        with otherwise(LabError, "the processes of the student's node cannot be counted"):
            return int(self._ask("left", pid=pid)[0]["count"])

    def connect_unix(self, path: str, timeout: float) -> socket.socket:
        deadline = time.monotonic() + timeout
        while True:
            try:
                _, descriptors = self._ask("connect_unix", path=path)
            except Refused as refused:
                if refused.number != errno.EAGAIN or time.monotonic() > deadline:  # else its queue is full
                    raise ConnectionError(f"{path}: {refused}") from None
                time.sleep(0.01)
                continue
            connection = socket.socket(fileno=descriptors[0])
            connection.settimeout(timeout)
            return connection

    def listen_unix(self, name: str) -> tuple[socket.socket, str]:
        with otherwise(LabError, f"no listening socket {name!r} can be made in the student's node"):
            reply, descriptors = self._ask("listen_unix", name=name)
        return socket.socket(fileno=descriptors[0]), reply["path"]

    def connect_tcp(self, port: int, family: Family, timeout: float) -> socket.socket:
        try:
            _, descriptors = self._ask("connect_tcp", port=port, family=family)
        except Refused as refused:
            raise ConnectionError(f"port {port} of the student's node: {refused}") from None
        connection = socket.socket(fileno=descriptors[0])
        connection.settimeout(timeout)
        return connection

    def listen_tcp(self, family: Family) -> tuple[socket.socket, int]:
        with otherwise(LabError, "no listening socket can be made in the student's node"):
            reply, descriptors = self._ask("listen_tcp", family=family)
        return socket.socket(fileno=descriptors[0]), reply["port"]

    def put_file(self, name: str, data: bytes, *, mode: int = 0) -> str:
        memory = os.memfd_create("given")
        try:
            with open(memory, "wb", closefd=False) as file:
                file.write(data)
            os.lseek(memory, 0, os.SEEK_SET)
            reply, _ = self._ask("put_file", name=name, mode=mode, given=[memory])
        except Refused as refused:
            if refused.number == errno.ENOSPC:
                # A private file is the student's own: if it grows, there is no room for the next one.
                why = "the folder of the files that the submission is given has been filled by it"
                raise CannotStart(why) from None
            raise LabError(f"{name!r} cannot be put into the student's node: {refused}") from None
        finally:
            os.close(memory)
        path: str = reply["path"]
        return path

    def kind_of(self, path: str) -> Kind:
        try:
            kind: Kind = self._ask("kind_of", path=path)[0]["kind"]
        except Refused:
            return "missing"
        return kind

    def usage(self) -> Usage:
        with otherwise(LabError, "the student's node cannot be measured"):
            return Usage(**self._ask("usage")[0])

    def trouble(self) -> str | None:
        reply: Reply = {}
        with contextlib.suppress(Refused):
            reply, _ = self._ask("trouble")
        said = []
        if reply.get("killed"):
            said.append(
                f"the kernel ended {_times(reply['killed'], 'process', 'es')} of it: "
                f"the memory limit of {self._limits.memory_mb} MB was reached"
            )
        if reply.get("refused"):
            said.append(
                f"the kernel refused to start {_times(reply['refused'], 'process', 'es')} or threads: "
                f"the limit of {self._limits.processes} was reached"
            )
        return "; ".join(said) or None

    def doubt(self) -> str | None:
        """Its control group, its disk and its ports are its own: nobody else can fill them."""
        return None


def _times(count: int, noun: str, plural: str) -> str:
    return f"{count:,} {noun}{plural if count != 1 else ''}"


# -- the link ------------------------------------------------------------------------------------------------------


class StarNetwork:
    """The wires and the router between them."""

    def __init__(self, router: str, captures: Sequence[str], engine: str) -> None:
        self.engine = engine
        self._router = Helper("router", router)
        self._wires = [pcap.WireFile(path, wire) for wire, path in enumerate(captures)]
        self._names = tuple(WIRES)[: len(captures)]
        self._paths = list(captures)
        self._relays: RelayLoop | None = None  #: for mangled connections only; runs in this node
        self._mangled: set[Address] = set()

    def tester_host(self, family: Family) -> str:
        return address(_TESTER, family)

    def student_host(self, family: Family) -> str:
        return address(_STUDENT, family)

    def to_student(
        self, port: int, *, protocol: Literal["tcp", "udp"], family: Family, mangle: Mangle | None
    ) -> Address:
        """A mangled connection goes through a relay between the tester's peer and its wire."""
        target = Address(protocol, host=address(_STUDENT, family), port=port)
        if mangle is None or protocol == "udp":
            return target
        return self._keep(self._relay().add_tcp(to=target, towards="student", mangle=mangle))

    def straight_to_student(self, port: int, family: Family) -> Address:
        """The router carries them all."""
        return Address("tcp", host=address(_STUDENT, family), port=port)

    def to_second(self, port: int, family: Family) -> Address:
        return Address("udp", host=address(_SECOND, family), port=port)

    def to_tester(self, bound: Address, *, mangle: Mangle | None) -> Address:
        if mangle is None or bound.kind == "udp":
            return bound
        return self._keep(
            self._relay().add_tcp(to=bound, towards="tester", listen=address(_TESTER, bound.family), mangle=mangle)
        )

    def _relay(self) -> RelayLoop:
        if self._relays is None:
            self._relays = RelayLoop()
        return self._relays

    def _keep(self, relayed: Address) -> Address:
        self._mangled.add(relayed)
        return relayed

    def seen_by_student(self, local: Address, remote: Address) -> Address:
        """The router changes no address; a relay does."""
        return self._relay().seen_by_target(local, remote) if remote in self._mangled else local

    def closed_address(self, family: Family, protocol: Literal["tcp", "udp"]) -> Address:
        kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, kind) as probe:
            bind(probe, address(_TESTER, family))
            return Address(protocol, host=address(_TESTER, family), port=probe.getsockname()[1])

    def shape(self, *, up: Profile, down: Profile, seed: int) -> None:
        self._ask({"op": "shape", "up": up.as_dict(), "down": down.as_dict(), "seed": seed})

    def counters(self) -> LinkCounters:
        """An engine that chooses by profile says which one it was."""
        reply = self._ask({"op": "counters"})
        self.engine = reply.get("engine", self.engine)
        found = LinkCounters(**{name: reply[name] for name in LinkCounters.__dataclass_fields__ if name in reply})
        if self._relays is None:
            return found
        return replace(found, engine_drops=found.engine_drops + self._relays.counters().engine_drops)

    def _ask(self, request: Mapping[str, Any]) -> Reply:
        with otherwise(LabError, f"the lab's router cannot {request['op']}"):
            return self._router.ask(request)[0]

    def packets(self, start: float, end: float) -> list[Packet] | None:
        from harness.pictures.capture import BadCapture, from_capture

        try:
            self._wait_for_captures()
            frames = [frame for wire in self._wires for frame in wire.between(start, end)]
        except OSError:
            return None
        try:
            return from_capture(pcap.as_pcapng(sorted(frames, key=lambda frame: frame.at), names=self._names))
        except BadCapture:  # not one datagram: a program may use another channel
            return []

    def missed(self, start: float) -> int:
        carried = self.counters().packets  # first: programs that still run go on sending
        self._wait_for_captures()
        captured = sum(frame.entered for wire in self._wires for frame in wire.between(start, time.time()))
        return max(0, carried - captured - _MULTICASTS) if captured else carried

    def flooded(self) -> bool:
        with contextlib.suppress(OSError):
            return any(os.stat(path).st_size >= FLOODED for path in self._paths)
        return False

    def capture(self, start: float, end: float) -> bytes | None:
        """All wires, with what the link did to each packet as comments."""
        try:
            self._wait_for_captures()
            packets, cut = pcap.merged([wire.between(start, end) for wire in self._wires])
        except OSError:
            return None
        pcap.explain(packets)
        note = "The test had more packets than are kept; these are the first." if cut else ""
        return pcap.as_pcapng(packets, note=note, names=self._names) if packets else None

    def _wait_for_captures(self) -> None:
        """Wait until the files stop growing: packets reach them some milliseconds later."""
        sizes: list[int] = []
        for _ in range(20):
            before, sizes = sizes, [os.stat(path).st_size for path in self._paths]
            if before == sizes:
                return
            time.sleep(0.01)

    def close_paths(self) -> None:
        self._mangled.clear()
        if self._relays is not None:
            self._relays.clear()
            self._relays.shape(up=Profile(), down=Profile(), seed=0)  # its counters are of one test


def docker_lab(lab: DockerLab, assignment: Assignment) -> tuple[list[AgentNode], StarNetwork]:
    """The student nodes and the link that a star describes. Raises LabError when a helper is not there."""
    nodes = [
        AgentNode(agent, lab.warden, lab.router, assignment.limits, name)
        for name, agent in zip(("student", "second"), lab.agents, strict=False)
    ]
    network = StarNetwork(lab.router, lab.captures, lab.engine)
    for node in nodes:
        with otherwise(LabError, "the agent of the student's node does not work"):
            node._ask("hello")
        node._tell_warden("guard")
    return nodes, network
