"""The link between two nodes, in real time: a router that sends every packet through a `Link`. Linux, root, TUN.

    python3 -B -m harness.lab.router.tun --control /trusted/router.sock

The kernel routes whatever comes from a wire into tun0; this program holds it as long as the link says and writes it
back; the kernel then routes it to the other wire. It prints "ready" when packets flow. Wires may come and go.

Rule 1: nobody on a wire can talk to this node itself: its input is dropped, neighbour discovery excepted.
Rule 2: it starts fast: standard library only, no unneeded import.

The control socket takes one request per line and answers each with a line (harness/lab/node/reply.py says what is in
them):
    {"op": "shape", "up": {fields of Profile}, "down": {...}, "seed": N}     from now on; the counters start again
    {"op": "counters"}              the fields of LinkCounters, and scheduler, seconds, waited
    {"op": "fates", "since": T}     [[time, direction, fate, length, IPv4 id or null], ...], time.time() from T on
    {"op": "flush"}                 forget what is under way: the packets of a test that is over
    {"op": "quit"}
"""

from __future__ import annotations

import errno
import fcntl
import gc
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from heapq import heappop, heappush
from pathlib import Path
from string import Template

from harness.lab.node.proc import waited
from harness.lab.node.reply import MOST_REQUEST, Refused, encode, perform
from harness.lab.router.packet import carries_data, direction, identity, payload_start, repaired, udp_start
from harness.lab.timer import Beat, wake_me_exactly
from harness.link.addresses import FAMILIES, WIRES, network
from harness.link.model import SECOND, Link, direction_seeds
from harness.link.profile import BadProfile, Profile
from harness.link.trace import Direction
from harness.text.lines import Lines

#: Packets that the kernel queues for us in tun0; more are dropped there, which counts as our loss (engine_drops).
QUEUE = 20_000
#: Bytes of the Ethernet header, which netem counts on a wire and a TUN device does not have.
_FRAMING = 14
#: Packets read before looking at those that are due.
_TURN = 64
_KEPT_LATENESS, _KEPT_FATES = 16_384, 50_000

#: ioctl(2) TUNSETIFF with IFF_TUN | IFF_NO_PI (linux/if_tun.h).
_TUNSETIFF, _TUN_NO_PI = 0x400454CA, 0x1001

_IP = """rule flush
rule add pref 100 iif tun0 lookup main
rule add pref 110 iif lo lookup main
rule add pref 120 lookup 100
route replace default dev tun0 table 100
"""

#: Nobody talks to this node, nobody sends in another's name, the second student node (w3) reaches only the first,
#: so that every packet of a submission to itself passes the link once, and a student's wire has a limit on what it
#: carries: more would be lost in tun0, which counts as ours, so a submission could undo its fail by flooding. Pings,
#: and connections without end, make the other side send as much: no program of the course needs these.
_NFT = Template("""table inet link
delete table inet link
table inet link {
  chain input {
    type filter hook input priority 0; policy drop;
    iifname "lo" accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
  }
  chain forward {
    type filter hook forward priority 0; policy accept;
    iifname "w1" ip saddr != $tester4 drop
    iifname "w1" ip6 saddr != $tester6 drop
    iifname "w1" ip daddr $second4 drop
    iifname "w1" ip6 daddr $second6 drop
    iifname "w3" ip saddr != $second4 drop
    iifname "w3" ip6 saddr != $second6 drop
    iifname "w3" ip daddr != $student4 drop
    iifname "w3" ip6 daddr != $student6 drop
    iifname != { "w1", "w3", "tun0" } ip saddr != $student4 drop
    iifname != { "w1", "w3", "tun0" } ip6 saddr != $student6 drop
    iifname != { "w1", "tun0" } icmp type echo-request drop
    iifname != { "w1", "tun0" } icmpv6 type echo-request drop
    iifname != { "w1", "tun0" } tcp flags & (syn | ack) == syn limit rate over 2000/second burst 4000 packets drop
    iifname != { "w1", "tun0" } limit rate over 40000/second burst 20000 packets drop
  }
}
""").substitute({f"{node}{family}": network(wire, family) for node, wire in WIRES.items() for family in FAMILIES})


Answer = dict[str, object]
_NO: Mapping[str, object] = {}


class CannotRoute(Exception):
    """This machine cannot route; the message says what is missing."""


class Router:
    """Takes packets from tun0 through the links into a heap, and back when they are due."""

    def __init__(self, tun: int, scheduler: str) -> None:
        self._tun = tun
        self._scheduler = scheduler
        self._heap: list[tuple[int, int, bytes]] = []
        self._number = 0
        self.over = False  #: somebody has asked to quit
        self._lateness: deque[int] = deque(maxlen=_KEPT_LATENESS)
        self._fates: deque[tuple[float, Direction, str, int, int | None]] = deque(maxlen=_KEPT_FATES)
        self.shape(Profile(), Profile(), 0)

    def shape(self, up: Profile, down: Profile, seed: int) -> None:
        """What the link does from now on."""
        self._start = time.monotonic_ns()
        self._waited_before, self._drops_before = waited("/proc/self") or 0, _tun_drops()
        self._refused = 0
        self._with_data: dict[Direction, int] = {"up": 0, "down": 0}
        self._bytes: dict[Direction, int] = {"up": 0, "down": 0}
        seeds = direction_seeds(seed)
        self._links: dict[Direction, Link] = {
            "up": Link(up, seed=seeds[0], start=self._start, framing=_FRAMING),
            "down": Link(down, seed=seeds[1], start=self._start, framing=_FRAMING),
        }
        self._damages = any(profile.corrupt or profile.truncate for profile in (up, down))
        self._lateness.clear()
        self.beat = Beat()
        self._fates.clear()

    def do_flush(self) -> None:
        """Forget what is under way."""
        self._heap.clear()

    # -- packets -------------------------------------------------------------------------------------------------

    def timeout(self) -> float:
        """Seconds until the next packet is due, no more than until the next beat."""
        due = max(0.0, (self._heap[0][0] - time.monotonic_ns()) / SECOND) if self._heap else Beat.EVERY
        return min(due, Beat.EVERY)

    def read(self) -> None:
        """Take packets from tun0 and send them into the link."""
        tun, links, heap = self._tun, self._links, self._heap
        for _ in range(_TURN):
            try:
                packet = os.read(tun, 65_536)
            except BlockingIOError:
                return
            way = direction(packet)
            if way is None:
                continue  # the kernel's own, such as multicast
            if carries_data(packet):
                self._with_data[way] += 1
                self._bytes[way] += len(packet)
            header = payload_start(packet) if self._damages else 0
            link = links[way]
            out = link.transmit(packet, now=time.monotonic_ns(), header=header)
            if not out:
                self._note(way, "overflowed" if link.why == "limit" else "lost", packet)
            for due, data, fate in out:
                if fate != "delivered":
                    self._note(way, fate, packet)
                self._number += 1
                heappush(heap, (due, self._number, data if data is packet else self._valid(packet, data)))

    def write(self) -> None:
        """Give back to the kernel what is due."""
        heap, tun, lateness = self._heap, self._tun, self._lateness
        while heap:
            now = time.monotonic_ns()
            due = heap[0][0]
            if due > now:
                return
            lateness.append(now - due)
            try:
                os.write(tun, heappop(heap)[2])
            except OSError:
                self._refused += 1

    @staticmethod
    def _valid(packet: bytes, damaged: bytes) -> bytes:
        """A damaged datagram has to reach the program; a damaged TCP segment is for the receiver's kernel to drop."""
        start = udp_start(packet)
        if start:
            return repaired(damaged, start)
        return damaged if len(damaged) == len(packet) else packet

    def _note(self, way: Direction, fate: str, packet: bytes) -> None:
        self._fates.append((time.time(), way, fate, len(packet), identity(packet)))

    # -- control -------------------------------------------------------------------------------------------------

    #: Errors whose message says all, so that it is the answer.
    PLAIN: tuple[type[Exception], ...] = (BadProfile, CannotRoute)
    #: What the control socket may ask for, each by a method `do_VERB`.
    VERBS = ("shape", "counters", "fates", "flush", "quit")

    def do_shape(self, *, seed: int, up: Mapping[str, object] = _NO, down: Mapping[str, object] = _NO) -> None:
        """See `shape`. Raises BadProfile."""
        self.shape(Profile.from_dict(up), Profile.from_dict(down), seed)

    def do_fates(self, *, since: float = 0.0) -> Answer:
        """What happened to packets from then on."""
        return {"fates": [fate for fate in self._fates if fate[0] >= since]}

    def do_quit(self) -> None:
        """The answer is the last."""
        self.over = True

    def answer(self, line: bytes | None) -> bytes:
        """Do what a line of the control socket asks for (None: it was too long); the line to answer with."""
        try:
            said = encode(perform(self, line, self.VERBS))
        except self.PLAIN as error:
            said = encode(Refused("request", str(error)))
        except Exception as error:
            said = encode(error)
        return said + b"\n"

    def do_counters(self) -> Answer:
        """The fields of LinkCounters; scheduler; seconds since set; seconds of them spent waiting for a processor."""
        up, down = self._links["up"], self._links["down"]
        late = sorted(self._lateness)
        names = ("packets", "delivered", "lost", "duplicated", "reordered", "overflowed")
        sums: dict[str, object] = {name: getattr(up, name) + getattr(down, name) for name in names}
        return sums | {
            "late_p99": max(self.beat.longest, late[len(late) * 99 // 100] / SECOND if late else 0.0),
            "engine_drops": _tun_drops() - self._drops_before + self._refused,
            "data_up": self._with_data["up"],
            "data_down": self._with_data["down"],
            "bytes_up": self._bytes["up"],
            "bytes_down": self._bytes["down"],
            "scheduler": self._scheduler,
            "seconds": (time.monotonic_ns() - self._start) / SECOND,
            "waited": ((waited("/proc/self") or 0) - self._waited_before) / SECOND,
        }


def _tun_drops() -> int:
    """Packets that the kernel could not queue for us (/proc/net/dev, column 12: drops on transmit)."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "tun0":
            return int(numbers.split()[11])
    return 0


# -- setting up --------------------------------------------------------------------------------------------------


def open_tun() -> int:
    """Make tun0. Raises CannotRoute."""
    try:
        tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        raise CannotRoute(f"/dev/net/tun: {error.strerror}: give the container --device /dev/net/tun") from None
    try:
        fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH", b"tun0", _TUN_NO_PI))
    except OSError as error:
        why = "another router runs here" if error.errno == errno.EBUSY else "it takes NET_ADMIN"
        raise CannotRoute(f"tun0 cannot be made ({error.strerror}): {why}") from None
    return tun


def set_up_routes() -> None:
    """Route everything that comes from a wire into tun0. Raises CannotRoute."""
    need("/proc/sys/net/ipv4/ip_forward", "1", "net.ipv4.ip_forward=1")
    for name in ("all", "tun0"):
        # Seen from tun0 every source is on another device; strict filtering would drop all.
        need(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "0 2", f"net.ipv4.conf.{name}.rp_filter=0")
    run_batch(["ip", "-4", "-batch", "-"], f"link set tun0 txqueuelen {QUEUE} up\n{_IP}")
    if Path("/proc/sys/net/ipv6").exists():
        need("/proc/sys/net/ipv6/conf/all/forwarding", "1", "net.ipv6.conf.all.forwarding=1")
        if Path("/proc/sys/net/ipv6/conf/tun0/disable_ipv6").read_text().strip() == "0":
            run_batch(["ip", "-6", "-batch", "-"], _IP)


def set_up_guard() -> None:
    """Install the packet filter above. Raises CannotRoute."""
    run_batch(["nft", "-f", "-"], _NFT)


def need(path: str, allowed: str, sysctl: str) -> None:
    """Check that a setting has one of the allowed values, or set the first. Raises CannotRoute naming `sysctl`."""
    setting = Path(path)
    if setting.read_text().strip() in allowed.split():
        return
    try:
        setting.write_text(allowed.split()[0])
    except OSError:
        raise CannotRoute(f"{path} cannot be set from here: start the container with --sysctl {sysctl}") from None


def run_batch(argv: list[str], lines: str) -> None:
    """Run a command with these lines as its input. Raises CannotRoute."""
    try:
        done = subprocess.run(argv, input=lines, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise CannotRoute(f"{argv[0]} is not installed here (iproute2, nftables)") from None
    if done.returncode:
        raise CannotRoute(f"`{' '.join(argv)}` failed: {done.stderr.strip()}")


def be_punctual() -> str:
    """Wake up when asked to: timer slack of 1 ns and a real-time priority, if possible. Returns the scheduler."""
    wake_me_exactly()
    gc.freeze()
    gc.disable()  # nothing here makes cycles
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except OSError:
        return "other"
    return "fifo"


# -- running -----------------------------------------------------------------------------------------------------


class Control:
    """The control socket and who is connected to it."""

    def __init__(self, path: str) -> None:
        Path(path).unlink(missing_ok=True)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(path)
        self._listening.listen(8)
        self.sockets = {self._listening: Lines(MOST_REQUEST)}  #: and what each has sent so far

    def serve(self, sock: socket.socket, router: Router) -> bool:
        """The socket is ready. False if somebody asked to quit."""
        if sock is self._listening:
            connection, _ = sock.accept()
            connection.settimeout(2)
            self.sockets[connection] = Lines(MOST_REQUEST)
            return True
        try:
            data = sock.recv(65_536)
            for line in self.sockets[sock].feed(data):
                sock.sendall(router.answer(line))
                if router.over:
                    return False
        except OSError:
            data = b""
        if not data:
            del self.sockets[sock]
            sock.close()
        return True


def route(tun: int, router: Router, control: Control) -> None:
    """Route until somebody asks to quit."""
    while True:
        waiting: list[int | socket.socket] = [tun, *control.sockets]
        found = select.select(waiting, [], [], router.timeout())[0]
        router.beat.turn()
        for ready in found:
            if isinstance(ready, int):
                router.read()
            elif not control.serve(ready, router):
                return
        router.write()


def main(argv: list[str]) -> int:
    """Run the router."""
    if len(argv) != 2 or argv[0] != "--control":
        print("usage: python3 -B -m harness.lab.router.tun --control PATH", file=sys.stderr)
        return 2
    try:
        tun = open_tun()
        set_up_routes()
        set_up_guard()
    except CannotRoute as error:
        print(f"no link: {error}", file=sys.stderr)
        return 1
    control = Control(argv[1])
    router = Router(tun, be_punctual())
    print("ready", flush=True)
    route(tun, router, control)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
