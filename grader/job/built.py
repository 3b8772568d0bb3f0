"""What a build made, taken in for further nodes: a tar that nobody vouches for -> a folder.

Rule 1: nothing is written but below the target, and nothing through a link: links are made last, as they are, and no
        one on this machine follows them (a node does, where they lead to the node's own files).
Rule 2: everything is counted, and bounded.
Rule 3: bytecode is left out, as it is where submissions come in: it need not be what its source says.
"""

from __future__ import annotations

import errno
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
#: What names in a tar can bring about; every other error is ours or the machine's.
_OF_THE_TAR = (errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL)
#: How a tar ends: two blocks of zeros (POSIX.1-2001, pax).
_END = bytes(1024)


def take_built(tar: BinaryIO, target: Path, most_bytes: int) -> None:
    """Unpack what was built to the new folder `target`. Raises SubmissionError when it is more than is taken."""
    target.mkdir()
    target.chmod(0o755)  # whatever the umask is: the student's user has to read it
    links: list[tuple[Path, str]] = []
    left = most_bytes
    try:
        size = tar.seek(0, os.SEEK_END)
        tar.seek(max(0, size - len(_END)))
        if tar.read() != _END:
            raise tarfile.TarError("it was cut on the way")
        tar.seek(0)
        with tarfile.open(fileobj=tar, mode="r|", errors="surrogateescape") as opened:
            for row, name in _entries(opened):
                path = target / name
                if row.isdir():
                    path.mkdir()
                    path.chmod(0o755)
                elif row.issym():
                    links.append((path, row.linkname))
                elif row.isreg():
                    left -= row.size
                    if left < 0:
                        raise SubmissionError(f"what was built is larger than {most_bytes / 1e6:g} MB")
                    _write(opened, row, path)
        for path, to in links:
            if any(parent.is_symlink() for parent in path.parents):
                raise SubmissionError("what was built has names that lead through a link")
            path.symlink_to(to)
    except (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError) as error:
        raise SubmissionError(f"what was built cannot be copied: {error}") from None
    except OSError as error:
        if error.errno not in _OF_THE_TAR:
            raise
        raise SubmissionError(f"what was built cannot be copied: {error.strerror}") from None


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
