"""Folders of submissions: of one's own, and nbgrader's exchange, whose inbound/ keeps every submission."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import UsageError

#: <student>+<assignment>+<timestamp>, and in newer versions +<random>; the time is UTC.
_INBOUND = re.compile(
    r"(?P<student>[^+/]+)\+(?P<assignment>[^+/]+)\+(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[^+]*(?:\+[^/]*)?"
)


@dataclass(frozen=True)
class Handed:
    """One folder."""

    student: str
    path: Path
    moment: datetime | None  #: aware; None: the folder does not say
    clock: str


def inbound(folder: Path, assignment: str, *, until: dict[str, datetime | None] | None = None) -> list[Handed]:
    """The last submission of each student in the inbound folder of an exchange. Raises UsageError.

    `until`: a moment for each student, after which one does not count.
    """
    latest: dict[str, Handed] = {}
    for path in _folders(folder):
        if (found := _INBOUND.fullmatch(path.name)) is None or found["assignment"] != assignment:
            continue
        moment = datetime.strptime(found["at"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        end = (until or {}).get(found["student"])
        before = latest.get(found["student"])
        if (end is None or moment <= end) and (before is None or before.moment is None or moment > before.moment):
            latest[found["student"]] = Handed(found["student"], path, moment, "server")
    return sorted(latest.values(), key=lambda one: one.student)


def plain(folder: Path, assignment: str, known: Collection[str]) -> Iterator[Handed]:
    """FOLDER/<student>/<assignment>/, or FOLDER/<student>/ with the files in it. Raises UsageError.

    `known`: all assignments; who has folders of others only has handed in nothing of this one.
    """
    for path in _folders(folder):
        inner = path / assignment
        if not inner.is_dir() and any((path / name).is_dir() for name in known):
            continue
        yield Handed(path.name, inner if inner.is_dir() else path, _newest(path), "file")


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}.") from None


def _newest(folder: Path) -> datetime | None:
    times = [path.lstat().st_mtime for path in folder.rglob("*") if not path.is_dir()]
    return datetime.fromtimestamp(max(times), UTC) if times else None
