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
    ### BEGIN SOLUTION: addition modulo 2**32
    return (number + count) % MODULUS
    ### END SOLUTION


def distance(start: int, end: int) -> int:
    """Steps from `start` to `end`, forwards positive, backwards negative: from -2**31 to 2**31 - 1."""
    ### BEGIN SOLUTION: the shorter way around the circle
    return (end - start + _HALF) % MODULUS - _HALF
    ### END SOLUTION


def less(a: int, b: int) -> bool:
    """Whether `a` comes before `b`."""
    ### BEGIN SOLUTION: the way from a to b goes forwards
    return distance(a, b) > 0
    ### END SOLUTION


def less_equal(a: int, b: int) -> bool:
    """Whether `a` comes before `b` or is `b`."""
    ### BEGIN SOLUTION: the way from a to b does not go backwards
    return distance(a, b) >= 0
    ### END SOLUTION


def between(start: int, number: int, end: int) -> bool:
    """Whether start <= number < end, going forwards from `start`. An empty range holds nothing."""
    ### BEGIN SOLUTION: count the steps from `start` to both
    return (number - start) % MODULUS < (end - start) % MODULUS
    ### END SOLUTION


def wrap(position: int, initial: int) -> int:
    """The number on the wire of a position that is counted from `initial` and never wraps."""
    ### BEGIN SOLUTION: see add
    return (initial + position) % MODULUS
    ### END SOLUTION


def unwrap(number: int, initial: int, near: int) -> int:
    """Of all positions with this number on the wire the one nearest to `near`. It may be negative."""
    ### BEGIN SOLUTION: go from `near` the shorter way around
    return near + distance((initial + near) % MODULUS, number)
    ### END SOLUTION
