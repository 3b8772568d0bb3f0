"""The ordinary user that student programs run as when the local lab itself runs as root.

Linux only, and the only place that changes user.

Root is exempt from the limit on processes, so a program that forks for ever can only be stopped if it is not root.
Each lab takes a user id of its own, so that its processes can be counted, limited and ended together.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.errors import cause_of
from harness.lab.interface import LabError

#: User ids that no system gives to anybody (systemd's UIDS-GIDS: 60578 to 61183), in blocks.
FIRST_UID, BLOCK, BLOCKS = 60592, 16, 37
#: Where ids are locked. Not in TMPDIR: two graders that have each a TMPDIR of its own would share ids all the same, and
#: end each other's programs.
LOCKS = Path("/run/lock/socketlab-users")


class OrdinaryUser:
    """A user id held by a lock until `release`. The group id is the same number."""

    def __init__(self) -> None:
        import fcntl

        folder = LOCKS
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LabError(f"{folder}, where user ids are locked, cannot be made: {cause_of(error)}") from None
        if folder.stat().st_uid != 0 or folder.is_symlink():
            raise LabError(f"{folder} is not root's: remove it and start again")
        for uid in _in_order(_mounts()):
            lock = os.open(folder / str(uid), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(lock)
                continue
            self.uid = uid
            self._lock = lock
            self.end_all()  # left by a lab that was killed before it could do so itself
            return
        raise LabError(f"all {BLOCK * BLOCKS} user ids for local labs are in use: run fewer workers")

    def end_all(self) -> None:
        """Kill every process of this user at once; the kernel leaves no gap for a fork to escape."""
        self.in_child(lambda: os.kill(-1, signal.SIGKILL))

    def in_child(self, action: Callable[[], object]) -> int:
        """Run `action` as this user in a forked child; its exit status, 0 if it returned. Raises LabError."""
        try:
            child = os.fork()
        except OSError as error:
            raise LabError(f"the ordinary user of the lab cannot act: {cause_of(error)}") from None
        if child == 0:
            try:
                os.setgroups([])
                os.setresgid(self.uid, self.uid, self.uid)
                os.setresuid(self.uid, self.uid, self.uid)
                action()
                os._exit(0)
            except BaseException:
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def can_execute(self, path: str) -> bool:
        """Whether this user can reach and start that program."""

        def check() -> None:
            if not os.access(path, os.X_OK, effective_ids=True):
                raise PermissionError(path)

        return self.in_child(check) == 0

    def can_reach(self, folder: Path) -> bool:
        """Whether this user can go there."""
        return self.in_child(lambda: os.chdir(folder)) == 0

    def release(self) -> None:
        """Give the user id back."""
        try:
            self.end_all()
        finally:
            os.close(self._lock)


def _mounts() -> int:
    """Which mount namespace this is: containers of one host have one each, and so a folder of locks each."""
    return os.stat("/proc/self/ns/mnt").st_ino


def _in_order(mounts: int) -> Iterator[int]:
    """All user ids, beginning with another block in each mount namespace.

    The kernel counts a user's processes over all containers of a host: who shares an id shares the limit on them.
    """
    first = mounts % BLOCKS * BLOCK
    return (FIRST_UID + (first + step) % (BLOCK * BLOCKS) for step in range(BLOCK * BLOCKS))


def ordinary_user() -> OrdinaryUser | None:
    """A user to run programs as: None if the lab is not root, or the system cannot do that."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return None
    return OrdinaryUser()
