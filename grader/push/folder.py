"""The folder that hook and daemon share, and who may do what in it.

    queue/         the queue; the group that receives pushes may write
    answers/       what the hook has to know (rules.json), and an answer for each push, line by line: the daemon writes,
                   that group reads; and the bell (bell.py), which that group may ring
    kept/          mirrors, results, verdicts: the daemon's alone

Without a group one account does everything, and nobody else may do anything.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.push import bell
from grader.push.bell import Bell
from harness.errors import SetupError, UsageError, cause_of

#: Bytes of an answer that are read at most: nobody's terminal is filled.
MOST_ANSWER = 200_000


@dataclass(frozen=True)
class PushFolder:
    """Where it is."""

    path: Path

    @property
    def queue(self) -> Path:
        """The file of the queue."""
        return self.path / "queue" / "queue.sqlite"

    @property
    def kept(self) -> Path:
        """What only the daemon sees."""
        return self.path / "kept"

    @property
    def told(self) -> Path:
        """Where the hook is told everything: its rules, and answers."""
        return self.path / "answers"

    def answer(self, number: int) -> Path:
        """The file with the answer to a push."""
        return self.told / f"{number}.txt"

    @property
    def _lock(self) -> Path:
        return self.told / "daemon.lock"

    @property
    def _bell(self) -> Path:
        return self.told / "bell"

    def ring(self) -> None:
        """Wake the daemon, if there is one: something was put into the queue."""
        bell.ring(self._bell)

    def make(self, group: str = "") -> None:
        """Make it, or mend the rights in it. `group`: the one that receives pushes; "": as it is, or nobody.

        Raises UsageError (no such group), SetupError.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            number = grp.getgrnam(group).gr_gid if group else -1
            queue = self.path / "queue"
            shared = bool(group) or (queue.is_dir() and bool(queue.stat().st_mode & 0o070))
            owner = os.stat(self.path.parent).st_uid if os.getuid() == 0 else -1
            os.chown(self.path, owner, -1)
            modes = {"queue": 0o2770 if shared else 0o700, "answers": 0o2750 if shared else 0o700, "kept": 0o700}
            for name, mode in modes.items():
                folder = self.path / name
                folder.mkdir(exist_ok=True)
                os.chown(folder, owner, number if name != "kept" else -1)
                folder.chmod(mode)
            self.path.chmod(0o755)
            descriptor = os.open(self.queue, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with contextlib.closing(os.fdopen(descriptor, "rb")):
                if os.fstat(descriptor).st_uid in (os.getuid(), owner) or os.getuid() == 0:
                    os.fchown(descriptor, owner, number)
                    os.fchmod(descriptor, 0o660 if shared else 0o600)
        except KeyError:
            raise UsageError(f'there is no group "{group}". Make it: sudo addgroup --system {group}') from None
        except OSError as error:
            why = f"{error.filename or self.path} cannot be used for pushes: {cause_of(error)}"
            raise SetupError(f"{why}. Make it as root, for both accounts: grader hook install --group GROUP") from None

    @contextlib.contextmanager
    def serving(self) -> Iterator[Bell]:
        """Be the one daemon here, and hear the bell. Raises UsageError if there is one."""
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(f"{self.path}: another daemon grades what is pushed here. One is enough.") from None
            os.fchmod(descriptor, 0o640)
            with bell.listening(self._bell, shared=bool(self.told.stat().st_mode & 0o070)) as heard:
                yield heard
        finally:
            os.close(descriptor)

    def is_served(self) -> bool:
        """Whether a daemon is at work. Whoever asks may only read."""
        try:
            descriptor = os.open(self._lock, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False


class Answer:
    """The answer to one push, for the one who writes it: appended line by line."""

    def __init__(self, folder: PushFolder, number: int) -> None:
        self._path = folder.answer(number)

    def add(self, *lines: str) -> None:
        """Append lines, whole. Raises OSError."""
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)

    def over(self) -> None:
        """The queue knows what became of the push: whoever watches may look there. Raises OSError."""
        os.utime(self._path)


class Reader:
    """The same for whoever reads it while it grows."""

    def __init__(self, folder: PushFolder, number: int) -> None:
        self._path, self._at, self._rest = folder.answer(number), 0, b""
        self._changed = 0

    def has_changed(self) -> bool:
        """Whether there are new lines, or the push is over, since the last call."""
        try:
            before, self._changed = self._changed, self._path.stat().st_mtime_ns
        except OSError:
            return False
        return before != self._changed

    def lines(self) -> list[str]:
        """The lines that have come since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                data = file.read(max(0, MOST_ANSWER - self._at))
        except OSError:
            return []
        self._at += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line.decode("utf-8", "replace") for line in lines]
