"""A ZIP or tar that somebody sent -> a folder. The only place that opens archives of unknown origin.

Rule 1: nothing is written but below the target, and every entry is a new ordinary file or folder: no link, no device,
        no name twice, none that leads out.
Rule 2: sizes are counted, not believed; a tar is decompressed into a bounded file before anything in it is read.
Rule 3: it unpacks and judges nothing: what comes out is taken in like any other submission (grader/submission.py).
"""

from __future__ import annotations

import bz2
import errno
import lzma
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, BinaryIO, NoReturn, cast

from grader.submission import LEFT_OUT, readable_name
from harness.errors import SubmissionError


@dataclass(frozen=True)
class ArchiveLimits:
    """How much an archive may hold."""

    packed: int = 64_000_000  #: bytes of the archive itself
    unpacked: int = 128_000_000  #: bytes of everything in it, with a tar's own rows
    entries: int = 20_000  #: files and folders, also of what is left out
    deep: int = 40  #: folders inside each other
    memory: int = 128 << 20  #: bytes that a decompressor may use


#: How a compressed tar begins -> what decompresses it, given the memory that it may use.
_COMPRESSIONS: dict[bytes, Callable[[int], Any]] = {
    b"\x1f\x8b": lambda _: zlib.decompressobj(wbits=31),
    b"BZh": lambda _: bz2.BZ2Decompressor(),
    b"\xfd7zXZ\x00": lambda memory: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=memory),
}
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
#: Compressions of a ZIP whose memory is bounded by their format.
_ZIPPED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_PIECE = 1 << 16
#: What a name can bring about; every other error is the machine's.
_OF_THE_NAME = (errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOENT)
#: What a damaged archive makes the system or a decompressor say: a place before its beginning; bz2 gives no number.
_OF_THE_ARCHIVE = (errno.EINVAL, None)
#: What a damaged or hostile archive makes Python's modules raise.
_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    ValueError,
    OverflowError,
    RecursionError,
    NotImplementedError,
    RuntimeError,
)


def unpack(archive: Path, target: Path, limits: ArchiveLimits | None = None) -> None:
    """Unpack an archive to the new folder `target`. Raises SubmissionError; OSError where the machine is at fault."""
    limits = limits or ArchiveLimits()
    target.mkdir(mode=0o755)
    with archive.open("rb") as file, _damage():
        if file.seek(0, 2) > limits.packed:
            raise SubmissionError(f"The archive is larger than {limits.packed / 1e6:g} MB. Send sources, not data.")
        file.seek(0)
        begin = file.read(8)
        file.seek(0)
        unpacker = _Unpacker(target, limits)
        if begin.startswith(_ZIP):
            if _rows_of_zip(file) > limits.entries:
                _too_many(limits)
            unpacker.zip(file)
        else:
            with _decompressed(file, begin, limits) as tar:
                unpacker.tar(tar)


@contextmanager
def _damage() -> Iterator[None]:
    """What is wrong with the archive as a SubmissionError; what the machine lacks stays an OSError."""
    try:
        yield
    except SubmissionError:
        raise
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _OF_THE_ARCHIVE:
            raise
        if isinstance(error, RuntimeError) and "password" in str(error):
            raise SubmissionError("The archive is encrypted. Send it without a password.") from None
        raise SubmissionError(f"The archive is damaged, or is no ZIP or tar ({readable_name(str(error))}).") from None


@contextmanager
def _decompressed(file: BinaryIO, begin: bytes, limits: ArchiveLimits) -> Iterator[BinaryIO]:
    """A tar as it is, bounded: one that claims gigabytes for a name cannot be read beyond its end."""
    make = next((make for magic, make in _COMPRESSIONS.items() if begin.startswith(magic)), None)
    if make is None:
        yield file
        return
    with tempfile.TemporaryFile() as plain:
        engine, left = make(limits.memory), limits.unpacked
        while not engine.eof:
            piece = _next_piece(engine, file)
            left -= len(piece)
            if left < 0:
                _too_large(limits)
            plain.write(piece)
        plain.seek(0)
        yield plain


def _next_piece(engine: Any, file: BinaryIO) -> bytes:
    """Some decompressed bytes, never many at once. Raises EOFError if the archive ends before its compression does."""
    if isinstance(engine, bz2.BZ2Decompressor | lzma.LZMADecompressor):
        data = file.read(_PIECE) if engine.needs_input else b""
        if engine.needs_input and not data:
            raise EOFError("it was cut on the way")
        return engine.decompress(data, _PIECE * 16)
    data = engine.unconsumed_tail or file.read(_PIECE)
    if not data:
        raise EOFError("it was cut on the way")
    return cast(bytes, engine.decompress(data, _PIECE * 16))


class _Unpacker:
    """Writes entries below a folder, and counts."""

    def __init__(self, target: Path, limits: ArchiveLimits) -> None:
        self._target, self._limits = target, limits
        self._left, self._entries = limits.unpacked, 0

    def zip(self, file: BinaryIO) -> None:
        """Unpack a ZIP."""
        with zipfile.ZipFile(file) as opened:
            for row in opened.infolist():
                name = self._name(row.filename)
                kind = stat.S_IFMT(row.external_attr >> 16)
                if row.flag_bits & 0x1:
                    raise SubmissionError("The archive is encrypted. Send it without a password.")
                if row.is_dir():
                    self._folder(name)
                    continue
                if kind not in (0, stat.S_IFREG):
                    self._not_ordinary(row.filename, "a symbolic link" if kind == stat.S_IFLNK else "")
                if row.compress_type not in _ZIPPED:
                    raise SubmissionError(
                        "The ZIP is compressed in a way that is not taken. Use deflate, the usual one."
                    )
                runs = bool(row.external_attr >> 16 & 0o100)
                with opened.open(row) as source:
                    self._file(name, source, runs=runs)

    def tar(self, file: BinaryIO) -> None:
        """Unpack a tar that is not compressed."""
        clipped = cast(BinaryIO, _Clipped(file))
        with tarfile.open(fileobj=clipped, mode="r:", errors="surrogateescape") as opened:
            for row in opened:
                name = self._name(row.name)
                if row.isdir():
                    self._folder(name)
                elif row.isreg() and not row.issparse():
                    source = opened.extractfile(row)
                    assert source is not None  # it is a regular file
                    self._file(name, source, runs=bool(row.mode & 0o100))
                else:
                    self._not_ordinary(row.name, "a link" if row.issym() or row.islnk() else "")

    def _name(self, name: str) -> PurePosixPath:
        """A name that stays below the target; `.` is the target itself."""
        self._entries += 1
        path = PurePosixPath(name)
        if self._entries > self._limits.entries or len(path.parts) > self._limits.deep:
            _too_many(self._limits)
        leads_out = path.is_absolute() or ".." in path.parts or "\\" in name or "\x00" in name
        if leads_out or not name or len(name.encode("utf-8", "surrogateescape")) > 4_000:
            raise SubmissionError(f"The archive has a name that leads out of it, or is none: {readable_name(name)}")
        return path

    def _folder(self, name: PurePosixPath) -> None:
        if not LEFT_OUT.isdisjoint(name.parts):
            return
        with self._naming(name):
            (self._target / name).mkdir(mode=0o755, parents=True, exist_ok=True)

    def _file(self, name: PurePosixPath, source: IO[bytes], *, runs: bool) -> None:
        if not LEFT_OUT.isdisjoint(name.parts):
            return
        path = self._target / name
        with self._naming(name):
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            into = path.open("xb")
        with into:
            while piece := source.read(_PIECE):
                self._left -= len(piece)
                if self._left < 0:
                    _too_large(self._limits)
                into.write(piece)
        path.chmod(0o755 if runs else 0o644)

    @contextmanager
    def _naming(self, name: PurePosixPath) -> Iterator[None]:
        try:
            yield
        except (FileExistsError, NotADirectoryError):
            raise SubmissionError(f"The archive has {readable_name(str(name))} twice.") from None
        except OSError as error:
            if error.errno not in _OF_THE_NAME:
                raise
            raise SubmissionError(f"The archive has a name that no file can have: {readable_name(str(name))}") from None

    @staticmethod
    def _not_ordinary(name: str, kind: str) -> NoReturn:
        what = kind or "not an ordinary file"
        raise SubmissionError(f"{readable_name(name)} is {what}. Send ordinary files and folders only.")


class _Clipped:
    """A file that is never asked for more than it has: a row of a tar may claim a name of gigabytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._size = file, file.seek(0, 2)
        self.seek, self.tell = file.seek, file.tell
        file.seek(0)

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self.tell())
        return self._file.read(left if size < 0 else min(size, left))


def _too_large(limits: ArchiveLimits) -> NoReturn:
    raise SubmissionError(
        f"What is in the archive is larger than {limits.unpacked / 1e6:g} MB. Send sources, not data."
    )


def _too_many(limits: ArchiveLimits) -> NoReturn:
    most, deep = limits.entries, limits.deep
    raise SubmissionError(f"The archive has more than {most:,} files, or {deep} folders inside each other.")


def _rows_of_zip(file: BinaryIO) -> int:
    """How many rows the table of a ZIP can have: zipfile reads all of it before it answers anything."""
    count, end = 0, b""
    while piece := file.read(_PIECE):
        count += (end + piece).count(b"PK\x01\x02")
        end = piece[-3:]
    file.seek(0)
    return count
