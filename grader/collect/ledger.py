"""receipts.jsonl in a course's folder: a line for each submission that was ever taken; appended and flushed."""

from __future__ import annotations

import os
from pathlib import Path

from grader.term.receipts import Receipt, parse
from harness.errors import SetupError, cause_of

NAME = "receipts.jsonl"


class Ledger:
    """The receipts of a course. One collector writes at a time (`place.collecting` holds the lock)."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def receipts(self) -> list[Receipt]:
        """All, in the order in which they were taken. Raises SetupError."""
        try:
            return parse(self.path.read_text(encoding="utf-8", errors="replace"))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SetupError(f"{self.path} cannot be read: {cause_of(error)}.") from None

    def add(self, receipt: Receipt) -> None:
        """Append one; it is on the disk when this returns."""
        line = receipt.line().encode("ascii") + b"\n"
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            end = os.lseek(descriptor, 0, os.SEEK_END)
            if end and os.pread(descriptor, 1, end - 1) != b"\n":
                line = b"\n" + line  # after a line that was torn
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
