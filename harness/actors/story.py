"""A test as a story: what was done, what was expected, what happened. Pure.

Rule 1: a step is a noun and a verb ("the client ends its sending side"); a story is the list of them.
Rule 2: a broken expectation carries the reason in one sentence, what was expected and what was seen.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

Who = Literal["tester", "student", "link"]
Verdict = Literal["fail", "timeout", "error"]

#: Steps kept per story; a test with thousands of exchanges sums up the rest in one line.
MOST_STEPS = 400


@dataclass(frozen=True)
class Step:
    """One thing that happened."""

    at: float  #: seconds since the test began
    who: str  #: a Who, or what came over the process border
    what: str  #: a sentence without its subject's full stop


class Broken(AssertionError):
    """An expectation the submission did not meet."""

    def __init__(
        self, message: str, *, expected: str | None = None, seen: str | None = None, verdict: Verdict = "fail"
    ) -> None:
        super().__init__(message)
        self.message = message
        self.expected = expected
        self.seen = seen
        self.verdict: Verdict = verdict


@dataclass
class Story:
    """The steps of one test so far. `clock` gives seconds on any monotonic scale."""

    clock: Callable[[], float]
    steps: list[Step] = field(default_factory=list)
    dropped: int = 0  #: steps beyond MOST_STEPS that were not kept
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def add(self, who: Who, what: str) -> None:
        """Add a step, stamped now."""
        if len(self.steps) >= MOST_STEPS:
            self.dropped += 1
            return
        self.steps.append(Step(at=self.clock() - self.began, who=who, what=what))

    def for_record(self) -> tuple[Step, ...]:
        """The steps as a record has them: to a tenth of a millisecond, and how many were dropped."""
        steps = [replace(step, at=round(step.at, 4)) for step in self.steps]
        if self.dropped:
            steps.append(replace(steps[-1], who="tester", what=f"({self.dropped} more steps not shown)"))
        return tuple(steps)


def show(data: bytes, *, most: int = 60) -> str:
    """Bytes for people to read: text in quotes, anything else in hex, long ones cut and with their size.

    >>> show(b"Saturday\\n")
    '"Saturday\\\\n"'
    >>> show(bytes([0, 0, 0, 5]))
    '00 00 00 05 (4 bytes)'
    >>> show(b"")
    'nothing'
    """
    if not data:
        return "nothing"
    head = data[:most]
    printable = sum(32 <= byte < 127 or byte in b"\r\n\t" for byte in head)
    if printable >= 0.9 * len(head):
        text = head.decode("latin-1").encode("unicode_escape").decode("ascii").replace('"', '\\"')
        return f'"{text}"' if len(data) <= most else f'"{text}" … ({len(data):,} bytes)'
    shown = head[: most // 3].hex(" ")
    return f"{shown} ({len(data):,} bytes)" if len(data) <= most // 3 else f"{shown} … ({len(data):,} bytes)"


def signal_name(number: int) -> str:
    """A signal in words, also one that this system has not.

    >>> signal_name(15)
    'SIGTERM'
    >>> signal_name(99)
    'signal 99'
    """
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count:,} bytes"


def difference(expected: bytes, seen: bytes) -> str:
    """Where two byte strings differ, as a clause for a message.

    >>> difference(b"abc", b"abd")
    'they differ from byte 2 on'
    """
    if len(seen) < len(expected) and expected.startswith(seen):
        return f"the last {len(expected) - len(seen):,} of {len(expected):,} bytes are missing"
    if len(seen) > len(expected) and seen.startswith(expected):
        return f"{_bytes(len(seen) - len(expected))} too many at the end"
    for index, (one, other) in enumerate(zip(expected, seen, strict=False)):
        if one != other:
            return f"they differ from byte {index:,} on"
    return "they are equal"
