"""A run or a course as one archive."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import tarfile
import tempfile
import time
from pathlib import Path

import psutil

from harness.errors import UsageError, cause_of

#: Not part of what is worth keeping: what a run makes anew.
_LEFT_OUT = frozenset({".work", ".lock", ".new"})
#: Databases are copied by SQLite itself, so that what is being written is in them whole or not at all.
_DATABASES = (".db", ".sqlite")
#: Seconds that one waits for whoever keeps a database for themselves.
PATIENCE = 60.0
#: What SQLite keeps beside a database while it writes. Beside a copy it would be taken for what is left to be undone.
_BESIDE = ("-journal", "-wal", "-shm")


class Kept(Exception):
    """Somebody keeps a database for themselves."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


def _holders(path: Path) -> str:
    """Who has a file open, in words, as far as one may see that."""
    found = []
    for process in psutil.process_iter(["pid", "name"]):
        with contextlib.suppress(psutil.Error, OSError):
            if any(Path(one.path) == path for one in process.open_files()):
                found.append(f"{process.info['name']} (process {process.info['pid']})")
    return " and ".join(found[:5]) or "another program"


def back_up(folder: Path, to: Path, *, patience: float = PATIENCE) -> int:
    """Write a folder into a new gzip'ed tar, readable by its owner only; its size in bytes. Raises UsageError.

    `patience`: seconds to wait for whoever keeps a database for themselves.
    """
    folder, to = folder.resolve(), to.absolute()
    if (to.parent.resolve() / to.name).is_relative_to(folder):
        raise UsageError(f"{to} is inside {folder}, which it is to hold. Give a place outside.")
    part = to.with_name(f"{to.name}.part")  # a killed one leaves this, which nobody takes for a backup
    try:
        if os.path.lexists(to):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"{to} cannot be written: {error.strerror}. Give the name of a new file.") from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz") as tar:
                _add(tar, folder, folder.name, patience)
            file.flush()
            os.fsync(file.fileno())
        os.rename(part, to)
    except (OSError, Kept) as error:
        with contextlib.suppress(OSError):
            part.unlink()
        if isinstance(error, Kept):
            who = _holders(error.path)
            raise UsageError(
                f"{error.path} was kept by {who} for {patience:g} s, so nothing was backed up. End that, and try again."
            ) from None
        raise UsageError(f"{to} could not be finished: {cause_of(error)}. What there was of it was removed.") from None
    return to.stat().st_size


def _add(tar: tarfile.TarFile, folder: Path, name: str, patience: float) -> None:
    tar.add(folder, name, recursive=False)
    there = sorted(folder.iterdir())
    done: set[str] = set()  # what a database that is in the archive already has beside it
    for path in there:
        inside = f"{name}/{path.name}"
        if path.name in _LEFT_OUT or path.name in done:
            continue
        if path.is_dir() and not path.is_symlink():
            _add(tar, path, inside, patience)
        elif path.suffix in _DATABASES and path.is_file() and _add_database(tar, path, inside, patience):
            done.update(path.name + end for end in _BESIDE)
        else:
            with contextlib.suppress(FileNotFoundError):  # gone since: who writes a course's other files asks no run
                tar.add(path, inside, recursive=False)


def _add_database(tar: tarfile.TarFile, path: Path, name: str, patience: float) -> bool:
    """Add a database as SQLite copies it; False, and nothing is added, if it is none. Raises Kept."""
    end = time.monotonic() + patience

    def waits(_status: int, _left: int, _whole: int) -> None:  # sqlite3 asks again and again, without a bound
        if time.monotonic() > end:
            raise Kept(path)

    with tempfile.TemporaryDirectory(prefix="socketlab-") as scratch:
        copy = Path(scratch) / path.name
        try:
            with (
                # Not read only: what a killed writer has left half done is undone first.
                contextlib.closing(
                    sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=min(1.0, patience))
                ) as source,
                contextlib.closing(sqlite3.connect(copy)) as target,
            ):
                source.backup(target, progress=waits)
        except sqlite3.Error:  # no database after all, or of a disk that is read only: as it is, with all beside it
            return False
        shutil.copystat(path, copy)
        tar.add(copy, name, recursive=False)
    return True
