"""What was built, as a tar: how it leaves the node it was built in, for further nodes to get a copy.

It runs in the student node (see harness/lab/node/agent.py), with the student's rights, and in the local lab: standard
library only. The reader trusts none of it (grader/built.py).
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    import tarfile


def pack_tree(folder: str, out: BinaryIO) -> None:
    """Write a tar (POSIX.1-2001) of the folders, files and links below a folder; other kinds are left out.

    Raises OSError. Names that are not UTF-8 survive; a file with two names becomes two files.
    """
    import tarfile  # not at the start of every agent: most submissions are not built

    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT, errors="surrogateescape") as tar:
        folders = [""]
        while folders:
            below = folders.pop()
            with os.scandir(folder + below) as found:
                entries = sorted(found, key=lambda entry: os.fsencode(entry.name))
            for entry in entries:
                name = f"{below}/{entry.name}"
                about = entry.stat(follow_symlinks=False)
                row = tarfile.TarInfo(name[1:])
                row.mtime, row.mode = about.st_mtime_ns / 1e9, stat.S_IMODE(about.st_mode)
                if entry.is_symlink():
                    row.type, row.linkname = tarfile.SYMTYPE, os.readlink(entry.path)
                    tar.addfile(row)
                elif entry.is_dir():
                    row.type = tarfile.DIRTYPE
                    tar.addfile(row)
                    folders.append(name)
                elif entry.is_file():
                    _add_file(tar, row, entry.path)


def _add_file(tar: tarfile.TarFile, row: tarfile.TarInfo, path: str) -> None:
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
        row.size = os.fstat(file.fileno()).st_size
        tar.addfile(row, file)
