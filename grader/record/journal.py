"""What a run has done already: one line per finished job, appended and flushed to the disk.

Rule 1: a line is written after the result is in its place, so a line in the journal is a result on the disk.
Rule 2: a torn last line (the machine went down while it was written) does not count.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: Version of the lines.
SCHEMA = 1


class Journal:
    """RUN/journal.jsonl. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._rows = _read(path)

    def rows(self) -> list[dict[str, Any]]:
        """Every finished job, in the order in which they finished."""
        with self._lock:
            return list(self._rows)

    def finished(self) -> dict[tuple[str, str], dict[str, Any]]:
        """(student, assignment) -> the latest line about it."""
        return {(row["student"], row["assignment"]): row for row in self.rows()}

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a line; it is on the disk when this returns. It needs "student", "assignment" and "identity"."""
        line = json.dumps({"schema": SCHEMA, **row}, ensure_ascii=True).encode("ascii") + b"\n"
        with self._lock:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                end = os.lseek(descriptor, 0, os.SEEK_END)
                if end and os.pread(descriptor, 1, end - 1) != b"\n":
                    line = b"\n" + line  # after a torn line
                try:
                    while line:
                        line = line[os.write(descriptor, line) :]
                    os.fsync(descriptor)
                except OSError:  # a full disk
                    os.ftruncate(descriptor, end)
                    raise
            finally:
                os.close(descriptor)
            self._rows.append({"schema": SCHEMA, **row})


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    rows = []
    for line in data.split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and all(
            isinstance(row.get(key), str) for key in ("student", "assignment", "identity")
        ):
            rows.append(row)
    return rows


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
