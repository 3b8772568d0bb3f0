"""An archive that nobody vouches for -> a folder. The only place that unpacks what students handed in.

Rule 1: names stay inside: no absolute one, no `..`, no drive, no `.git`; what is not an ordinary file is left out, and
        said.
Rule 2: everything is counted while it is read, never believed: a ZIP says of itself what it likes.
Rule 3: nothing is written before everything has been read; then into a new folder, each file new.
"""

from __future__ import annotations

import io
import lzma
import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from grader.submission import SubmissionLimits, readable_name
from harness.errors import SubmissionError

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
#: What a broken archive can bring about.
BROKEN = (
    zipfile.BadZipFile, zipfile.LargeZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, ValueError,
    OverflowError, NotImplementedError, RuntimeError, OSError, IndexError,
)  # fmt: skip


@dataclass
class Files:
    """Files of one submission, in memory, within its limits. Raises SubmissionError past them."""

    limits: SubmissionLimits = field(default_factory=SubmissionLimits)
    contents: dict[str, tuple[bytes, bool]] = field(default_factory=dict)  #: name -> (bytes, whether it may be run)
    notes: list[str] = field(default_factory=list)
    _announced: int = 0

    def expects(self, name: str, size: int) -> bool:
        """Whether a file of that name is taken; its size is counted before it is read."""
        if (why := refused(name)) is not None:
            self.notes.append(f"{readable_name(name)} {why}, and was left out")
            return False
        self._announced += size
        if self._announced > self.limits.bytes:
            raise SubmissionError(f"the files are larger than {self.limits.bytes / 1e6:g} MB together")
        return True

    def add(self, name: str, content: bytes, *, runs: bool = False) -> None:
        """Take a file in. The first of a name counts."""
        if name in self.contents:
            self.notes.append(f"{readable_name(name)} is there twice; the first one was taken")
            return
        if len(self.contents) >= self.limits.files:
            raise SubmissionError(f"more than {self.limits.files:,} files")
        self.contents[name] = (content, runs)
        if sum(len(one) for one, _ in self.contents.values()) > self.limits.bytes:
            raise SubmissionError(f"the files are larger than {self.limits.bytes / 1e6:g} MB together")

    def write(self, folder: Path) -> None:
        """Into a new folder. Raises SubmissionError where two names are in each other's way."""
        folder.mkdir(parents=True)
        for name, (content, runs) in sorted(self.contents.items()):
            path = folder / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("xb") as file:
                    file.write(content)
                    os.fchmod(file.fileno(), 0o755 if runs else 0o644)
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                raise SubmissionError(f"{readable_name(name)} is both a file and a folder") from None


def refused(name: str) -> str | None:
    """Why a file of that name is not taken; None if it is."""
    parts = name.split("/")
    if name.startswith("/") or "\\" in name or re.match(r"[A-Za-z]:", name) or "\0" in name:
        return "has a name that leads elsewhere"
    if any(part in ("", ".", "..") for part in parts):
        return "has a name that leads elsewhere"
    if any(part.casefold().rstrip(". ") == ".git" for part in parts):
        return "belongs to a repository"
    if len(parts) > SubmissionLimits.depth or any(len(os.fsencode(part)) > 255 for part in parts):
        return "has a name that is too long"
    return None


def is_archive(name: str) -> bool:
    """Whether a file is unpacked when it is all that was handed in."""
    return name.lower().endswith(_ARCHIVES)


def unpacked(name: str, content: bytes, into: Files) -> None:
    """The files in an archive. Raises SubmissionError."""
    try:
        for path, data, runs in _zip(content, into) if name.lower().endswith(".zip") else _tar(content, into):
            into.add(path, data, runs=runs)
    except SubmissionError:
        raise
    except BROKEN as error:
        raise SubmissionError(f"{readable_name(name)} cannot be unpacked: {error}. Hand it in again.") from None


def _zip(content: bytes, into: Files) -> Iterator[tuple[str, bytes, bool]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for row in archive.infolist():
            mode = row.external_attr >> 16
            if row.is_dir():
                continue
            if mode and (mode & 0o170000) not in (0, 0o100000):
                into.notes.append(f"{readable_name(row.filename)} is not an ordinary file, and was left out")
            elif row.flag_bits & 1:
                raise SubmissionError(f"{readable_name(row.filename)} is encrypted. Hand in an archive that is not")
            elif into.expects(row.filename, 0):
                with archive.open(row) as file:
                    yield row.filename, _read(file, into), bool(mode & 0o100)


def _tar(content: bytes, into: Files) -> Iterator[tuple[str, bytes, bool]]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r|*", errors="surrogateescape") as archive:
        for row in archive:
            name = row.name.removeprefix("./")
            if row.isdir():
                continue
            if not row.isreg():
                into.notes.append(f"{readable_name(name)} is not an ordinary file, and was left out")
            elif into.expects(name, 0):
                file = archive.extractfile(row)
                assert file is not None  # it is a regular file
                yield name, _read(file, into), bool(row.mode & 0o100)


def _read(file: IO[bytes], into: Files) -> bytes:
    """At most what is left of the limit, however much is said to be there."""
    data = bytes(file.read(into.limits.bytes + 1))
    if len(data) > into.limits.bytes:
        raise SubmissionError(f"the files are larger than {into.limits.bytes / 1e6:g} MB together")
    return data
