"""A class on several machines: whose submissions are graded where. Pure.

Rule: it hangs on the student's name alone, so whoever hands in late moves nobody to another machine.
"""

from __future__ import annotations

import os
import re
import zlib
from dataclasses import dataclass

from harness.errors import UsageError


@dataclass(frozen=True)
class Shard:
    """One of `count` parts of a class, counted from 1."""

    number: int = 1
    count: int = 1

    @classmethod
    def read(cls, text: str) -> Shard:
        """From text such as 2/5. Raises UsageError.

        >>> Shard.read("2/5")
        Shard(number=2, count=5)
        """
        found = re.fullmatch(r"([1-9]\d{0,3})/([1-9]\d{0,3})", text)
        if found is None or int(found[1]) > int(found[2]):
            raise UsageError(f"--shard {text!r} is not one of several parts. Write 2/5 for the second of five.")
        return cls(int(found[1]), int(found[2]))

    def has(self, student: str) -> bool:
        """Whether a student's submissions are in it.

        >>> [sum(Shard(number, 3).has(f"student{n}") for n in range(300)) > 80 for number in (1, 2, 3)]
        [True, True, True]
        """
        return zlib.crc32(os.fsencode(student)) % self.count == self.number - 1
