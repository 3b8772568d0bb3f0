"""Numbers on a circle: 32 bits that wrap (RFC 9293, section 3.4). Pure.

Rule 1: a number on the wire has 32 bits. None is the smallest, so `<` says nothing about two of them.
Rule 2: one number comes before another if the way forward from it is shorter than half the circle. That is enough,
since all numbers that are in use at a time lie within one window of each other.
Rule 3: inside, streams are counted with plain integers from 0, which never wrap: `unwrap` and `wrap` are the border.
"""

from __future__ import annotations

MODULUS = 2**32
_HALF = MODULUS // 2


def add(number: int, count: int) -> int:
    """The number `count` steps further on, or back."""
    return (number + count) % MODULUS


def distance(start: int, end: int) -> int:
    """Steps from `start` to `end`, forwards positive, backwards negative: from -2**31 to 2**31 - 1."""
    return (end - start + _HALF) % MODULUS - _HALF


def less(a: int, b: int) -> bool:
    """Whether `a` comes before `b`."""
    return distance(a, b) > 0


def less_equal(a: int, b: int) -> bool:
    """Whether `a` comes before `b` or is `b`."""
    return distance(a, b) >= 0


def between(start: int, number: int, end: int) -> bool:
    """Whether start <= number < end, going forwards from `start`. An empty range holds nothing."""
    return (number - start) % MODULUS < (end - start) % MODULUS


def wrap(position: int, initial: int) -> int:
    """The number on the wire of a position that is counted from `initial` and never wraps."""
    return (initial + position) % MODULUS


def unwrap(number: int, initial: int, near: int) -> int:
    """Of all positions with this number on the wire the one nearest to `near`. It may be negative."""
    return near + distance((initial + near) % MODULUS, number)
