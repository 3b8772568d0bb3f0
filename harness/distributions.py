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
    return tuple(max(-32768, min(32767, round(value * TABLE_SCALE))) for value in shape())


def _normal() -> list[float]:
    """The last x of the grid whose probability rounds to i / 16384, for every fourth i."""
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
        found.append(math.floor(x / step) * step)
    return found


def _pareto() -> list[float]:
    return [4 / 3 * (((TABLE_SIZE - index) / TABLE_SIZE) ** (-1 / 3) - 1.5) for index in range(TABLE_SIZE)]


def _mixed() -> list[float]:
    return [(normal + 3 * pareto) / 4 for normal, pareto in zip(_normal(), _pareto(), strict=True)]
