"""One direction of a link in integer nanoseconds: which packets are lost, duplicated or damaged, and when they arrive.

Pure: no clock, no socket, no global random. It follows netem's order of decisions and draws (Linux 6.18,
net/sched/sch_netem.c, netem_enqueue), so that profile and seed lose the same packets here and in the kernel.
Not part of that promise, since netem does not seed it: which bit is flipped. Not in netem at all: drop, drop_if,
blackout, burst_cap, truncate.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from harness.link.distributions import TABLE_SCALE, table
from harness.link.profile import BadProfile, Profile
from harness.link.taus113 import taus113

__all__ = ["BadProfile", "Delivery", "Fate", "Link", "Profile", "direction_seeds", "taus113"]

Fate = Literal["delivered", "duplicated", "reordered", "corrupted", "truncated", "lost", "overflowed"]

Packet = TypeVar("Packet", bytes, int)

_U32 = 0xFFFF_FFFF
_U64 = 0xFFFF_FFFF_FFFF_FFFF
SECOND = 1_000_000_000  #: nanoseconds
#: Bytes of Ethernet, IPv4 and UDP headers, which a link of a given rate has to carry with each datagram.
UDP_FRAMING = 42


class Delivery(NamedTuple, Generic[Packet]):
    """A packet that comes out of the link."""

    due: int  #: nanoseconds, on the clock of `now`; may be before `now` if the jitter exceeds the delay
    packet: Packet  #: its bytes, or its length if that is what went in
    fate: Fate  #: the most striking thing that happened: corrupted, truncated, duplicated (the copy), reordered


def direction_seeds(seed: int) -> tuple[int, int]:
    """The seeds of the two directions (up, down) of a link that was given one."""
    return seed & _U64, ((seed ^ 0x9E37_79B9_7F4A_7C15) * 0xBF58_476D_1CE4_E5B9) & _U64


def _threshold(probability: float) -> int:
    """Probability as tc encodes it; an event happens if a drawn number does not exceed it."""
    return round(probability * _U32)


class Link:
    """One direction. `transmit` every packet in order of time; it returns what comes out and when."""

    def __init__(
        self,
        profile: Profile,
        *,
        seed: int,
        start: int = 0,
        framing: int = 0,
        drop_if: Callable[[int, Any], bool] | None = None,
    ) -> None:
        """`start`: the `now` that blackouts count from; `framing`: bytes that each packet has on the wire but not here.

        `drop_if(number, packet)` chooses packets to lose, besides those of the profile's `drop`; it takes no draws.
        """
        self.profile = profile
        self.packets = 0  #: that entered
        self.delivered = 0  #: that came out, copies included
        self.lost = 0  #: that did not come out, overflow not included
        self.duplicated = 0  #: copies made
        self.reordered = 0  #: due before one that entered earlier
        self.overflowed = 0  #: that found the queue full
        self.why = ""  #: why the last lost packet was lost: drop, blackout, loss or limit
        self._draw = taus113(seed)
        self._place = taus113(~seed)  # where to flip and cut: must not disturb the draws that netem makes too
        self._idle = profile == Profile() and drop_if is None
        self._delay = round(profile.delay * SECOND)
        self._jitter = round(profile.jitter * SECOND)
        self._table = table(profile.distribution) if profile.distribution else None
        self._duplicate = _threshold(profile.duplicate)
        self._corrupt = _threshold(profile.corrupt)
        self._truncate = _threshold(profile.truncate)
        self._reorder = _threshold(profile.reorder)
        self._gap = profile.gap if profile.reorder else 0
        self._since_reordered = 0
        self._bytes_per_second = profile.rate // 8
        self._extra = framing + profile.overhead
        self._limit = profile.limit
        self._queue: list[int] = []  # when each packet under way is due, a heap
        self._latest = -1  # the largest due so far
        self._drop = frozenset(profile.drop)
        self._drop_if = drop_if
        self._blackout = [(start + round(a * SECOND), start + round(b * SECOND)) for a, b in profile.blackout]
        self._chance = self._make_loss(profile)
        self._cap = profile.burst_cap
        self._run = 0  # random losses in a row

    # -- loss --------------------------------------------------------------------------------------------

    def _make_loss(self, profile: Profile) -> Callable[[], bool] | None:
        """A function that decides whether the next packet is lost, or None if none ever is."""
        if profile.gemodel is not None:
            return self._gilbert_elliott(profile.gemodel)
        if profile.state is not None:
            return self._four_states(profile.state)
        if not profile.loss:
            return None
        draw, threshold = self._draw, _threshold(profile.loss)
        return lambda: draw() <= threshold

    def _gilbert_elliott(self, model: tuple[float, ...]) -> Callable[[], bool]:
        """Two draws a packet: one moves the state for the next packet, one decides in the state at entry."""
        p, r, not_h, not_k = (*model, *(1 - model[0], 1.0, 0.0)[len(model) - 1 :])
        to_bad, to_good = _threshold(p), _threshold(r)
        kept_in_bad, lost_in_good = _U32 - _threshold(not_h), _threshold(not_k)
        draw, bad = self._draw, False

        def lost() -> bool:
            nonlocal bad
            move, decide = draw(), draw()
            if bad:
                bad = move >= to_good
                return decide > kept_in_bad
            bad = move < to_bad
            return decide < lost_in_good

        return lost

    def _four_states(self, model: tuple[float, ...]) -> Callable[[], bool]:
        """One draw a packet; the new state decides. 1 gap, 2 kept in a burst, 3 burst loss, 4 single loss."""
        filled = (*model, *(1 - model[0], 0.0, 1.0, 0.0)[len(model) - 1 :])
        p13, p31, p32, p23, p14 = (_threshold(value) for value in filled)
        draw, state = self._draw, 1

        def lost() -> bool:
            nonlocal state
            drawn = draw()
            if state == 1:
                state = 4 if drawn < p14 else 3 if drawn < p14 + p13 else 1
            elif state == 2:
                state = 3 if drawn < p23 else 2
            elif state == 3:
                state = 2 if drawn < p32 else 1 if drawn < p32 + p31 else 3
            else:
                state = 1
            return state >= 3

        return lost

    def _loses(self) -> bool:
        """Draw for the loss of one packet, within the cap on bursts."""
        assert self._chance is not None
        if not self._chance():
            self._run = 0
            return False
        if self._cap and self._run >= self._cap:
            self._run = 0
            return False
        self._run += 1
        return True

    # -- a packet's journey ------------------------------------------------------------------------------

    def transmit(self, packet: Packet, *, now: int, header: int = 0) -> list[Delivery[Packet]]:
        """Send a packet (its bytes, or just its length) at `now`; what comes out, in the order queued, [] if lost.

        Damage is done from byte `header` on; a packet with no such bytes is never damaged.
        """
        index = self.packets
        self.packets = index + 1
        if self._idle:
            self.delivered += 1
            return [Delivery(now, packet, "delivered")]
        if index in self._drop or (self._drop_if is not None and self._drop_if(index, packet)):
            return self._lose("drop")
        if self._blackout and any(a <= now < b for a, b in self._blackout):
            return self._lose("blackout")
        copies = 1
        if self._duplicate and self._draw() <= self._duplicate:
            copies = 2
        if self._chance is not None and self._loses():
            copies -= 1  # a loss and a duplicate together make one packet, as in netem
            if not copies:
                return self._lose("loss")
        return self._enqueue(packet, now, header, copies)

    def _lose(self, why: str) -> list[Delivery[Packet]]:
        self.lost += 1
        self.why = why
        return []

    def _enqueue(self, packet: Packet, now: int, header: int, copies: int) -> list[Delivery[Packet]]:
        """Steps 4 to 8 of netem_enqueue: clone, corrupt, limit, the clone from the start, then the time."""
        whole, fate = packet, "delivered"
        if self._corrupt and self._draw() <= self._corrupt:
            packet, fate = self._flip(packet, header)
        if self._truncate and self._place() <= self._truncate:
            packet, fate = self._cut(packet, header, fate)
        queue = self._queue
        while queue and queue[0] <= now:
            heappop(queue)
        self.duplicated += copies - 1
        if len(queue) >= self._limit:
            self.overflowed += copies
            self.why = "limit"
            return []
        out: list[Delivery[Packet]] = []
        if copies == 2:
            if self._chance is not None and self._loses():
                self.lost += 1
            else:
                out = [
                    Delivery(due, data, "duplicated" if what in ("delivered", "reordered") else what)
                    for due, data, what in self._enqueue(whole, now, header, 1)
                ]
        due = self._due(packet if isinstance(packet, int) else len(packet), now)
        if due > now:
            heappush(queue, due)
        if due < self._latest:
            self.reordered += 1
            if fate == "delivered":
                fate = "reordered"
        else:
            self._latest = due
        self.delivered += 1
        out.append(Delivery(due, packet, fate))  # type: ignore[arg-type]
        return out

    def _due(self, length: int, now: int) -> int:
        """When a packet that enters now leaves."""
        if self._gap:
            if self._since_reordered >= self._gap - 1 and self._draw() <= self._reorder:
                self._since_reordered = 0
                return now
            self._since_reordered += 1
        due = now + self._delay
        if self._jitter:
            due += self._spread()
        if self._bytes_per_second:
            # Starts when the last of those still under way has left: queued packets never overtake.
            if self._queue and self._latest > due:
                due = self._latest
            due += max(0, length + self._extra) * SECOND // self._bytes_per_second
        return due

    def _spread(self) -> int:
        """Jitter in nanoseconds: uniform in [-jitter, jitter), or from the table (tabledist in sch_netem.c)."""
        drawn, sigma = self._draw(), self._jitter
        if self._table is None:
            return drawn % (2 * sigma) - sigma
        entry = self._table[drawn % len(self._table)]
        # sigma * entry / scale in two parts, the small one rounded half away from zero, as the kernel does it.
        part = sigma % TABLE_SCALE * entry
        half = TABLE_SCALE // 2
        rounded = (part + half) // TABLE_SCALE if part >= 0 else -((half - part) // TABLE_SCALE)
        return rounded + sigma // TABLE_SCALE * entry

    # -- damage ------------------------------------------------------------------------------------------

    def _flip(self, packet: Packet, header: int) -> tuple[Packet, Fate]:
        size = packet if isinstance(packet, int) else len(packet)
        if size <= header:
            return packet, "delivered"
        bit = self._place() % ((size - header) * 8)
        if isinstance(packet, int):
            return packet, "corrupted"
        damaged = bytearray(packet)
        damaged[header + bit // 8] ^= 1 << bit % 8
        return bytes(damaged), "corrupted"

    def _cut(self, packet: Packet, header: int, fate: str) -> tuple[Packet, Fate]:
        size = packet if isinstance(packet, int) else len(packet)
        if size <= header:
            return packet, fate  # type: ignore[return-value]
        keep = header + self._place() % (size - header)
        return (keep if isinstance(packet, int) else packet[:keep]), "truncated"
