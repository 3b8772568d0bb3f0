"""netem's random numbers: the fast way gives those of the definition."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.link.taus113 import _ORDER, _POLYNOMIAL, reference, taus113


def drawn(seed: int, count: int) -> list[int]:
    draw = taus113(seed)
    return [draw() for _ in range(count)]


@pytest.mark.parametrize("seed", [0, 1, 7, 42424242, 2**32, 2**64 - 1])
def test_through_every_size_of_block(seed):
    assert drawn(seed, 30_000) == list(islice(reference(seed), 30_000))


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_for_any_seed(seed):
    assert drawn(seed, 1000) == list(islice(reference(seed), 1000))


def test_seeds_count_with_64_bits():
    assert drawn(2**70 + 5, 200) == drawn(5, 200)
    assert drawn(-1, 200) == drawn(2**64 - 1, 200)


@pytest.mark.parametrize("bit", [0, 17, 31])
def test_the_recurrence_is_the_shortest_that_its_numbers_obey(bit):
    assert berlekamp_massey([number >> bit & 1 for number in islice(reference(3), 2 * _ORDER)]) == _POLYNOMIAL


def berlekamp_massey(bits: list[int]) -> int:
    """The connection polynomial of the shortest linear recurrence over GF(2) (J. Massey, 1969)."""
    now, before, length, since = 1, 1, 0, 1
    for place in range(len(bits)):
        discrepancy = sum((now >> lag & 1) * bits[place - lag] for lag in range(length + 1)) % 2
        if not discrepancy:
            since += 1
        elif 2 * length <= place:
            now, before, length, since = now ^ before << since, now, place + 1 - length, 1
        else:
            now, since = now ^ before << since, since + 1
    return now
