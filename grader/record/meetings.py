"""RUN/interop/<assignment>/: what came of the meetings of a class, for whoever holds the run's lock.

    interop.json, index.html        the whole matrix: the instructor's
    leaderboard.html                to hand out: pseudonyms, and only of those who asked to be on it
    meetings/<key>/meeting.json     one meeting, kept: the same again is not played again
    meetings/<key>/<cell>.*         of a cell that is not well: its page, ladder, packets, and bundle
    students/<student>/             to hand out: a student's own row, and the ladders of what is their own doing

Rule 1: a meeting's files are there before its meeting.json, so what is kept is whole.
Rule 2: what is handed out is made from `students_view` and from bundles without the other side's findings.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from grader.record.journal import write_file

#: The folder in a run; no student can have this name (grader/campaign/plan.py).
FOLDER = "interop"


class MeetingsFolder:
    """The meetings of one assignment in a run. Its methods raise OSError."""

    def __init__(self, run: Path, assignment: str) -> None:
        self.path = run / FOLDER / assignment
        self._meetings = self.path / "meetings"

    def known(self, key: str) -> dict[str, Any] | None:
        """A meeting that is kept."""
        with contextlib.suppress(OSError, ValueError):
            row = json.loads((self._meetings / key / "meeting.json").read_bytes())
            return row if isinstance(row, dict) else None
        return None

    def keep(self, key: str, row: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        """Keep a meeting with its files, in place of what was kept of it."""
        folder = self._meetings / key
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, data in files.items():
            write_file(folder / name, data)
        write_file(folder / "meeting.json", _json(row))

    def file(self, key: str, name: str) -> bytes | None:
        """A file of a meeting, None if there is none."""
        with contextlib.suppress(OSError):
            return (self._meetings / key / name).read_bytes()
        return None

    def put(self, name: str, data: bytes) -> Path:
        """Write a file below the folder."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, data)
        return path

    def put_table(self, table: Mapping[str, Any], kept: Collection[str]) -> None:
        """Write interop.json, and forget the meetings that are not to be kept any more."""
        self.put("interop.json", _json(table))
        for folder in self._meetings.iterdir() if self._meetings.is_dir() else ():
            if folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    def hand_out(self, student: str, files: Mapping[str, bytes]) -> None:
        """Write a student's own folder anew."""
        folder = self.path / "students" / student
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, data in files.items():
            write_file(folder / name, data)

    def hand_out_to_nobody(self) -> None:
        """Remove what was handed out before: who takes no part any more has no page."""
        shutil.rmtree(self.path / "students", ignore_errors=True)


def _json(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, indent=1, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"
