"""Random scenarios: how many of n seeds have to pass, and how likely a correct program fails anyway. Pure.

Rule: the number is chosen from the probability that a correct program fails one seed, and the bound is printed.
"""

from __future__ import annotations

import math

#: The largest probability that a correct program fails a check by bad luck.
BOUND = 2e-4


def false_fail(needed: int, seeds: int, flaky: float) -> float:
    """The probability that fewer than `needed` of `seeds` pass, if each fails with probability `flaky`."""
    most = seeds - needed  # this many may fail
    return max(
        0.0,
        math.fsum(
            math.comb(seeds, failed) * flaky**failed * (1 - flaky) ** (seeds - failed)
            for failed in range(most + 1, seeds + 1)
        ),
    )


def needed(seeds: int, flaky: float, bound: float = BOUND) -> int:
    """The largest number of passes to require, so that a correct program fails with at most that probability.

    >>> needed(3, 0.0), needed(3, 0.007), needed(10, 0.02)
    (3, 2, 7)
    """
    for count in range(seeds, 0, -1):
        if false_fail(count, seeds, flaky) <= bound:
            return count
    return 0


def sentence(needed: int, seeds: int, flaky: float) -> str:
    """The bound in words."""
    chance = false_fail(needed, seeds, flaky)
    bound = f"in at most 1 of {math.floor(1 / chance):,} cases" if chance > 0 else "never"
    return (
        f"{needed} of {seeds} seeds have to pass; a correct program fails one with a probability of at most {flaky:g},"
        f" so it fails this check {bound}"
    )
