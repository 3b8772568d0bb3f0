"""The tables that turn uniform numbers into jitter of a shape: 4,096 entries in units of sigma / 8192. Pure.

Computed by the constructions of the tables that iproute2 ships (NIST Net's, public domain), entry for entry:
- normal: the inverse of the normal distribution function, on a grid of 0.00005 sigma;
- pareto: a = 3, scaled to (4/3) (u^(-1/3) - 1.5);
- paretonormal: a quarter normal and three quarters pareto.
"""

from __future__ import annotations

import math
from functools import cache

TABLE_SIZE = 4096
TABLE_SCALE = 8192  #: NETEM_DIST_SCALE (include/uapi/linux/pkt_sched.h)


@cache
def table(name: str) -> tuple[int, ...]:
    """The table of a distribution ("normal", "pareto", "paretonormal"), ascending."""
    shape = {"normal": _normal, "pareto": _pareto, "paretonormal": _mixed}[name]
    return tuple(shape())


def _clipped(value: int) -> int:
    return max(-32768, min(32767, value))  # the kernel takes 16 bit numbers


def _normal() -> list[int]:
    return [_clipped(value) for value in _quantiles()]


def _pareto() -> list[int]:
    return [
        _clipped(round(4 / 3 * (((TABLE_SIZE - index) / TABLE_SIZE) ** (-1 / 3) - 1.5) * TABLE_SCALE))
        for index in range(TABLE_SIZE)
    ]


def _mixed() -> list[int]:
    return [int((normal + 3 * pareto) / 4) for normal, pareto in zip(_quantiles(), _pareto(), strict=True)]


def _quantiles() -> list[int]:
    """Of the normal distribution: the last x of the grid whose probability rounds to i / 16384, every fourth i."""
    step, found = 0.00005, []
    x = -5.0
    for index in range(TABLE_SIZE):
        target = (4 * index + 0.5) / (4 * TABLE_SIZE)
        for _ in range(60):  # Newton's method from the entry before
            slope = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
            change = (0.5 + 0.5 * math.erf(x / math.sqrt(2)) - target) / slope
            x -= max(-0.5, min(0.5, change))
            if abs(change) < 1e-12:
                break
        found.append(round(math.floor(x / step) * step * TABLE_SCALE))
    return found
