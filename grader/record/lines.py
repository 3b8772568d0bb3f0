"""A file of JSON lines that only grows: what happened, in order.

Rule 1: a line is on the disk when `add` returns, whole: a full disk leaves the file as it was.
Rule 2: a torn last line (the machine went down while it was written) does not count, and the next one begins anew.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def parsed(data: bytes) -> Any:
    """The value in some JSON, however it is damaged. Raises ValueError."""
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


class Lines:
    """One such file. Safe to use from several threads of the one process that writes it."""

    def __init__(self, path: Path, needed: Sequence[str]) -> None:
        """`needed`: keys that are texts in every line; others do not count."""
        self._path, self._needed = path, tuple(needed)
        self._lock = threading.Lock()
        self._rows = self._read()

    def rows(self) -> list[dict[str, Any]]:
        """Every line, in the order in which they were added."""
        with self._lock:
            return list(self._rows)

    def add(self, row: Mapping[str, Any]) -> None:
        """Append a line. Raises OSError; then it is not there."""
        line = json.dumps(row, ensure_ascii=True).encode("ascii") + b"\n"
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
            self._rows.append(dict(row))

    def _read(self) -> list[dict[str, Any]]:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return []
        rows = []
        for line in data.split(b"\n"):
            try:
                row = parsed(line)
            except ValueError:
                continue
            if isinstance(row, dict) and all(isinstance(row.get(key), str) for key in self._needed):
                rows.append(row)
        return rows
