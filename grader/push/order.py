"""Who is next among pushes that wait. Pure.

Rule 1: of a student and an assignment only the newest push waits; it keeps the place of the ones before it.
Rule 2: students take turns: the one whose last grading began longest ago is next, then the one who has waited longest.
        So a student who pushes a hundred times delays nobody by more than one grading a round.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Push:
    """A commit to grade. Everything in it came from the account that receives pushes."""

    id: int  #: grows with each push
    student: str
    assignment: str
    repository: str  #: path of the bare repository
    ref: str  #: the branch, such as refs/heads/main
    commit: str  #: 40 or 64 hexadecimal digits
    pushed: float  #: seconds since 1970
    since: float  #: since when this student has waited for this assignment: an older push may have waited before it
    attempts: int = 0  #: gradings that were begun and lost with the daemon


def fair_order(waiting: Iterable[Push], served: Mapping[str, float]) -> list[Push]:
    """The pushes in the order in which they are graded; `served`: when each student's last grading began.

    >>> push = lambda n, who, since: Push(n, who, "a", "", "", "", since, since)
    >>> [row.id for row in fair_order([push(1, "ann", 1), push(2, "ann", 2), push(3, "bob", 3)], {})]
    [1, 3, 2]
    """
    mine: dict[str, list[Push]] = defaultdict(list)
    for push in sorted(waiting, key=lambda row: (row.since, row.id)):
        mine[push.student].append(push)
    turns = [
        (turn, served.get(student, float("-inf")), push.since, push.id, push)
        for student, pushes in mine.items()
        for turn, push in enumerate(pushes)
    ]
    # A student's second push comes after everybody's first, whoever was served last.
    return [row[-1] for row in sorted(turns, key=lambda row: row[:-1])]


def seconds_until(place: int, *, each: float, workers: int) -> float:
    """How long until the grading at a place begins (0: the next one), when one takes `each` seconds.

    >>> seconds_until(5, each=10.0, workers=2)
    20.0
    """
    return each * (place // max(1, workers))
