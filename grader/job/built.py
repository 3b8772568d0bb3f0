"""What a build made, taken in for further nodes: a tar that nobody vouches for -> a folder.

Rule 1: nothing is written but below the target, and nothing through a link: links are made last, as they are, and no
        one on this machine follows them (a node does, where they lead to the node's own files).
Rule 2: everything is counted, and bounded.
Rule 3: bytecode is left out, as it is where submissions come in: it need not be what its source says.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from harness.errors import SubmissionError

#: Files, folders and links at most; and folders inside each other.
MOST_ENTRIES, MOST_DEEP = 16_384, 40
_BYTECODE = (".pyc", ".pyo")


def take_built(tar: BinaryIO, target: Path, most_bytes: int) -> None:
    """Unpack what was built to the new folder `target`. Raises SubmissionError when it is more than is taken."""
    target.mkdir(mode=0o755)
    links: list[tuple[Path, str]] = []
    left = most_bytes
    try:
        with tarfile.open(fileobj=tar, mode="r|", errors="surrogateescape") as opened:
            for row, name in _entries(opened):
                path = target / name
                if row.isdir():
                    path.mkdir(mode=0o755)
                elif row.issym():
                    links.append((path, row.linkname))
                elif row.isreg():
                    left -= row.size
                    if left < 0:
                        raise SubmissionError(f"what was built is larger than {most_bytes / 1e6:g} MB")
                    _write(opened, row, path)
        for path, to in links:
            path.symlink_to(to)
    except (tarfile.TarError, EOFError, FileExistsError, FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise SubmissionError(f"what was built cannot be copied: {error}") from None


def _entries(tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, PurePosixPath]]:
    """The rows of a tar that are taken, with names that stay below the folder they are unpacked to."""
    for number, row in enumerate(tar):
        name = PurePosixPath(row.name)
        if number >= MOST_ENTRIES or len(name.parts) > MOST_DEEP:
            raise SubmissionError(f"what was built has more than {MOST_ENTRIES:,} files, or {MOST_DEEP} nested folders")
        if name.is_absolute() or ".." in name.parts or not name.parts:
            raise SubmissionError("what was built has names that lead out of its folder")
        if "__pycache__" not in name.parts and name.suffix not in _BYTECODE:
            yield row, name


def _write(tar: tarfile.TarFile, row: tarfile.TarInfo, path: Path) -> None:
    source = tar.extractfile(row)
    assert source is not None  # it is a regular file
    with path.open("xb") as file:
        shutil.copyfileobj(source, file)
        os.fchmod(file.fileno(), 0o755 if row.mode & 0o100 else 0o644)
    os.utime(path, (row.mtime, row.mtime))  # make compares them
