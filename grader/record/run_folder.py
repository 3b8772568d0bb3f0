"""RUN: a folder with a journal, the course's secret, and a folder of results per submission.

Rule 1: one grader at a time writes into a run, held by a lock on the folder.
Rule 2: a result is written whole beside the one before it, then takes its place by rename, then the journal's line
        follows: a disk that is full at any of these leaves the earlier result as it was.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grader.job.grading import Graded
from grader.record.journal import Journal, write_file
from grader.reports.html import index_page, instructor_page, student_page
from grader.submission import readable_name
from harness.errors import SetupError, UsageError, cause_of

_MINE = ("campaign.json", "journal.jsonl", "index.html")
#: Beside result.json: the result of a later grading that broke through our fault.
BROKEN = "broken.json"
#: What takes a result's place, in this order.
_PARTS = ("captures", "report.html", "student.html", "result.json")
#: Bytes that have to be free before a submission is graded: its result would have nowhere to go.
LEAST_FREE = 4_000_000


@contextlib.contextmanager
def _usable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SetupError(f"{path} cannot be used for results: {cause_of(error)}. Or give another folder.") from None


class RunFolder:
    """An open run. Use as a context manager. Raises UsageError when it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self.path = path = path.absolute()  # testers start in other folders
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{path} cannot be made: {error.strerror}. Give another folder as --out.") from None
        self.work = path / ".work"
        with _usable(path):
            if not (path / "campaign.json").exists() and any(not name.startswith(".") for name in os.listdir(path)):
                raise UsageError(f"{path} holds other files. Give a new or an empty folder, or that of an earlier run.")
            self.check_room()
            self._lock = os.open(path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise UsageError(f"{path} is in use by another grader. Wait for it, or give another folder.") from None
        try:
            with _usable(path):
                self.journal = Journal(path / "journal.jsonl")
                shutil.rmtree(self.work, ignore_errors=True)
                self.work.mkdir(mode=0o755)
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        os.close(self._lock)

    def secret(self, given: str | None) -> bytes:
        """The course's secret: the given one, else the one of this run, made once and readable by the owner only."""
        file = self.path / "campaign.json"
        with _usable(self.path):
            return self._secret(file, given)

    @staticmethod
    def _secret(file: Path, given: str | None) -> bytes:
        try:
            kept = json.loads(file.read_bytes())
            if not isinstance(kept, dict) or not isinstance(kept.get("secret"), str):
                raise ValueError
        except FileNotFoundError:
            kept = {"schema": 1, "secret": secrets.token_hex(32)}
            write_file(file, json.dumps(kept).encode() + b"\n", mode=0o600)
        except ValueError:
            raise SetupError(f"{file} is damaged, so results could not be told apart. Give a new folder.") from None
        return given.encode("utf-8", "surrogateescape") if given else bytes.fromhex(kept["secret"])

    def folder(self, student: str, assignment: str) -> Path:
        """Where a submission's results are."""
        return self.path / student / assignment

    def finished(self, student: str, assignment: str, identity: str, *, again: bool = False) -> dict[str, Any] | None:
        """The result of a job that has already run, None if it still has to.

        What the grader itself broke runs again; what waits for a person runs again only with `again`.
        """
        row = self.journal.finished().get((student, assignment))
        if row is None or row["identity"] != identity or row.get("state") == "ours":
            return None
        if again and row.get("state") == "undecided":
            return None
        result = self.load(student, assignment)
        return result if result is not None and result.get("identity") == identity else None

    def load(self, student: str, assignment: str) -> dict[str, Any] | None:
        """A saved result, None if it is not there or damaged."""
        try:
            data = json.loads((self.folder(student, assignment) / "result.json").read_bytes())
        except (OSError, ValueError):
            return None
        return data if isinstance(data, dict) else None

    def save(self, graded: Graded) -> None:
        """Put a result in its place. One that broke through our fault replaces no other: it goes beside it."""
        result = graded.result
        folder = self.folder(result["student"], result["assignment"])
        folder.mkdir(parents=True, exist_ok=True)
        self._replace(folder, graded)

    def _replace(self, folder: Path, graded: Graded) -> None:
        result = graded.result
        text = json.dumps(result, ensure_ascii=True, indent=1, allow_nan=False).encode("ascii") + b"\n"
        earlier = self.load(result["student"], result["assignment"])
        if result["state"] == "ours" and earlier is not None and earlier.get("state") != "ours":
            write_file(folder / BROKEN, text)
            return
        new = folder / ".new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        try:
            for name, data in graded.captures.items():
                (new / name).parent.mkdir(parents=True, exist_ok=True)
                write_file(new / name, data)
            write_file(new / "report.html", instructor_page(result).encode("utf-8"))
            write_file(new / "student.html", student_page(result).encode("utf-8"))
            write_file(new / "result.json", text)
            (folder / BROKEN).unlink(missing_ok=True)
            shutil.rmtree(folder / "captures", ignore_errors=True)
            for part in _PARTS:
                if (new / part).exists():
                    os.replace(new / part, folder / part)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        seconds = sum(row["seconds"] for row in result["phases"] if row["name"] == "total")
        keys = ("student", "assignment", "identity", "state", "points", "possible", "undecided", "graded_at")
        self.journal.add({**{key: result[key] for key in keys}, "seconds": seconds})

    def check_room(self) -> None:
        """Raises OSError if the disk has no room for another result."""
        if shutil.disk_usage(self.path).free < LEAST_FREE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def results(self) -> list[dict[str, Any]]:
        """Every result of this run, by student and assignment."""
        rows = [self.load(student, assignment) for student, assignment in sorted(self.journal.finished())]
        return [row for row in rows if row is not None]

    def broken(self) -> list[str]:
        """Whose result stands although a later grading broke through our fault, a sentence each."""
        found = []
        for student, assignment in sorted(self.journal.finished()):
            with contextlib.suppress(OSError, ValueError, KeyError):
                why = json.loads((self.folder(student, assignment) / BROKEN).read_bytes())
                name = f"{readable_name(student)}/{assignment}"
                found.append(f"{name}: grading it again broke ({why['graded_at']}); the result before it stands.")
        return found

    def write_index(self, remarks: list[str], *, left: int = 0, going: bool = False) -> Path:
        """The class as a page. `left`: submissions without a result yet; `going`: the run has not stopped."""
        path = self.path / "index.html"
        page = index_page(self.results(), [*remarks, *self.broken()], left=left, going=going)
        write_file(path, page.encode("utf-8"))
        return path
