"""The privileged, trusted helper of a star: makes the wires, hands the student node fresh folders, starts the captures.

Rule 1: it reads no byte that the student made and executes nothing from the student node. That node's mount
namespace it reaches through a child that only mounts (harness/lab/node/mounts.py).
Rule 2: the host speaks to it on its standard input (every verb), the tester on a Unix socket (FOR_TESTER).

One request per line, one answer per line: reply.py says what is in them. It sees the host's process ids;
docker/README.md says why, and why it has each capability.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import selectors
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from harness.lab.node.captures import Captures
from harness.lab.node.mounts import Folder, MountChild, check, libc
from harness.lab.node.reply import MOST_REQUEST, Refused, encode, perform
from harness.lab.node.sock_diag import diagnosis, end_connections
from harness.lab.node.socket_memory import bound
from harness.link.addresses import FAMILIES, LINK, NODE, WIRES, address, hardware
from harness.text.lines import Lines

CONTROL = "/trusted/warden.sock"
#: Seconds a command of ours may take.
COMMAND_WITHIN = 10.0

CLONE_NEWNET = 0x40000000
SIOCETHTOOL = 0x8946  # linux/sockios.h
#: Offloads to switch off (linux/ethtool.h): receive and send checksums, scatter-gather, TSO, GSO, GRO. With them on,
#: one "packet" of the link would be 64 KB, its checksum left for a network card that does not exist.
OFFLOADS = (0x15, 0x17, 0x19, 0x1F, 0x24, 0x2C)

Answer = dict[str, Any]


# -- namespaces --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def inside_network(namespace: int) -> Iterator[None]:
    """Within this block sockets and programs we start belong to another network namespace (a descriptor)."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        check(libc.setns(namespace, CLONE_NEWNET), "entering a network namespace")
        yield
    finally:
        check(libc.setns(home, CLONE_NEWNET), "leaving a network namespace")
        os.close(home)


def _ip(batch: str) -> None:
    """Run a batch of ip(8) in the current network namespace."""
    done = subprocess.run(["ip", "-batch", "-"], input=batch, capture_output=True, text=True, timeout=COMMAND_WITHIN)
    if done.returncode != 0:
        raise Refused("node", f"ip: {done.stderr.strip()}")


def switch_offloads_off(interface: str) -> None:
    """Switch them off for an interface of the current network namespace; unknown kinds are skipped."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in OFFLOADS:
            value = array.array("B", struct.pack("II", command, 0))  # struct ethtool_value
            request = struct.pack("16sQ8x", interface.encode(), value.buffer_info()[0])  # struct ifreq
            with contextlib.suppress(OSError):
                fcntl.ioctl(any_socket, SIOCETHTOOL, request)


# -- wires -------------------------------------------------------------------------------------------------------------


def wire_batches(number: int, pid: int) -> tuple[str, str]:
    """The ip(8) commands for the link node, then for the other node, to make wire `number` to process `pid`'s node.

    Neighbours are permanent and duplicate address detection is off: only the programs' own packets are on the wire.
    """
    name = f"w{number}"
    here, there = hardware(number, LINK), hardware(number, NODE)
    near4, near6, far4, far6 = (address(number, family, end) for end in (LINK, NODE) for family in FAMILIES)
    node = f"peer name eth0 address {there} txqueuelen 20000 netns {pid}"
    link = f"""link add {name} address {here} txqueuelen 20000 type veth {node}
link set {name} addrgenmode none
addr add {near4}/24 dev {name}
addr add {near6}/64 dev {name} nodad
link set {name} up
neigh add {far4} lladdr {there} dev {name} nud permanent
neigh add {far6} lladdr {there} dev {name} nud permanent
"""
    node = f"""link set eth0 addrgenmode none
addr add {far4}/24 dev eth0
addr add {far6}/64 dev eth0 nodad
link set eth0 up
neigh add {near4} lladdr {here} dev eth0 nud permanent
neigh add {near6} lladdr {here} dev eth0 nud permanent
route add default via {near4}
route add default via {near6}
"""
    return link, node


class Warden:
    """The verbs are the methods whose names begin with `do_`."""

    #: What the tester may ask for; the rest is for the host.
    FOR_TESTER = ("guard", "fresh", "seal")

    def __init__(self) -> None:
        self._link_net = -1
        self._asks: dict[str, socket.socket] = {}  # node -> the socket that lists and ends its connections
        self._children: dict[str, MountChild] = {}  # student node -> the child in it
        self._captures = Captures(lambda: inside_network(self._link_net))

    def do_hold(self, *, link: int, tester: int) -> None:
        """Take the link node and wire the tester to it, once."""
        self._link_net = os.open(f"/proc/{link}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._asks["tester"] = self._wire("tester", tester)

    def do_policy(self, *, pid: int) -> Answer:
        """How a process is scheduled: a number of sched(7), 1 is SCHED_FIFO."""
        return {"policy": os.sched_getscheduler(pid)}

    def do_wire(
        self,
        *,
        student: int,
        folders: dict[str, list[dict[str, Any]]],
        sockets: int = 0,
        capture: bool = True,
        second: int | None = None,
    ) -> None:
        """Wire one new student node to the link, or two, remember the folders of each, begin the captures.

        `sockets`: bytes that the connections of each may hold in the kernel; 0: as many as they like.
        """
        self.do_unwire()
        for name, pid in (("student", student), ("second", second)):
            if pid is not None:
                self._children[name] = MountChild(pid, [Folder(**row) for row in folders[name]])
                self._asks[name] = self._wire(name, pid)
                if sockets:
                    bound(pid, sockets)
        if capture:
            self._captures.start(self._wired())

    def do_unwire(self) -> None:
        """End the captures and let go of the student nodes; their wires are removed with both ends."""
        self._captures.stop()
        for name in list(self._children):
            self._children.pop(name).close()
            if name in self._asks:
                self._asks.pop(name).close()
            with inside_network(self._link_net), contextlib.suppress(Refused):
                _ip(f"link del w{WIRES[name]}\n")  # already gone if the node is

    def do_fresh(self, *, node: str = "student") -> None:
        """Replace every folder of a student node but /build by an empty one; end the last test's connections."""
        for name in (node, "tester"):
            if name in self._asks:
                end_connections(self._asks[name])
        self._captures.renew(self._wired())
        self._mount(node, "fresh")

    def _wired(self) -> dict[str, int]:
        return {name: number for name, number in WIRES.items() if name in self._asks}

    def do_guard(self, *, node: str = "student") -> None:
        """Make /proc read-only, once the agent runs and before anything of the student's does."""
        self._mount(node, "guard")

    def do_seal(self, *, node: str = "student") -> None:
        """Make /build read-only, after the build."""
        self._mount(node, "seal")

    def _mount(self, node: str, word: str) -> None:
        if node not in self._children:
            raise Refused("node", f"no {node} node is wired")
        self._children[node].tell(word)

    def _wire(self, which: str, pid: int) -> socket.socket:
        """Wire a node to the link; returns the socket that lists and ends its connections."""
        number = WIRES[which]
        link, node = wire_batches(number, pid)
        with inside_network(self._link_net):
            _ip(link)
            switch_offloads_off(f"w{number}")
        other = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            with inside_network(other):
                _ip(node)
                switch_offloads_off("eth0")
                return diagnosis()
        finally:
            os.close(other)

    def answer(self, line: bytes | None, *, tester: bool) -> bytes:
        """Do what a line asks for (None: it was too long); the line to answer with."""
        try:
            said = encode(perform(self, line, self.FOR_TESTER if tester else ()))
        except Exception as error:
            said = encode(error)
        return said + b"\n"


# -- the loop ----------------------------------------------------------------------------------------------------------


class Loop:
    """Listens to the host and the testers, one line at a time."""

    def __init__(self, warden: Warden) -> None:
        self._warden = warden
        self._selector = selectors.DefaultSelector()
        self._lines: dict[int, Lines] = {}

    def listen(self, path: str) -> None:
        """Serve testers on a Unix socket made at `path`."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX)
        old = os.umask(0o177)
        listener.bind(path)
        os.umask(old)
        listener.listen(8)
        self._selector.register(listener, selectors.EVENT_READ, lambda: self._accept(listener))

    def serve(self, host_in: BinaryIO, host_out: BinaryIO) -> None:
        """Serve until the host hangs up."""
        lines = host_in.fileno()
        self._selector.register(lines, selectors.EVENT_READ, lambda: self._hear(lines, host_out.fileno(), tester=False))
        try:
            while True:
                for key, _ in self._selector.select():
                    key.data()
        except EOFError:
            self._warden.do_unwire()

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        number = connection.detach()
        self._selector.register(number, selectors.EVENT_READ, lambda: self._hear(number, number, tester=True))

    def _hear(self, source: int, target: int, *, tester: bool) -> None:
        try:
            chunk = os.read(source, 65536)
        except OSError:
            chunk = b""
        if not chunk:
            self._selector.unregister(source)
            self._lines.pop(source, None)
            if not tester:
                raise EOFError
            os.close(source)
            return
        for line in self._lines.setdefault(source, Lines(MOST_REQUEST)).feed(chunk):
            with contextlib.suppress(OSError):
                os.write(target, self._warden.answer(line, tester=tester))


def main() -> None:
    """Serve the host on stdin and stdout, and testers at /trusted/warden.sock, until the host hangs up."""
    loop = Loop(Warden())
    loop.listen(CONTROL)
    sys.stdout.buffer.write(encode({"ready": True}) + b"\n")
    sys.stdout.buffer.flush()
    loop.serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
