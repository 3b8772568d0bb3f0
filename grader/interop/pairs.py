"""Who meets whom: everybody the course's own, and some of the others. Pure.

Rule 1: the same class and secret give the same pairs, and nobody can know them who does not know the secret.
Rule 2: everybody meets as many others as everybody else, or one more.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import os
from collections.abc import Sequence

#: How many others a submission meets, unless somebody says how many.
PEERS = 4


def pairs(names: Sequence[str], peers: int | None, key: bytes) -> list[tuple[int, int]]:
    """Pairs of places in `names`, the lower one first, in ascending order. `peers`: each meets so many; None: all.

    All stand in a ring whose order only the key knows; each meets its neighbours, up to half of `peers` away.

    >>> pairs(["a", "b", "c"], None, b"")
    [(0, 1), (0, 2), (1, 2)]
    """
    count = len(names)
    if peers is None or peers >= count - 1:
        return list(itertools.combinations(range(count), 2))
    ring = sorted(range(count), key=lambda place: _shuffled(names[place], key))
    found = {(ring[at], ring[(at + step) % count]) for step in range(1, peers // 2 + 1) for at in range(count)}
    if peers % 2:  # and whoever stands opposite
        found |= {(ring[at], ring[(at + count // 2) % count]) for at in range((count + 1) // 2)}
    return sorted((min(pair), max(pair)) for pair in found)


def _shuffled(name: str, key: bytes) -> bytes:
    return hmac.new(key, b"ring\0" + os.fsencode(name), hashlib.sha256).digest()
