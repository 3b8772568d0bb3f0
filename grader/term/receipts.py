"""What was handed in, when, and which of it counts. Pure: lines of text in and out.

Rule 1: a receipt is a fact, and never changed; which one counts is decided anew from all of them and the policy.
Rule 2: the moment is the server's where that is known, and the receipt says whose clock it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

#: Version of the lines.
SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """One submission."""

    student: str  #: the folder's name in submitted/: a student, or the one of a group who handed in
    assignment: str
    moment: datetime  #: aware: when it was handed in
    clock: str  #: whose clock that is: server, commit, file, taken
    hash: str  #: of names, execute bits and contents, as a result has it
    files: int = 0
    size: int = 0  #: bytes
    source: str = ""  #: where it came from, for people
    taken: datetime  #: aware: when it was collected
    notes: tuple[str, ...] = ()

    def line(self) -> str:
        """As it is kept."""
        row = {"schema": SCHEMA, **asdict(self)}
        for key in ("moment", "taken"):
            row[key] = getattr(self, key).astimezone(UTC).isoformat(timespec="seconds")
        return json.dumps(row, ensure_ascii=True)

    def in_words(self, zone: tzinfo = UTC) -> str:
        """For the one who handed in; `zone`: the course's."""
        when = self.moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")
        files = f"{self.files} file{'' if self.files == 1 else 's'}"
        return f"{self.student}/{self.assignment}: {files}, {self.size} bytes, {when}, sha256 {self.hash}"


def parse(text: str) -> list[Receipt]:
    """The receipts in a ledger's text, in its order; a torn or foreign line does not count."""
    found = []
    for line in text.splitlines():
        try:
            found.append(_receipt(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def _receipt(row: Mapping[str, Any]) -> Receipt:
    moment, taken = datetime.fromisoformat(row["moment"]), datetime.fromisoformat(row["taken"])
    if moment.tzinfo is None or taken.tzinfo is None:
        raise ValueError("a moment without a zone")
    keys = ("student", "assignment", "clock", "hash", "files", "size", "source")
    return Receipt(**{key: row[key] for key in keys}, moment=moment, taken=taken, notes=tuple(row["notes"]))


def current(receipts: Iterable[Receipt]) -> dict[tuple[str, str], Receipt]:
    """(student, assignment) -> the receipt of what lies in submitted/: the one that was taken last."""
    return {(one.student, one.assignment): one for one in receipts}
