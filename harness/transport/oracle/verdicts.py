"""What the oracle is asked and what it answers: the options, and the list of broken rules. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.link.trace import Direction
from harness.transport.oracle.view import Sent

Level = Literal["MUST", "SHOULD"]
#: The last stage that has rules.
LAST_STAGE = 9
#: Most violations of one rule by one side that are kept: more say nothing new.
MOST_OF_ONE_KIND = 20


@dataclass(frozen=True, slots=True)
class Violation:
    """One packet, or one that did not come, that breaks a rule."""

    rule: str  #: its number in the handout: "3.11"
    level: Level  #: MUST fails a test, SHOULD is only reported
    packet: int  #: number of the packet that broke it, or of the one that was not answered
    at: float  #: seconds
    text: str  #: one sentence, without its full stop
    direction: Direction  #: whose: "up" is the student's

    def __str__(self) -> str:
        return f"rule {self.rule} ({self.level}), packet {self.packet} at {self.at:.4f} s: {self.text}"


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is known about a run besides its packets."""

    stage: int = LAST_STAGE  #: rules of later stages are advisory: go-back-N is legal before stage 6
    judged: Sequence[Direction] = ("up", "down")  #: whose packets
    isns: Mapping[Direction, int] = field(default_factory=dict)  #: if no SYN shows them
    buffers: Mapping[Direction, int] = field(default_factory=dict)  #: receive_buffer
    #: when which side's application had read how many bytes, in order of time; for rule 5.3
    reads: Mapping[Direction, Sequence[tuple[float, int]]] = field(default_factory=dict)
    models: Sequence[Direction] = ()  #: who has a model-based controller, to which 7.1 to 7.3 do not apply
    servers: Sequence[Direction] = ()  #: who listened for the connection, if that is known
    #: the packets were captured on real sockets: what arrived may have waited in a buffer, or been dropped there
    real: bool = False


class Verdicts:
    """Collects what one side broke."""

    def __init__(self, case: Case, direction: Direction) -> None:
        self.case = case
        self.direction: Direction = direction
        self.found: list[Violation] = []
        self._count: Counter[tuple[str, Level]] = Counter()

    def add(self, rule: str, text: str, packet: int, at: float, *, should: bool = False, arrival: bool = True) -> None:
        """A rule is broken. `should`: it is only advice; `arrival`: it depends on when something arrived."""
        stage = int(rule.split(".")[0])
        advisory = should or stage > self.case.stage or (arrival and self.case.real)
        level: Level = "SHOULD" if advisory else "MUST"
        self._count[rule, level] += 1
        if self._count[rule, level] <= MOST_OF_ONE_KIND:
            self.found.append(Violation(rule, level, packet, at, text, self.direction))

    def sent(self, rule: str, text: str, row: Sent, *, should: bool = False, arrival: bool = True) -> None:
        """The same, for a segment that was sent."""
        self.add(rule, text, row.number, row.at, should=should, arrival=arrival)


def span(left: int, right: int) -> str:
    """Numbers for people to read."""
    return f"number {left}" if right == left + 1 else f"numbers {left} to {right - 1}"
