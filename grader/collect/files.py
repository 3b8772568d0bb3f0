"""Files of one submission, out of a commit or a class's ZIP -> a folder.

Rule 1: names stay inside: no absolute one, no `..`, no drive, no `.git`; what is not taken is said.
Rule 2: nothing is written before everything has been read, within the limits; then into a new folder, each file new.
Rule 3: an archive that is all that was handed in is unpacked by grader/archive.py.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from grader.archive import unpack
from grader.submission import SubmissionLimits, readable_name
from harness.errors import SubmissionError

#: What HFS+ leaves out of a name (git's fsck knows them as well): `.g\u200cit` is `.git` there. `git~1` is on NTFS.
_IGNORED = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


@dataclass
class Files:
    """Files of one submission, in memory, within its limits. Raises SubmissionError past them."""

    limits: SubmissionLimits = field(default_factory=SubmissionLimits)
    contents: dict[str, tuple[bytes, bool]] = field(default_factory=dict)  #: name -> (bytes, whether it may be run)
    notes: list[str] = field(default_factory=list)
    _announced: int = 0  # bytes
    _named: int = 0

    def expects(self, name: str, size: int) -> bool:
        """Whether a file of that name is taken; its size is counted before it is read."""
        if (why := refused(name)) is not None:
            self.notes.append(f"{readable_name(name)} {why}, and was left out")
            return False
        self._announced += size
        self._named += 1
        if self._named > self.limits.files:
            raise SubmissionError(f"more than {self.limits.files:,} files")
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

    def keep_within(self, folder: str) -> None:
        """Where there is such a folder, only what is in it: a repository may hold all assignments."""
        inside = {name: one for name, one in self.contents.items() if name.startswith(f"{folder}/")}
        if inside:
            self.contents = {name.removeprefix(f"{folder}/"): one for name, one in inside.items()}

    def write(self, folder: Path) -> None:
        """Into a new folder; one archive that is all there is, unpacked. Raises SubmissionError."""
        names = list(self.contents)
        if len(names) == 1 and names[0].lower().endswith(_ARCHIVES):
            return self._unpack(names[0], folder)
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
        return None

    def _unpack(self, name: str, folder: Path) -> None:
        packed = folder.with_name(f"{folder.name}.packed")
        packed.write_bytes(self.contents[name][0])
        try:
            unpack(packed, folder)
        finally:
            packed.unlink()


def refused(name: str) -> str | None:
    """Why a file of that name is not taken; None if it is."""
    parts = name.split("/")
    if name.startswith("/") or "\\" in name or re.match(r"[A-Za-z]:", name) or "\0" in name:
        return "has a name that leads elsewhere"
    if any(part in ("", ".", "..") for part in parts):
        return "has a name that leads elsewhere"
    if any(_IGNORED.sub("", part).casefold().rstrip(". ") in (".git", "git~1") for part in parts):
        return "belongs to a repository"
    if len(parts) > SubmissionLimits.depth or any(len(os.fsencode(part)) > 255 for part in parts):
        return "has a name that is too long"
    return None
