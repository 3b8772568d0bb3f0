"""What a worker sends back: how the tester ended, and its records, as bytes. Pure.

Rule: nothing of it is believed before it is read here: the records go through the same door as a local tester's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from grader.bench.local import MOST_LINE, MOST_LOG, Ended, Measured, heard
from harness.lab.interface import LabError
from harness.tester.border.records import BadRecord, Phase, Record, cut, line_of

#: Bytes of one answer that are kept: a group's records with their captures.
MOST_ANSWER = 256_000_000
_MOST_PHASES, _MOST_TEXT = 100, 2_000


@dataclass(frozen=True)
class Answer:
    """What became of a parcel."""

    ended: Ended | None  #: None: the lab broke
    trouble: str = ""  #: how, in a sentence
    lines: Sequence[bytes] = field(default=(), repr=False)  #: the tester's records, as it writes them

    def to_bytes(self) -> bytes:
        """For the wire: a line that says how it ended, then the records."""
        head: dict[str, Any] = {"trouble": self.trouble}
        if self.ended is not None:
            assert self.ended.elsewhere is not None
            head |= {**vars(self.ended), "elsewhere": None, **vars(self.ended.elsewhere)}
            head["phases"] = [[phase.name, phase.seconds] for phase in self.ended.phases]
        return json.dumps(head).encode("ascii") + b"\n" + b"".join(self.lines)

    def records(self) -> Iterator[Record | BadRecord]:
        """Its records, parsed."""
        for line in self.lines:
            yield heard(line if len(line) <= MOST_LINE else None)

    @classmethod
    def from_bytes(cls, data: object) -> Answer:
        """From the wire. Raises LabError: that is no answer."""
        if not isinstance(data, bytes):
            raise LabError("a worker has sent something else than an answer")
        if len(data) > MOST_ANSWER:
            raise LabError(f"a worker has sent {len(data) / 1e6:.0f} MB for one group of checks; that is too much")
        head, *lines = data.split(b"\n")
        try:
            row = json.loads(head)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise LabError("a worker has sent what is no answer: it may be of another version, or not be one of ours")
        if trouble := _text(row, "trouble"):
            return cls(None, trouble)
        return cls(_ended(row), lines=lines[:-1] if lines and not lines[-1] else lines)


def line_of_record(record: Record | BadRecord) -> bytes:
    """A record as its tester wrote it; of a line that was none, one that is none, either."""
    if isinstance(record, BadRecord):
        return json.dumps({"record": str(record)}).encode("ascii") + b"\n"
    return line_of(record)


def _ended(row: dict[str, Any]) -> Ended:
    status = row.get("status")
    found = row.get("phases") if isinstance(row.get("phases"), list) else []
    phases = [each for each in found or () if isinstance(each, list) and len(each) == 2 and isinstance(each[0], str)]
    return Ended(
        status=status if isinstance(status, int) and not isinstance(status, bool) else None,
        late=row.get("late") is True,
        stopped=_text(row, "stopped"),
        died=_text(row, "died"),
        log=_text(row, "log", MOST_LOG),
        phases=tuple(Phase(cut(name, 40), _seconds(seconds)) for name, seconds in phases[:_MOST_PHASES]),
        elsewhere=Measured(seconds=max(_seconds(row.get("seconds")), 0.001), crowded=_seconds(row.get("crowded"))),
    )


def _text(row: dict[str, Any], key: str, most: int = _MOST_TEXT) -> str:
    value = row.get(key)
    return cut(value, most) if isinstance(value, str) else ""


def _seconds(value: object) -> float:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9
    return float(value) if fits and math.isfinite(value) else 0.0  # type: ignore[arg-type]
