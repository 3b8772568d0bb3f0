"""A student's repository -> the files of one commit.

Rule 1: git (grader/git.py) only fetches into a bare mirror of ours, and hands out trees and contents. There is no
        checkout, so no hook, filter, submodule, LFS or fsmonitor of a repository has anything to do.
Rule 2: an address is an address: one that git would take for an option or a program (`-…`, `ext::…`) is refused.
Rule 3: of a tree only ordinary files are taken, with names that stay inside.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from grader.collect.files import Files
from grader.git import GitError, GitTimeout, git
from harness.errors import SubmissionError, UsageError

#: Seconds that a fetch may take.
PATIENCE = 120.0
_ADDRESS = re.compile(r"(https?|ssh|git|file)://[^-\s]\S*|[A-Za-z0-9_.-]+@[A-Za-z0-9_.][A-Za-z0-9_.-]*:[^-\s]\S*|/\S.*")
#: Bytes of the log of a branch that are read, from its end.
_MOST_LOG = 20_000_000
_HEAD = "refs/collected/head"
_LFS = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True)
class Commit:
    """One commit of the student's branch."""

    name: str  #: hash
    moment: datetime  #: aware
    clock: str  #: "server": when it was received; "commit": what the commit itself says, which its author can set


def checked(address: str) -> str:
    """The address of a repository. Raises UsageError."""
    if not _ADDRESS.fullmatch(address) or "::" in address.partition("://")[0] or "\n" in address:
        raise UsageError(
            f"{address!r} is not the address of a repository: https://…, ssh://…, user@host:path, or an absolute path."
        )
    return address


class Mirror:
    """A bare repository of ours, for one student's."""

    def __init__(self, path: Path, address: str, header: tuple[str, str] | None = None) -> None:
        """`header`: a secret for the address, as grader.git.git takes it."""
        self.path, self.address, self._header = path, checked(address), header

    def fetch(self, ref: str = "HEAD") -> None:
        """Bring it up to date with a branch. Raises SubmissionError (the repository) and SetupError (git)."""
        self._make()
        words = ["fetch", "--quiet", "--no-tags", "--force", "--no-recurse-submodules", "--no-write-fetch-head"]
        self._git(*words, "--", self.address, f"+{ref}:{_HEAD}")

    def tip(self, ref: str) -> str | None:
        """The commit that a branch of the repository is at now; None if there is none. Raises as `fetch`."""
        self._make()
        said = self._git("ls-remote", "--quiet", "--", self.address, ref).decode("utf-8", "replace")
        found = [line.split("\t") for line in said.splitlines()]
        return next((row[0] for row in found if len(row) == 2 and row[1] == ref), None)

    def _make(self) -> None:
        if not (self.path / "HEAD").exists():
            self.path.mkdir(parents=True, exist_ok=True)
            self._git("init", "--quiet", "--bare", "--template=")

    def has(self, commit: str) -> bool:
        """Whether a commit, by its hash, has been fetched."""
        if not (self.path / "HEAD").exists():
            return False
        try:
            return self._git("cat-file", "-t", commit).strip() == b"commit"
        except SubmissionError:
            return False

    def last(self, until: datetime | None) -> Commit | None:
        """The last commit until a moment, on the branch that the repository shows; None if there is none."""
        received = self._received()
        for commit in self._commits():
            moment, clock = (received[commit.name], "server") if commit.name in received else (commit.moment, "commit")
            if until is None or moment <= until:
                return Commit(commit.name, moment, clock)
        return None

    def _commits(self) -> list[Commit]:
        text = self._git("log", "--first-parent", "--max-count=20000", "--format=%H %ct", _HEAD, "--").decode("ascii")
        rows = [line.split() for line in text.splitlines()]
        return [Commit(name, _moment(seconds), "commit") for name, seconds in rows]

    def _received(self) -> dict[str, datetime]:
        """When the server received what: known where its repository is here and keeps a log of its branches.

        A commit came at the latest with the push that brought one of its descendants, so each commit has the time of
        the first push that held it. The log is read as text: git is not started in a folder of others.
        """
        if not self.address.startswith(("/", "file:///")):
            return {}
        here = Path(self.address.removeprefix("file://"))
        pushes: list[tuple[str, datetime]] = []
        for log in (here / "logs" / "HEAD", here / ".git" / "logs" / "HEAD"):
            try:
                text = _ordinary(log)
            except OSError:
                continue
            for line in text.splitlines():
                if found := re.match(r"[0-9a-f]{40,64} ([0-9a-f]{40,64}) .*> (\d+) [+-]\d{4}(?:\t|$)", line):
                    pushes.append((found[1], _moment(found[2])))
        known: dict[str, datetime] = {}
        for tip, moment in sorted(pushes, key=lambda push: push[1]):
            try:
                names = self._git("rev-list", "--first-parent", "--max-count=20000", tip, "--").decode("ascii").split()
            except SubmissionError:
                continue  # was pushed away
            for name in names:
                if name in known:
                    break
                known[name] = moment
        return known

    def files(self, commit: str) -> Files:
        """The files of a commit. Raises SubmissionError."""
        files = Files()
        wanted: list[tuple[str, str, bool]] = []
        listing = self._git("ls-tree", "-r", "-z", "--full-tree", "--long", commit, "--")
        for row in filter(None, listing.split(b"\0")):
            about, _, raw = row.partition(b"\t")
            mode, kind, name, size = about.split()
            path = os.fsdecode(raw)
            if mode == b"120000":
                files.notes.append(f"{path} is a symbolic link, and was left out")
            elif kind == b"commit":
                files.notes.append(f"{path} is a submodule, and was left out")
            elif kind == b"blob" and files.expects(path, int(size)):
                wanted.append((path, name.decode("ascii"), mode == b"100755"))
        for (path, _, runs), content in zip(wanted, self._contents([name for _, name, _ in wanted]), strict=True):
            if content.startswith(_LFS):
                files.notes.append(f"{path} is in Git LFS: only its pointer was taken")
            files.add(path, content, runs=runs)
        return files

    def _contents(self, names: Sequence[str]) -> list[bytes]:
        said = self._git("cat-file", "--batch", given="".join(f"{name}\n" for name in names).encode("ascii"))
        found, at = [], 0
        for name in names:
            end = said.index(b"\n", at)
            about = said[at:end].split()
            if len(about) != 3:
                raise SubmissionError(f"{self.address}: {name} is missing in the repository. Push it again.")
            size = int(about[2])
            found.append(said[end + 1 : end + 1 + size])
            at = end + size + 2
        return found

    def _git(self, *words: str, given: bytes = b"") -> bytes:
        try:
            return git(*words, repository=self.path, given=given, patience=PATIENCE, header=self._header)
        except GitTimeout:
            raise SubmissionError(f"{self.address} did not answer within {PATIENCE:g} s. Try again.") from None
        except GitError as error:
            raise SubmissionError(f"{self.address} cannot be read: {error}") from None


def _ordinary(file: Path) -> str:
    """The end of a file of somebody else's. Raises OSError: a pipe, of which nobody knows when it ends, is none."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as opened:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "not an ordinary file", str(file))
        opened.seek(max(0, about.st_size - _MOST_LOG))
        return opened.read(_MOST_LOG).decode("utf-8", "replace")


def _moment(seconds: str) -> datetime:
    return datetime.fromtimestamp(min(int(seconds), 253_000_000_000), UTC)
