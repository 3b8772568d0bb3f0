"""Are two distributions the same? Chi-square and Kolmogorov-Smirnov, as far as the tests need them."""

from __future__ import annotations

import math
from collections.abc import Sequence


def chi_square(seen: Sequence[int], expected: Sequence[float]) -> float:
    """The probability of counts at least as far from the expected ones (Pearson's test, len - 1 degrees)."""
    statistic = sum((count - wanted) ** 2 / wanted for count, wanted in zip(seen, expected, strict=True))
    return _upper_gamma((len(seen) - 1) / 2, statistic / 2)


def _upper_gamma(a: float, x: float) -> float:
    """The regularized upper incomplete gamma function Q(a, x) by its series (Abramowitz and Stegun 6.5.29)."""
    if x <= 0:
        return 1.0
    term = total = 1 / a
    n = a
    while term > total * 1e-15:
        n += 1
        term *= x / n
        total += term
    return max(0.0, 1 - total * math.exp(a * math.log(x) - x - math.lgamma(a)))


def kolmogorov_smirnov(left: Sequence[float], right: Sequence[float]) -> float:
    """The probability that two samples of one distribution are at least so far apart (asymptotic, two-sided)."""
    left, right = sorted(left), sorted(right)
    i = j = 0
    distance = 0.0
    while i < len(left) and j < len(right):
        value = min(left[i], right[j])
        while i < len(left) and left[i] == value:
            i += 1
        while j < len(right) and right[j] == value:
            j += 1
        distance = max(distance, abs(i / len(left) - j / len(right)))
    size = math.sqrt(len(left) * len(right) / (len(left) + len(right)))
    scaled = distance * (size + 0.12 + 0.11 / size)  # Stephens 1970
    if scaled < 0.2:
        return 1.0
    tail = 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, tail))
