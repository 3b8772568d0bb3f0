"""netem's random numbers (`prandom_u32_state` of Linux, lib/random32.c), and the same ones ten times as fast. Pure.

P. L'Ecuyer, "Tables of maximally equidistributed combined LFSR generators", Math. Comp. 68 (1999).

Rule: `reference` is the definition and `taus113` gives the very same numbers. It can be faster because the generator
is linear: 113 bits of state, so every number is the exclusive or of some (`_LAGS`) of the 113 before it. Squaring
the polynomial of a recurrence over GF(2) doubles its lags, hence the same recurrence holds for blocks of 2, 4, 8 ...
numbers, and Python's long integers take the exclusive or of a whole block at once.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterator
from functools import reduce
from itertools import chain, compress, islice
from operator import xor

_U32 = 0xFFFF_FFFF
_ORDER = 113  #: bits of state: 31 + 29 + 28 + 25
#: The connection polynomial of the recurrence, bit i for the number i before (the Berlekamp-Massey algorithm finds
#: it from 226 numbers of any seed; the tests do). As flags for the 113 numbers before, the oldest first.
_POLYNOMIAL = 0x2_5FAC_0AB5_51D9_0735_AFB7_A7A4_5B91
_LAGS = tuple(_POLYNOMIAL >> lag & 1 for lag in range(_ORDER, 0, -1))
#: Numbers in a block: smaller blocks are slower than no blocks, larger ones are no faster and cause longer pauses.
_SMALLEST, _LARGEST = 4, 64


def reference(seed: int) -> Iterator[int]:
    """The numbers of 32 bits, seeded as netem seeds them: with 64 bits, no warm-up."""
    word = ((seed >> 32) ^ (seed << 10) ^ seed) & _U32
    # Each component is stuck at zero if its state is below its own bound.
    a, b, c, d = (word if word >= least else word + least for least in (2, 8, 16, 128))
    while True:
        a = ((a & 0xFFFF_FFFE) << 18 & _U32) ^ (((a << 6 & _U32) ^ a) >> 13)
        b = ((b & 0xFFFF_FFF8) << 2 & _U32) ^ (((b << 2 & _U32) ^ b) >> 27)
        c = ((c & 0xFFFF_FFF0) << 7 & _U32) ^ (((c << 13 & _U32) ^ c) >> 21)
        d = ((d & 0xFFFF_FF80) << 13 & _U32) ^ (((d << 3 & _U32) ^ d) >> 12)
        yield a ^ b ^ c ^ d


def taus113(seed: int) -> Callable[[], int]:
    """The numbers of `reference`, one a call."""
    return chain.from_iterable(_blocks(seed)).__next__


def _blocks(seed: int) -> Iterator[tuple[int, ...]]:
    """The same numbers: the first one by one, then in blocks that double every 113 blocks."""
    first: list[int] = []
    for number in islice(reference(seed), _ORDER * _SMALLEST):
        yield (number,)
        first.append(number)
    size, blocks = _SMALLEST, deque(_joined(first, _SMALLEST, 32))  # the last 113
    while True:
        unpack = struct.Struct(f"<{size}I").unpack
        before = list(blocks)
        for _ in range(_ORDER):
            block = reduce(xor, compress(blocks, _LAGS))
            blocks.append(block)
            blocks.popleft()
            yield unpack(block.to_bytes(4 * size, "little"))
        if size < _LARGEST:
            blocks = deque(_joined([*before, *blocks], 2, 32 * size))
            size *= 2


def _joined(numbers: list[int], count: int, width: int) -> Iterator[int]:
    """Each `count` of the numbers, `width` bits wide, as one: the first in the lowest bits."""
    for start in range(0, len(numbers), count):
        yield sum(number << width * place for place, number in enumerate(numbers[start : start + count]))
