"""The tests of distributions, against values from tables."""

from __future__ import annotations

import random

import pytest

from tests.harness.significance import chi_square, kolmogorov_smirnov


@pytest.mark.parametrize(
    ("degrees", "critical", "probability"),
    [(1, 3.841, 0.05), (10, 18.307, 0.05), (10, 29.588, 0.001), (100, 124.342, 0.05)],
)
def test_chi_square_has_the_tabulated_critical_values(degrees: int, critical: float, probability: float):
    count = degrees + 1
    # All cells as expected but two, which are off by the same in both directions.
    off = (critical * 1000 / 2) ** 0.5
    expected = [1000.0] * count
    seen = [1000 + off, 1000 - off, *expected[2:]]
    assert chi_square(seen, expected) == pytest.approx(probability, rel=0.01)  # type: ignore[arg-type]


def test_kolmogorov_smirnov_has_the_tabulated_critical_value():
    """At 5 % the distance is 1.358 * sqrt(2 / n) for two large samples of n."""
    n = 100_000
    shift = round(1.358 * (2 / n) ** 0.5 * n)
    assert kolmogorov_smirnov(range(n), range(shift, n + shift)) == pytest.approx(0.05, rel=0.02)


def test_the_same_distribution_passes_and_another_does_not():
    rng = random.Random(1)
    one, two = ([rng.random() for _ in range(5000)] for _ in range(2))
    assert kolmogorov_smirnov(one, two) > 0.01
    assert kolmogorov_smirnov(one, [value**1.2 for value in two]) < 0.001
