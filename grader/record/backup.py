"""A run or a course as one archive."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tarfile
import tempfile
from pathlib import Path

from harness.errors import UsageError

#: Not part of what is worth keeping: what a run makes anew.
_LEFT_OUT = frozenset({".work", ".lock", ".new"})
#: Databases are copied by SQLite itself, so that what is being written is in them whole or not at all.
_DATABASES = (".db", ".sqlite")


def back_up(folder: Path, to: Path) -> int:
    """Write a folder into a new gzip'ed tar, readable by its owner only; its size in bytes. Raises UsageError."""
    folder, to = folder.absolute(), to.absolute()
    if to.is_relative_to(folder):
        raise UsageError(f"{to} is inside {folder}, which it is to hold. Give a place outside.")
    try:
        descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"{to} cannot be written: {error.strerror}. Give the name of a new file.") from None
    try:
        with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as tar:
            _add(tar, folder, folder.name)
    except OSError as error:
        with contextlib.suppress(OSError):
            to.unlink()
        raise UsageError(f"{to} could not be finished: {error.strerror}, and was removed.") from None
    return to.stat().st_size


def _add(tar: tarfile.TarFile, folder: Path, name: str) -> None:
    tar.add(folder, name, recursive=False)
    for path in sorted(folder.iterdir()):
        inside = f"{name}/{path.name}"
        if path.name in _LEFT_OUT:
            continue
        if path.is_dir() and not path.is_symlink():
            _add(tar, path, inside)
        elif path.suffix in _DATABASES and path.is_file():
            _add_database(tar, path, inside)
        else:
            tar.add(path, inside, recursive=False)


def _add_database(tar: tarfile.TarFile, path: Path, name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="socketlab-") as scratch:
        copy = Path(scratch) / path.name
        try:
            with (
                contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as source,
                contextlib.closing(sqlite3.connect(copy)) as target,
            ):
                source.backup(target)
        except sqlite3.Error:  # no database after all: as it is
            copy = path
        tar.add(copy, name, recursive=False)
