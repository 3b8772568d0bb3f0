"""A student's repository -> the files of one commit. The only place that calls git.

Rule 1: git only fetches into a bare mirror of ours, and hands out trees and contents. There is no checkout, so no
        hook, filter, submodule, LFS or fsmonitor of a repository has anything to do; the rest is switched off as well.
Rule 2: an address is an address: one that git would take for an option or a program (`-…`, `ext::…`) is refused.
Rule 3: of a tree only ordinary files are taken, with names that stay inside.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from grader.collect.files import Files
from harness.errors import SetupError, SubmissionError, UsageError

#: Seconds that a fetch may take, and the largest file that it may write.
PATIENCE, MOST_BYTES = 120.0, 512_000_000
_ADDRESS = re.compile(r"(https?|ssh|git|file)://[^-\s]\S*|[A-Za-z0-9_.-]+@[A-Za-z0-9_.][A-Za-z0-9_.-]*:[^-\s]\S*|/\S.*")
_HEAD = "refs/collected/head"
#: What git says last of any repository that it cannot reach; the cause stands above it.
_TAIL = (
    "fatal: Could not read from remote repository.",
    "Please make sure you have the correct access rights",
    "and the repository exists.",
)
_LFS = b"version https://git-lfs.github.com/spec/"

#: git's settings, all of them: neither the machine's, the user's nor a repository's are read.
_SETTINGS = """\
[safe]
    directory = *
    bareRepository = all
[protocol]
    allow = never
[protocol "https"]
    allow = always
[protocol "http"]
    allow = always
[protocol "ssh"]
    allow = always
[protocol "git"]
    allow = always
[protocol "file"]
    allow = always
[core]
    hooksPath = /dev/null
    fsmonitor = false
    attributesFile = /dev/null
    askPass = /bin/false
[submodule]
    recurse = false
[fetch]
    recurseSubmodules = false
[gc]
    auto = 0
[maintenance]
    auto = false
[credential]
    helper =
"""


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

    def __init__(self, path: Path, address: str) -> None:
        self.path, self.address = path, checked(address)

    def fetch(self) -> None:
        """Bring it up to date. Raises SubmissionError (the repository) and SetupError (git)."""
        if not (self.path / "HEAD").exists():
            self.path.mkdir(parents=True, exist_ok=True)
            self._git("init", "--quiet", "--bare", "--template=", str(self.path), place=False)
        words = ["fetch", "--quiet", "--no-tags", "--force", "--no-recurse-submodules", "--no-write-fetch-head"]
        self._git(*words, "--", self.address, f"+HEAD:{_HEAD}")

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
                lines = log.read_text(errors="replace").splitlines()
            except OSError:
                continue
            for line in lines:
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

    def _git(self, *words: str, place: bool = True, given: bytes = b"") -> bytes:
        settings = self.path / "collect.gitconfig"
        settings.write_text(_SETTINGS)
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.path),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": str(settings),
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_PROTOCOL_FROM_USER": "0",
            "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oPermitLocalCommand=no",
            "LC_ALL": "C.UTF-8",
            **{key: os.environ[key] for key in ("SSH_AUTH_SOCK", "HTTPS_PROXY", "https_proxy") if key in os.environ},
        }
        command = ["git", *([f"--git-dir={self.path}"] if place else []), *words]
        try:
            done = subprocess.run(
                command,
                input=given,
                capture_output=True,
                env=environment,
                cwd=self.path,
                check=False,
                timeout=PATIENCE,
                preexec_fn=_limited,
            )
        except FileNotFoundError:
            raise SetupError("the program git is missing. Install it: sudo apt-get install git") from None
        except subprocess.TimeoutExpired:
            raise SubmissionError(f"{self.address} did not answer within {PATIENCE:g} s. Try again.") from None
        if done.returncode != 0:
            raise SubmissionError(f"{self.address} cannot be read: {_cause(done.stderr)}")
        return done.stdout


def _cause(said: bytes) -> str:
    """The line of git's that says why."""
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    causes = [line for line in lines if line not in _TAIL] or lines[:1]
    return causes[-1] if causes else "git says nothing"


def _moment(seconds: str) -> datetime:
    return datetime.fromtimestamp(min(int(seconds), 253_000_000_000), UTC)


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))
