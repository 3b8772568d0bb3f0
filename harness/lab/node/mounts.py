"""A child in the student node's mount namespace: gives the node fresh folders, seals the build. Part of the warden.

Rule: the child in there calls mount(2) and umount2(2) with paths fixed here and nothing else. It opens no
file, loads no code, and ends when the warden closes its socket.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from harness.lab.node.reply import Refused

CLONE_NEWNS = 0x00020000  # sched.h
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND, MS_REC = (1, 2, 4, 8, 32, 4096, 16384)  # mount(2)
MNT_DETACH = 2  # umount2(2)
#: The folder that lasts from test to test; the submission is copied and built there.
BUILD = "/build"
#: What a node has in common with others, of any student: no check begins with it in sight. Who opens or locks a file of
#: it (inotify(7), flock(2)) would tell whoever looks in another node, at any speed. Agent and build are done with it.
IN_COMMON = ("/lab", "/submission")
#: Seconds the child may take for one command.
MOUNT_WITHIN = 5.0

#: The C library, with the kernel's error kept for `check`.
libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Folder:
    """One folder of the student node, a tmpfs."""

    path: str
    mb: int  #: size limit, MiB
    inodes: int  #: files, folders and links at most
    uid: int  #: who may write there
    mode: str = "0755"

    @property
    def options(self) -> bytes:
        """Mount options for a tmpfs, as mount(2) takes them."""
        return f"size={self.mb}m,nr_inodes={self.inodes},mode={self.mode},uid={self.uid},gid={self.uid}".encode()


def check(result: int, what: str) -> None:
    """Raises Refused if a call of the C library answered that it failed."""
    if result != 0:
        raise Refused("node", f"{what}: {os.strerror(ctypes.get_errno())}")


def renew(folders: Sequence[Folder]) -> None:
    """Replace every folder but /build by an empty one, in the current mount namespace. Raises Refused."""
    for shared in IN_COMMON:
        libc.umount2(shared.encode(), MNT_DETACH)  # which fails where it is gone already
    for folder in folders:
        if folder.path != BUILD:
            path = folder.path.encode()
            check(libc.umount2(path, MNT_DETACH), f"unmounting {folder.path}")
            flags = MS_NOSUID | MS_NODEV
            check(libc.mount(b"tmpfs", path, b"tmpfs", flags, folder.options), f"mounting {folder.path}")


def seal() -> None:
    """Make /build read-only. Raises Refused."""
    flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV
    check(libc.mount(None, BUILD.encode(), None, flags, None), f"making {BUILD} read-only")


def guard() -> None:
    """Mount /proc over itself read-only: no program can change its oom_score_adj. Raises Refused."""
    check(libc.mount(b"/proc", b"/proc", None, MS_BIND | MS_REC, None), "covering /proc")
    flags = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
    check(libc.mount(None, b"/proc", None, flags, None), "making /proc read-only")


class MountChild:
    """The child, seen from the warden. Raises Refused."""

    def __init__(self, pid: int, folders: Sequence[Folder]) -> None:
        """Enter the mount namespace of process `pid`."""
        self._mine, theirs = socket.socketpair()
        self._mine.settimeout(MOUNT_WITHIN)
        self._child = os.fork()
        if self._child == 0:
            _serve(pid, folders, theirs)
        theirs.close()
        try:
            self._hear("entering the student node")
        except Refused:
            self.close()
            raise

    def tell(self, word: str) -> None:
        """Run a command: "guard", "fresh" or "seal"."""
        self._mine.sendall(word.encode())
        self._hear(word)

    def _hear(self, what: str) -> None:
        try:
            said = self._mine.recv(4096)
        except TimeoutError:
            raise Refused("node", f"{what}: no answer within {MOUNT_WITHIN:g} s") from None
        if said != b"+":
            raise Refused("node", said.decode() or f"{what}: the child that mounts died")

    def close(self) -> None:
        """Let the child end."""
        self._mine.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child, 9)
        os.waitpid(self._child, 0)


def _serve(pid: int, folders: Sequence[Folder], asked: socket.socket) -> None:
    """The child: never returns."""
    try:
        channel = os.dup2(asked.fileno(), 0)  # no other descriptor of the warden's goes along
        os.closerange(1, 4096)
        said = b"+"
        try:
            namespace = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
            check(libc.setns(namespace, CLONE_NEWNS), "entering the student node")
            os.close(namespace)
        except OSError as error:
            said = f"/proc/{pid}/ns/mnt: {error.strerror}".encode()
        except Refused as error:
            said = str(error).encode()
        while True:
            os.write(channel, said)
            word = os.read(channel, 64)
            if not word:
                break
            said = b"+"
            try:
                if word == b"guard":
                    guard()
                elif word == b"seal":
                    seal()
                else:
                    renew(folders)
            except Refused as error:
                said = str(error).encode()
    finally:
        os._exit(0)
