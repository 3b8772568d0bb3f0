"""A folder that a student handed in -> a safe copy of it, and its hash. The only place that walks a student's files.

Rule 1: every name is opened relative to its folder's descriptor and without following links, so nothing outside is
        read, not even when the tree changes under our feet.
Rule 2: the copy holds ordinary folders and files and nothing else, readable by everyone (0755, 0644).
Rule 3: names are bytes of the student's choice: decoded with surrogateescape, compared and hashed as bytes.
"""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import stat
import tempfile
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import SubmissionError
from harness.text.printable import SPACES, printable


@dataclass(frozen=True)
class SubmissionLimits:
    """How much a submission may hold."""

    files: int = 1_000  #: files and folders
    depth: int = 12  #: folders inside each other
    bytes: int = 32_000_000  #: all files together


@dataclass(frozen=True)
class Submission:
    """A copy that is safe to hand to a lab."""

    student: str  #: the folder's name, bytes that are not UTF-8 as surrogates
    assignment: str
    path: Path  #: of the copy
    hash: str  #: sha256 of names, execute bits and contents, hex
    files: int = 0
    size: int = 0  #: bytes of all files together
    notes: tuple[str, ...] = ()  #: what is odd but not a reason to refuse


#: Left out: not the student's work, or able to run code when something looks at it (repositories, stale bytecode).
LEFT_OUT = frozenset(
    {
        ".git",
        ".hg",
        ".svn",
        ".venv",
        "venv",
        "node_modules",
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".idea",
        ".vscode",
        ".DS_Store",
        "Thumbs.db",
        "__MACOSX",
    }
)
_LEFT_OUT_SUFFIXES = (".pyc", ".pyo")
#: nbgrader's, beside what was handed in: when that was. No part of it.
STAMP = "timestamp.txt"
#: A folder with this file in it is a virtual environment, whatever it is called (PEP 405).
_VENV_MARK = "pyvenv.cfg"
#: Folders in which a whole submission may be wrapped: what a ZIP adds, and a second one.
_MOST_WRAPPERS = 2

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

#: What else a tree can bring about; every other error is the machine's.
_OF_THE_TREE = (errno.EISDIR, errno.ENXIO, errno.ENODEV, errno.EINVAL, errno.EILSEQ)
_KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def take_submission(
    source: Path,
    target: Path,
    *,
    student: str,
    assignment: str,
    caps: SubmissionLimits | None = None,
    unwrap: bool = True,
) -> Submission:
    """Copy the folder `source` to the new folder `target`. Raises SubmissionError; the copy is then incomplete.

    `unwrap`: take off a folder around everything; a copy of a copy has none any more. Its hash is the same.
    """
    copier = _Copier(caps or SubmissionLimits())
    target.mkdir(mode=0o755, parents=True)
    target.chmod(0o755)
    try:
        root = os.open(source, _FOLDER)
    except OSError as error:
        raise SubmissionError(_why_not_opened(error, "the folder of the submission", is_folder=True)) from None
    try:
        root = copier.unwrapped(root) if unwrap else root
        into = os.open(target, _FOLDER)
        try:
            copier.folder(root, into, ())
        finally:
            os.close(into)
    finally:
        os.close(root)
    if not copier.files:
        raise SubmissionError(f"The folder is empty: no file was handed in.{copier.left_out_clause()}")
    return Submission(
        student=student,
        assignment=assignment,
        path=target,
        hash=copier.digest.hexdigest(),
        files=copier.files,
        size=copier.size,
        notes=tuple(copier.all_notes()),
    )


def hash_of(source: Path) -> str:
    """The hash that a copy of the folder has. Raises SubmissionError where none can be taken."""
    with tempfile.TemporaryDirectory(prefix="hash-") as work:
        return take_submission(source, Path(work) / "copy", student="", assignment="").hash


def readable_name(name: str) -> str:
    r"""A file name for a message: bytes that are not UTF-8 and control characters as escapes, long ones cut.

    >>> readable_name("caf\udce9.py")
    'caf\\xe9.py'
    """
    shown = printable(name, keep=SPACES)
    return shown if len(shown) <= 200 else f"{shown[:200]}…"


@dataclass
class _Copier:
    """Walks one submission, depth first, in the order of the names' bytes, so that equal trees hash alike."""

    caps: SubmissionLimits
    files: int = 0
    entries: int = 0
    size: int = 0
    notes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.digest = hashlib.sha256()

    def unwrapped(self, root: int) -> int:
        """The folder that holds the work: a folder with nothing but one folder in it is taken for its wrapping.

        Takes over the descriptor, and answers one.
        """
        for _ in range(_MOST_WRAPPERS):
            names = [name for name in self._names(root, ()) if name != STAMP and not _is_left_out(root, name)]
            if len(names) != 1 or not stat.S_ISDIR(os.stat(names[0], dir_fd=root, follow_symlinks=False).st_mode):
                break
            try:
                inner = os.open(names[0], _FOLDER, dir_fd=root)
            except OSError as error:
                raise SubmissionError(_why_not_opened(error, readable_name(names[0]), is_folder=True)) from None
            self.notes.append(f"everything was inside the folder {readable_name(names[0])}/, which was taken off")
            os.close(root)
            root = inner
        return root

    def folder(self, source: int, target: int, path: tuple[str, ...]) -> None:
        """Copy what the folder open at `source` holds into the one open at `target`."""
        if len(path) > self.caps.depth:
            raise SubmissionError(f"{_shown(path)}: folders are nested deeper than {self.caps.depth}. Hand in fewer.")
        names = sorted(self._names(source, path), key=os.fsencode)
        self._note_clashes(names, path)
        for name in names:
            here = (*path, name)
            if here == (STAMP,):
                continue
            if _is_left_out(source, name):
                self.left_out.append(_shown(here))
                continue
            self.entries += 1
            if self.entries > self.caps.files:
                raise SubmissionError(f"More than {self.caps.files:,} files and folders. Hand in your program only.")
            self._note_name(name, here)
            self._entry(source, target, name, here)

    def _names(self, source: int, path: tuple[str, ...]) -> Iterator[str]:
        """Names in a folder, no more of them than can be allowed."""
        try:
            with os.scandir(source) as entries:
                for count, entry in enumerate(entries):
                    if count > 2 * self.caps.files:
                        break
                    yield entry.name
        except OSError as error:
            raise SubmissionError(_why_not_opened(error, _shown(path), is_folder=True)) from None

    def _entry(self, source: int, target: int, name: str, path: tuple[str, ...]) -> None:
        try:
            mode = os.stat(name, dir_fd=source, follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                self._subfolder(source, target, name, path)
            elif stat.S_ISREG(mode):
                self._file(source, target, name, path)
            elif stat.S_ISLNK(mode):
                to = readable_name(os.readlink(name, dir_fd=source))
                raise SubmissionError(
                    f"{_shown(path)} is a symbolic link (to {to}). Hand in the file itself: links are not followed."
                )
            else:
                kind = _KINDS.get(stat.S_IFMT(mode), "not an ordinary file")
                raise SubmissionError(f"{_shown(path)} is {kind}. Hand in ordinary files and folders only.")
        except OSError as error:
            raise SubmissionError(_why_not_opened(error, _shown(path))) from None

    def _subfolder(self, source: int, target: int, name: str, path: tuple[str, ...]) -> None:
        inner = os.open(name, _FOLDER, dir_fd=source)
        try:
            os.mkdir(name, 0o755, dir_fd=target)
            into = os.open(name, _FOLDER, dir_fd=target)
            try:
                os.fchmod(into, 0o755)
                self._hash(b"folder", path, b"")
                self.folder(inner, into, path)
            finally:
                os.close(into)
        finally:
            os.close(inner)

    def _file(self, source: int, target: int, name: str, path: tuple[str, ...]) -> None:
        inner = os.open(name, _FILE, dir_fd=source)
        try:
            status = os.fstat(inner)
            if not stat.S_ISREG(status.st_mode):
                raise SubmissionError(f"{_shown(path)} is not an ordinary file.")
            if not status.st_mode & 0o444:
                # Someone who grades as root could read it anyway; the verdict must not depend on who grades.
                raise SubmissionError(f"{_shown(path)} cannot be read by anyone. Make it readable: chmod u+r.")
            if status.st_nlink > 1:
                self.notes.append(f"{_shown(path)} is a hard link ({status.st_nlink} names for one file)")
            runs = bool(status.st_mode & 0o100)
            into = os.open(name, _NEW, 0o600, dir_fd=target)
            try:
                self._contents(inner, into, path, runs)
                os.fchmod(into, 0o755 if runs else 0o644)
                # `make` compares times: a stale binary has to look as stale here as at home.
                os.utime(into, ns=(status.st_mtime_ns, status.st_mtime_ns))
            finally:
                os.close(into)
        finally:
            os.close(inner)
        self.files += 1

    def _contents(self, inner: int, into: int, path: tuple[str, ...], runs: bool) -> None:
        """Copy the bytes and hash them; the size is counted, not believed."""
        content = hashlib.sha256()
        if os.fstat(inner).st_size > self.caps.bytes:
            self._too_large(path)
        for chunk in self._unix_lines(self._counted(inner, path), path):
            content.update(chunk)  # as it is in the copy, so that a copy of the copy has the same hash
            view = memoryview(chunk)
            while view:
                view = view[os.write(into, view) :]
        self._hash(b"program" if runs else b"file", path, content.digest())

    def _counted(self, inner: int, path: tuple[str, ...]) -> Iterator[bytes]:
        while chunk := os.read(inner, 1 << 20):
            self.size += len(chunk)
            if self.size > self.caps.bytes:
                self._too_large(path)
            yield chunk

    def _unix_lines(self, chunks: Iterator[bytes], path: tuple[str, ...]) -> Iterator[bytes]:
        r"""The bytes; those of a script whose first line ends in \r\n, which Linux would not start, without each \r."""
        first = next(chunks, b"")
        if not first.startswith(b"#!") or not first.partition(b"\n")[0].endswith(b"\r"):
            yield first
            yield from chunks
            return
        self.notes.append(f"{_shown(path)} is a script with the line ends of Windows; it was run with those of Linux")
        held = b""
        for chunk in itertools.chain([first], chunks):
            whole = held + chunk
            held = b"\r" if whole.endswith(b"\r") else b""
            yield whole.removesuffix(held).replace(b"\r\n", b"\n")
        yield held

    def _too_large(self, path: tuple[str, ...]) -> None:
        raise SubmissionError(
            f"The files are larger than {self.caps.bytes / 1e6:g} MB together (reached at {_shown(path)})."
            " Hand in sources, not data."
        )

    def _hash(self, kind: bytes, path: tuple[str, ...], content: bytes) -> None:
        name = os.fsencode("/".join(path))
        self.digest.update(b"%s %d %s %s\n" % (kind, len(name), name, content.hex().encode()))

    def _note_name(self, name: str, path: tuple[str, ...]) -> None:
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            self.notes.append(f"the name {_shown(path)} is not UTF-8")
        else:
            if readable_name(name) != name[:200]:
                self.notes.append(f"the name {_shown(path)} has invisible characters")

    def _note_clashes(self, names: list[str], path: tuple[str, ...]) -> None:
        seen: dict[str, str] = {}
        for name in names:
            key = unicodedata.normalize("NFC", name).casefold()
            if key in seen:
                one, other = _shown((*path, seen[key])), _shown((*path, name))
                self.notes.append(f"{one} and {other} are one file on systems that ignore case")
            seen[key] = name

    def left_out_clause(self) -> str:
        return f" Left out: {', '.join(self.left_out[:5])}." if self.left_out else ""

    def all_notes(self) -> list[str]:
        """The notes, the left-out names as one of them; at most 20."""
        more = [f"left out: {', '.join(self.left_out[:10])}{' …' if len(self.left_out) > 10 else ''}"]
        notes = self.notes + (more if self.left_out else [])
        return notes if len(notes) <= 20 else [*notes[:20], f"{len(notes) - 20} more such notes"]


def _is_left_out(folder: int, name: str) -> bool:
    """Whether a name in an open folder is nothing that was handed in to be graded."""
    if name in LEFT_OUT or name.startswith("._") or name.endswith(_LEFT_OUT_SUFFIXES):
        return True
    try:
        inside = os.open(name, _FOLDER, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENAMETOOLONG):
            return False
        raise
    try:
        return stat.S_ISREG(os.stat(_VENV_MARK, dir_fd=inside, follow_symlinks=False).st_mode)
    except OSError:
        return False
    finally:
        os.close(inside)


def _shown(path: tuple[str, ...]) -> str:
    return readable_name("/".join(path)) if path else "the folder of the submission"


def _why_not_opened(error: OSError, what: str, *, is_folder: bool = False) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{what} cannot be read by the grader. Make it readable: chmod u+r{'x' if is_folder else ''}."
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return f"{what} is not a real folder (a link, or a file)." if is_folder else f"{what} is a symbolic link."
    if error.errno == errno.ENOENT:
        return f"{what} does not exist."
    if error.errno == errno.ENAMETOOLONG:
        return f"{what}: the name is too long."
    if error.errno == errno.EEXIST:
        return f"{what}: another file has the same name on this system, which ignores case."
    if error.errno in _OF_THE_TREE:
        return f"{what} cannot be read ({os.strerror(error.errno or errno.EIO)})."
    raise error  # a full disk, no descriptor or memory left: ours or the machine's
