"""The link between two nodes by the kernel's own netem, in the place of `harness.lab.router.tun`. Linux, root.

    python3 -B -m harness.lab.netem.router --control /trusted/router.sock --engine netem|auto

The kernel forwards between the wires w1 and w2; what leaves by w1 is `up`, what leaves by w2 is `down`, and a netem
on each does what the profile says. w3, if there is one, is like w1: the wire of a second student node, which reaches
only the first. The control socket is the router's (harness/lab/router/tun.py): shape, counters, fates
(none are known), flush, quit. Wires may come and go; a new one is impaired from the next shape on. In its first two
seconds the kernel itself sends IPv6 multicast reports on a wire, which draw from the seed as any packet does.

- netem: a profile that netem cannot express is refused by name. No TUN device and no packet filter are needed.
- auto: such a profile goes through the router, and so does one that damages payloads: the kernel flips a bit after a
  checksum that is already set, so the program would never see it. The counters say which engine it was.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from harness.lab.interface import LabError
from harness.lab.netem.kernel import NetemCounters, NetemQdisc
from harness.lab.router.tun import (
    QUEUE,
    Answer,
    CannotRoute,
    Control,
    Router,
    be_punctual,
    need,
    open_tun,
    route,
    run_batch,
    set_up_guard,
)
from harness.link.addresses import FAMILIES, LINK, WIRES, address, network
from harness.link.model import direction_seeds
from harness.link.netem_wire import qdisc_of
from harness.link.netem_words import beyond_netem
from harness.link.profile import Profile
from harness.link.trace import Direction

#: The wires by which packets leave the link node, and their direction.
_WIRES: tuple[tuple[str, Direction], ...] = (("w1", "up"), ("w2", "down"), ("w3", "up"))

#: Packets to this node itself are ignored, and nobody can send in the name of the other side. By rules, since a kernel
#: that has netem need not have nf_tables.
_GUARD = """rule flush
rule add pref 10 iif lo lookup local
rule add pref 20 iif lo lookup main
rule add pref 21 iif tun0 lookup main
rule add pref 30 to {near} blackhole
rule add pref 31 to {far} blackhole
rule add pref 32 to {third} blackhole
rule add pref 33 iif w1 to {second} blackhole
rule add pref 40 iif w1 from {tester} lookup main
rule add pref 41 iif w2 from {student} lookup main
rule add pref 42 iif w3 from {second} to {student} lookup main
rule add pref 50 blackhole
rule del pref 0
"""
#: The rules that decide whether packets go past tun0 (table main) or into it (table 100).
_SWITCH = """rule del pref 40
rule add pref 40 iif w1 from {tester} lookup {table}
rule del pref 41
rule add pref 41 iif w2 from {student} lookup {table}
rule del pref 42
rule add pref 42 iif w3 from {second} to {student} lookup {table}
"""
_NETWORKS = {
    f"-{family}": {
        "near": address(WIRES["tester"], family, LINK),
        "far": address(WIRES["student"], family, LINK),
        "third": address(WIRES["second"], family, LINK),
        **{node: network(wire, family) for node, wire in WIRES.items()},
    }
    for family in FAMILIES
}


class NetemRouter(Router):
    """netem on the wires; with `falls_back`, the router itself for profiles that netem cannot express."""

    PLAIN = (*Router.PLAIN, LabError)

    def __init__(self, tun: int, scheduler: str, *, falls_back: bool) -> None:
        self._falls_back = falls_back
        self._through_tun = False
        self._shaped = (Profile(), Profile(), 0)
        super().__init__(tun, scheduler)

    def shape(self, up: Profile, down: Profile, seed: int) -> None:
        """What the link does from now on. Raises BeyondNetem without a router to fall back on, LabError."""
        profiles: dict[Direction, Profile] = {"up": up, "down": down}
        routed = self._falls_back and any(beyond_netem(each) or each.corrupt for each in profiles.values())
        if not routed:
            for profile in profiles.values():
                qdisc_of(profile, seed)  # both or none
        super().shape(up, down, seed)
        self._shaped = (up, down, seed)
        self._send_through_tun(routed)
        seeds = dict(zip(("up", "down"), direction_seeds(seed), strict=True))
        for wire, way in _WIRES:
            if wire in _interfaces():
                with NetemQdisc(wire) as qdisc:
                    if routed:
                        qdisc.remove()
                    else:
                        qdisc.put(profiles[way], seed=seeds[way])

    def _send_through_tun(self, wanted: bool) -> None:
        if wanted != self._through_tun:
            table = "100" if wanted else "main"
            for family in _families():
                run_batch(["ip", family, "-batch", "-"], _SWITCH.format(**_NETWORKS[family], table=table))
            self._through_tun = wanted

    @property
    def engine(self) -> str:
        """What impairs the link now."""
        return "router" if self._through_tun else "netem"

    def do_flush(self) -> None:
        """Forget what is under way: a new netem starts empty."""
        super().do_flush()
        if not self._through_tun:
            self.shape(*self._shaped)

    def do_counters(self) -> Answer:
        """The kernel's own counters if it is netem, which does not measure lateness."""
        answer = super().do_counters() | {"engine": self.engine}
        if not self._through_tun:
            answer |= _sums([found for wire, _ in _WIRES if (found := _counters(wire))])
        return answer


def _counters(wire: str) -> NetemCounters | None:
    if wire not in _interfaces():
        return None
    with NetemQdisc(wire) as qdisc, contextlib.suppress(LabError):  # a wire newer than the last shape has none
        return qdisc.counters()
    return None


def _sums(both: list[NetemCounters]) -> Mapping[str, int]:
    """The kernel's counters in the words of LinkCounters.

    Its `dropped` also counts losses that a duplicate made up for, and it has no count of overflows: if there are
    both, overflows are counted too low. Before Linux 7.2 it cannot tell a loss from an overflow and counts no copies.
    """
    delivered, gone = sum(each.sent for each in both), sum(each.dropped for each in both)
    own = {"dropped": 0, "duplicated": 0, "reordered": 0}
    for each in both:
        for name in own:
            own[name] += (each.impairments or {"dropped": each.dropped}).get(name, 0)
    overflowed = max(0, gone - own["dropped"])
    queued = sum(each.queued for each in both)
    return {
        "packets": delivered + queued + own["dropped"] + overflowed - own["duplicated"],
        "delivered": delivered,
        "lost": min(own["dropped"], gone),
        "duplicated": own["duplicated"],
        "reordered": own["reordered"],
        "overflowed": overflowed,
    }


def _interfaces() -> set[str]:
    return {name for _, name in socket.if_nameindex()}


def _families() -> list[str]:
    return ["-4", "-6"] if Path("/proc/sys/net/ipv6").exists() else ["-4"]


def set_up(falls_back: bool) -> int:
    """Make the kernel forward from wire to wire only; returns the descriptor of tun0, or of something silent.

    Raises CannotRoute.
    """
    need("/proc/sys/net/ipv4/ip_forward", "1", "net.ipv4.ip_forward=1")
    tun = open_tun() if falls_back else os.pipe()[0]
    for name in ("all", "tun0") if falls_back else ("all",):
        need(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "0 2", f"net.ipv4.conf.{name}.rp_filter=0")
    if "-6" in _families():
        need("/proc/sys/net/ipv6/conf/all/forwarding", "1", "net.ipv6.conf.all.forwarding=1")
    for family in _families():
        run_batch(["ip", family, "-batch", "-"], _GUARD.format(**_NETWORKS[family]))
    if not falls_back:
        return tun
    for family in _families():
        lines = f"link set tun0 txqueuelen {QUEUE} up\nroute replace default dev tun0 table 100\n"
        run_batch(["ip", family, "-batch", "-"], lines)
    try:
        set_up_guard()  # it also limits a flood, which would be lost in tun0 and count as ours
    except CannotRoute as error:
        print(f"a flood of the student's may make a check inconclusive: {error}", file=sys.stderr)
    return tun


def main(argv: list[str]) -> int:
    """Run the link."""
    if len(argv) != 4 or argv[0] != "--control" or argv[2] != "--engine" or argv[3] not in ("netem", "auto"):
        print("usage: python3 -B -m harness.lab.netem.router --control PATH --engine netem|auto", file=sys.stderr)
        return 2
    try:
        _try_netem()
        tun = set_up(argv[3] == "auto")
        control = Control(argv[1])
        router = NetemRouter(tun, be_punctual(), falls_back=argv[3] == "auto")
    except (CannotRoute, LabError) as error:
        print(f"no link: {error}", file=sys.stderr)
        return 1
    print("ready", flush=True)
    route(tun, router, control)
    return 0


def _try_netem() -> None:
    """Try netem on lo, which carries nothing here, for the error message. Raises LabError."""
    with NetemQdisc("lo") as qdisc:
        qdisc.put(Profile(), seed=0)
        qdisc.remove()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
