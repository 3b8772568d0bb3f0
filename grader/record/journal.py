"""What a run has done: a line per grading, a line per change of a score.

Rule: a line is written after the result is in its place, so a line in the journal is a result on the disk.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grader.record.lines import Lines

#: Version of the lines.
SCHEMA = 1


class Journal:
    """RUN/journal.jsonl. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._lines = Lines(path, ("student", "assignment", "identity"))

    def rows(self) -> list[dict[str, Any]]:
        """Everything, in order."""
        return self._lines.rows()

    def finished(self) -> dict[tuple[str, str], dict[str, Any]]:
        """(student, assignment) -> the latest line about the result that stands in front."""
        return {(row["student"], row["assignment"]): row for row in self.rows() if row.get("kind") != "rerun"}

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a line. It needs "student", "assignment" and "identity". Raises OSError."""
        self._lines.add({"schema": SCHEMA, **row})


def write_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Put a file in its place in one step: it is there whole, or as it was before."""
    temporary = path.with_name(f".{path.name[:40]}.{os.getpid()}.{threading.get_ident()}.new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        try:
            os.fchmod(descriptor, mode)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from None
