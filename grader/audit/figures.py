"""How sure a share is that was counted. Pure.

Bounds are two-sided, of 95 %: Wilson's score interval (E. B. Wilson, Probable inference, the law of succession, and
statistical inference, J. Am. Stat. Assoc. 22 (1927), 209-212). Where nothing was seen, the upper bound is the exact
one-sided one, about 3 / n (J. A. Hanley, A. Lippman-Hand, If nothing goes wrong, is everything all right?, JAMA 249
(1983), 1743-1745).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: The quantile of the normal distribution for two-sided 95 %.
Z = 1.959964


def wilson(count: int, of: int) -> tuple[float, float]:
    """The lower and upper bound of the share `count / of`.

    >>> [round(bound, 3) for bound in wilson(95, 100)]
    [0.888, 0.978]
    >>> wilson(0, 0)
    (0.0, 1.0)
    """
    if not of:
        return 0.0, 1.0
    share, spread = count / of, Z * Z / of
    middle = share + spread / 2
    half = Z * math.sqrt(share * (1 - share) / of + spread / of / 4)
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def at_most(of: int) -> float:
    """What share, at most, something has that was seen in none of so many.

    >>> round(at_most(300), 4)
    0.0099
    """
    return 1.0 if not of else float(1 - 0.05 ** (1 / of))


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    count: int
    of: int

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which shares it is, with 95 %."""
        return (0.0, at_most(self.of)) if not self.count else wilson(self.count, self.of)

    def __str__(self) -> str:
        return f"{self.count:,} of {self.of:,}"
