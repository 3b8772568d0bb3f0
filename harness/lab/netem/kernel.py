"""The kernel's own netem on an interface: put a `Profile` there, check it, read its counters. Linux, root.

Rule 1: what netem cannot express is refused by name, nothing is silently left out; what was put is read back.
Rule 2: the qdisc is always a new one: a changed one would keep its table, its state and its packets.

Over netlink through pyroute2. The library's netem has only the basic options (no seed, no gemodel, no table), so
another replaces it among the library's plugins: one that leaves the options to harness/link/netem_wire.py. The seed
needs Linux 6.6.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass
from types import SimpleNamespace, TracebackType
from typing import Any

from pyroute2 import IPRoute, NetlinkError
from pyroute2.netlink import nla
from pyroute2.netlink.rtnl import tcmsg

from harness.lab.interface import LabError
from harness.link.netem_wire import Qdisc, decode, difference, encode, qdisc_of
from harness.link.profile import Profile

_ROOT = 0xFFFF_FFFF  #: linux/pkt_sched.h: TC_H_ROOT
_HANDLE = 0x0001_0000  #: 1:, which distinguishes ours from the kernel's own
#: struct tc_netem_xstats (Linux 7.2): 64 bit counters of what it did to packets, in this order.
_IMPAIRMENTS = ("delayed", "dropped", "corrupted", "duplicated", "reordered", "ecn_marked", "allocation_errors")


class _Bytes(nla.cdata):  # type: ignore[misc]
    """TCA_OPTIONS as bytes, both ways."""


tcmsg.plugins["netem"] = SimpleNamespace(
    parent=_ROOT, options=_Bytes, get_parameters=lambda arguments: arguments.get("packed")
)


@dataclass(frozen=True, kw_only=True)
class NetemCounters:
    """What a netem qdisc did since it was put: the proof that the link was applied."""

    sent: int  #: packets that left it, copies included
    sent_bytes: int
    dropped: int  #: lost, and refused because the queue was full
    queued: int  #: packets that it holds now
    backlog: int  #: bytes of them
    impairments: dict[str, int] | None  #: its own account by kind, from Linux 7.2 on: delayed, dropped, ...


class NetemQdisc:
    """netem as the root qdisc of an interface in the current network namespace. Raises LabError."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self._route = IPRoute()
        found = self._route.link_lookup(ifname=interface)
        if not found:
            self._route.close()
            raise LabError(f"netem on {interface}: there is no such interface here")
        self._index: int = found[0]

    def put(self, profile: Profile, *, seed: int) -> Qdisc:
        """Impair what leaves the interface from now on; what was on its way is dropped. Returns what was read back.

        Raises BeyondNetem for what netem cannot express (nothing is changed then), LabError if the kernel refuses.
        """
        wanted = qdisc_of(profile, seed)
        self.remove()
        packed = encode(wanted, profile.distribution)
        try:
            self._route.tc("add", "netem", index=self._index, handle=_HANDLE, packed=packed)
        except NetlinkError as error:
            raise LabError(self._refusal(error)) from None
        message = self._find()
        if message is None:
            raise LabError(
                f"netem on {self.interface}: the kernel accepted it but does not have it: is something else setting it?"
            )
        found = decode(message.get_attr("TCA_OPTIONS"))
        if wrong := difference(wanted, found):
            raise LabError(f"netem on {self.interface} is not as it was set: {wrong}")
        return found

    def remove(self) -> None:
        """Stop impairing. What was on its way is dropped."""
        try:
            self._route.tc("del", index=self._index, parent=_ROOT)
        except NetlinkError as error:
            if error.code not in (errno.ENOENT, errno.EINVAL):  # there is only the kernel's own
                raise LabError(self._refusal(error)) from None

    def counters(self) -> NetemCounters:
        """What it has done so far. Raises LabError if it is no longer there."""
        message = self._find()
        if message is None:
            raise LabError(f"netem on {self.interface} is gone: something else has removed it")
        return _counters_of(message)

    def _find(self) -> Any:
        for found in self._route.get_qdiscs(index=self._index):
            if found["parent"] == _ROOT and found.get_attr("TCA_KIND") == "netem":
                return found
        return None

    def _refusal(self, error: NetlinkError) -> str:
        what = {
            errno.ENOENT: "this kernel has no netem: sudo modprobe sch_netem, or use the engine router",
            errno.EOPNOTSUPP: "this kernel has no netem: use the engine router",
            errno.EPERM: "it takes NET_ADMIN: run as root",
        }.get(error.code, f"the kernel refuses it ({error.args[-1]})")
        return f"netem on {self.interface}: {what}"

    def close(self) -> None:
        """End the conversation with the kernel; the qdisc stays."""
        self._route.close()

    def __enter__(self) -> NetemQdisc:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _counters_of(message: Any) -> NetemCounters:
    """The counters in what the kernel reports of a qdisc."""
    stats = message.get_attr("TCA_STATS2")
    basic, queue = stats.get_attr("TCA_STATS_BASIC"), stats.get_attr("TCA_STATS_QUEUE")
    own = stats.get_attr("TCA_STATS_APP")
    impairments = None
    if own is not None and len(data := bytes.fromhex(own.replace(":", ""))) >= 8 * len(_IMPAIRMENTS):
        numbers = struct.unpack_from(f"={len(_IMPAIRMENTS)}Q", data)
        impairments = dict(zip(_IMPAIRMENTS, numbers, strict=True))
    return NetemCounters(
        sent=basic["packets"],
        sent_bytes=basic["bytes"],
        dropped=queue["drops"],
        queued=queue["qlen"],
        backlog=queue["backlog"],
        impairments=impairments,
    )
