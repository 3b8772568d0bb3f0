"""A `Profile` as the bytes that sch_netem takes over netlink, and back: struct tc_netem_qopt and TCA_NETEM_*. Pure.

Source: include/uapi/linux/pkt_sched.h and netem_change(), netem_dump() in net/sched/sch_netem.c. The integers are the
ones that harness/link/model.py computes with, so both draw the same. All numbers are in the machine's byte order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from harness.link.distributions import table
from harness.link.netem_words import beyond_netem
from harness.link.profile import BadProfile, Profile

#: TCA_NETEM_*
_DELAY_DIST, _REORDER, _CORRUPT, _LOSS, _RATE, _RATE64 = 2, 3, 4, 5, 6, 8
_LATENCY64, _JITTER64, _PRNG_SEED = 10, 11, 14
#: NETEM_LOSS_*, inside of TCA_NETEM_LOSS
_GI, _GE = 1, 2

_U32 = 0xFFFF_FFFF
_SECOND = 1_000_000_000
#: struct tc_netem_qopt: latency and jitter in ticks of 64 ns (for kernels before 4.16), limit, loss, gap, duplicate.
_QOPT = struct.Struct("=IIIIII")
_TICK = 64


class BeyondNetem(BadProfile):
    """The profile has fields that netem cannot express; the message names them."""


@dataclass(frozen=True, kw_only=True)
class Qdisc:
    """What the kernel reports of a netem qdisc, in its own integers: probabilities of 2^32 - 1, nanoseconds, bytes/s.

    The distribution's table is not included: the kernel does not report it.
    """

    latency: int = 0  #: nanoseconds
    jitter: int = 0  #: nanoseconds
    limit: int = 0  #: packets
    loss: int = 0  #: threshold of the plain loss
    gemodel: tuple[int, ...] = ()  #: p, r, h, 1-k (h as the kernel has it: the part not lost)
    state: tuple[int, ...] = ()  #: p13, p31, p32, p14, p23, in the kernel's order
    duplicate: int = 0
    corrupt: int = 0
    reorder: int = 0
    gap: int = 0
    rate: int = 0  #: bytes per second
    overhead: int = 0  #: bytes a packet
    seed: int | None = None  #: None: a kernel before 6.6, which cannot be given one


def threshold(probability: float) -> int:
    """A probability as netem keeps it."""
    return round(probability * _U32)


def qdisc_of(profile: Profile, seed: int) -> Qdisc:
    """What to tell the kernel. Raises BeyondNetem."""
    if beyond := beyond_netem(profile):
        raise BeyondNetem(
            f"{', '.join(beyond)}: the kernel's netem has no such thing; use the engine router, or leave it out"
        )
    return Qdisc(
        latency=round(profile.delay * _SECOND),
        jitter=round(profile.jitter * _SECOND),
        limit=profile.limit,
        loss=threshold(profile.loss),
        gemodel=_gemodel(profile.gemodel),
        state=_state(profile.state),
        duplicate=threshold(profile.duplicate),
        corrupt=threshold(profile.corrupt),
        reorder=threshold(profile.reorder),
        gap=profile.gap if profile.reorder else 0,
        rate=profile.rate // 8,
        overhead=profile.overhead if profile.rate >= 8 else 0,
        seed=seed & 0xFFFF_FFFF_FFFF_FFFF,
    )


def _gemodel(model: tuple[float, ...] | None) -> tuple[int, ...]:
    if model is None:
        return ()
    p, r, not_h, not_k = (*model, *(1 - model[0], 1.0, 0.0)[len(model) - 1 :])
    return threshold(p), threshold(r), _U32 - threshold(not_h), threshold(not_k)


def _state(model: tuple[float, ...] | None) -> tuple[int, ...]:
    if model is None:
        return ()
    p13, p31, p32, p23, p14 = (*model, *(1 - model[0], 0.0, 1.0, 0.0)[len(model) - 1 :])
    return tuple(map(threshold, (p13, p31, p32, p14, p23)))


def encode(qdisc: Qdisc, distribution: str | None = None) -> bytes:
    """The payload of TCA_OPTIONS. Zeros are left out, since netem reacts to the mere presence of some attributes."""
    out = _QOPT.pack(
        min(qdisc.latency // _TICK, _U32),
        qdisc.limit,
        qdisc.loss,
        qdisc.gap,
        qdisc.duplicate,
        min(qdisc.jitter // _TICK, _U32),
    )
    out += _attribute(_LATENCY64, struct.pack("=q", qdisc.latency))
    out += _attribute(_JITTER64, struct.pack("=q", qdisc.jitter))
    if distribution is not None:
        entries = table(distribution)
        out += _attribute(_DELAY_DIST, struct.pack(f"={len(entries)}h", *entries))
    if qdisc.reorder:
        out += _attribute(_REORDER, struct.pack("=II", qdisc.reorder, 0))
    if qdisc.corrupt:
        out += _attribute(_CORRUPT, struct.pack("=II", qdisc.corrupt, 0))
    if qdisc.gemodel:
        out += _attribute(_LOSS, _attribute(_GE, struct.pack("=IIII", *qdisc.gemodel)))
    if qdisc.state:
        out += _attribute(_LOSS, _attribute(_GI, struct.pack("=IIIII", *qdisc.state)))
    if qdisc.rate:
        if qdisc.rate > _U32:
            out += _attribute(_RATE64, struct.pack("=Q", qdisc.rate))
        out += _attribute(_RATE, struct.pack("=IiIi", min(qdisc.rate, _U32), qdisc.overhead, 0, 0))
    if qdisc.seed is not None:
        out += _attribute(_PRNG_SEED, struct.pack("=Q", qdisc.seed))
    return out


def decode(options: bytes) -> Qdisc:
    """The inverse of `encode`, for what the kernel gives back. Raises ValueError for bytes that are not netem's."""
    if len(options) < _QOPT.size:
        raise ValueError(f"{len(options)} bytes are too few for struct tc_netem_qopt")
    latency, limit, loss, gap, duplicate, jitter = _QOPT.unpack_from(options)
    found = dict(_attributes(options[_QOPT.size :]))
    models = dict(_attributes(found.get(_LOSS, b"")))
    rate, overhead, _, _ = _numbers("=IiIi", found.get(_RATE))
    return Qdisc(
        latency=_numbers("=q", found.get(_LATENCY64), latency * _TICK)[0],
        jitter=_numbers("=q", found.get(_JITTER64), jitter * _TICK)[0],
        limit=limit,
        loss=loss,
        gemodel=struct.unpack("=IIII", models[_GE]) if _GE in models else (),
        state=struct.unpack("=IIIII", models[_GI]) if _GI in models else (),
        duplicate=duplicate,
        corrupt=_numbers("=II", found.get(_CORRUPT))[0],
        reorder=_numbers("=II", found.get(_REORDER))[0],
        gap=gap,
        rate=_numbers("=Q", found.get(_RATE64), rate)[0],
        overhead=overhead,
        seed=struct.unpack("=Q", found[_PRNG_SEED])[0] if _PRNG_SEED in found else None,
    )


def difference(wanted: Qdisc, found: Qdisc) -> str | None:
    """The fields in which the kernel differs from what it was told, as a sentence; None if there are none."""
    names = [name for name in Qdisc.__dataclass_fields__ if getattr(wanted, name) != getattr(found, name)]
    if names == ["seed"] and found.seed is None:
        return "this kernel's netem takes no seed (Linux 6.6 does), so its losses cannot be repeated"
    said = [f"{name} is {getattr(found, name)} and not {getattr(wanted, name)}" for name in names]
    return "; ".join(said) or None


def _attribute(kind: int, data: bytes) -> bytes:
    """struct nlattr: length with the header, type, data, padded to four bytes."""
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if not 4 <= length <= len(data):
            raise ValueError(f"an attribute of {length} bytes where {len(data)} are left")
        yield kind & 0x3FFF, data[4:length]  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
        data = data[length + 3 & ~3 :]


def _numbers(layout: str, data: bytes | None, *default: int) -> tuple[int, ...]:
    if data is None:
        return default or (0,) * len(layout.strip("="))
    return struct.unpack_from(layout, data)
