"""Children of the agent that become the student: programs, and helpers that touch the student's files.

Rule: whatever looks at a student's path does it with the student's rights, never with root's.
It runs in the student node (see harness/lab/node/agent.py): standard library only, Linux only.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import select
import signal
import struct
import time
from collections.abc import Callable, Sequence

from harness.lab.node.packing import pack_tree
from harness.lab.node.reply import Refused
from harness.lab.node.seccomp import close_what_nobody_needs

#: The ordinary user of every program of the submission, which no other node has: the kernel counts pipes, locks and
#: inotify instances by user, over all containers. The recipe of the node says which.
STUDENT = int(os.environ.get("STUDENT_UID", "40000"))
#: Seconds within which a program has to start: its file is the student's, and opening it may block for ever (fcntl(2),
#: F_SETLEASE).
START_WITHIN = 5.0
#: Seconds that a helper that removes what is left may take.
REMOVED_WITHIN = 5.0
#: How much nicer (nice(2)) programs are than the agent, so that it gets its turn among 128 that spin.
NICER = 10
#: Longest answer of a helper, in bytes.
ANSWER = 65536

_libc = ctypes.CDLL(None, use_errno=True)
#: /proc as it was when we were started. The warden covers it by a read-only one before anything of the student's runs:
#: a program could lower its oom_score_adj, fill memory that is charged to no process, and get the agent killed.
_PROC = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


# -- becoming the student ----------------------------------------------------------------------------------------


def become_student() -> None:
    """In a child: give up everything but what the student's user has. It is the first victim when memory runs out."""
    score = os.open("self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC, dir_fd=_PROC)
    os.write(score, b"1000")
    os.close(score)
    os.nice(NICER)
    os.umask(0o022)
    os.setgroups([])
    os.setresgid(STUDENT, STUDENT, STUDENT)
    os.setresuid(STUDENT, STUDENT, STUDENT)
    close_what_nobody_needs()


def _default_signals() -> None:
    for signum in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGINT):
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _fork() -> tuple[int, int, int]:
    """The process id (0 in the child), and both ends of a pipe: where the child is heard, where it tells."""
    told, tells = os.pipe()
    try:
        return os.fork(), told, tells
    except OSError:
        os.close(told)
        os.close(tells)
        raise


def spawn(argv: Sequence[str], cwd: str, env: dict[str, str], stdio: tuple[int, int, int]) -> int:
    """Start a program as the student, in a session of its own; its process id. Raises Refused("start")."""
    try:
        pid, told, tells = _fork()
    except OSError as error:
        raise Refused("start", "the node is full of the submission's processes", error.errno or 0) from None
    if pid == 0:
        try:
            os.setsid()
            for number, descriptor in enumerate(_away_from_stdio(stdio)):
                os.dup2(descriptor, number)
            become_student()
            os.chdir(cwd)
            _default_signals()
            os.execvpe(argv[0], list(argv), env)
        except OSError as error:
            os.write(tells, struct.pack("i", error.errno or 0))
        except BaseException:
            os.write(tells, struct.pack("i", errno.EINVAL))
        finally:
            os._exit(127)
    os.close(tells)
    with open(told, "rb", buffering=0) as pipe:
        if not select.select([pipe], [], [], START_WITHIN)[0]:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise Refused("start", f"did not start within {START_WITHIN:g} s: the submission itself holds its file")
        said = pipe.read(4)  # it ends at once: exec closes the other side
    if said:
        os.waitpid(pid, 0)
        number = struct.unpack("i", said)[0]
        raise Refused("start", os.strerror(number), number)
    return pid


def _away_from_stdio(descriptors: Sequence[int]) -> list[int]:
    """Copies of the descriptors above 2, so that dup2 does not overwrite one that is still needed."""
    return [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3) for descriptor in descriptors]


def by_student(work: Callable[[], str | None], within: float) -> str | None:
    """Run `work` in a child that is the student; its answer. Raises Refused if it died, failed or took too long."""
    try:
        pid, told, tells = _fork()
    except OSError as error:
        raise Refused("node", f"no process for a helper: {error.strerror}") from None
    if pid == 0:
        try:
            _default_signals()
            become_student()
            said = b"+" + (work() or "").encode("utf-8", "surrogateescape")
        except OSError as error:
            said = f"-{error.strerror or error}: {error.filename or ''}".encode("utf-8", "surrogateescape")
        except BaseException as error:
            said = f"-{type(error).__name__}: {error}".encode("utf-8", "replace")
        os.write(tells, said[:ANSWER])
        os._exit(0)
    os.close(tells)
    said = read_until(told, time.monotonic() + within)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    if not said:
        raise Refused("os", f"a helper of the node took more than {within:g} s, or was killed for memory")
    if said[:1] == b"-":
        raise Refused("os", said[1:].decode("utf-8", "replace"))
    return said[1:].decode("utf-8", "replace") or None


def pack(folder: str) -> int:
    """A descriptor from which a tar of a folder comes, written by a child that is the student; it is not waited for.

    Raises Refused.
    """
    try:
        pid, told, tells = _fork()
    except OSError as error:
        raise Refused("node", f"no process for a helper: {error.strerror}") from None
    if pid == 0:
        status = 1
        try:
            _default_signals()
            become_student()
            with open(tells, "wb") as out:
                pack_tree(folder, out)
            status = 0
        finally:
            os._exit(status)
    os.close(tells)
    return told


def read_until(descriptor: int, deadline: float) -> bytes:
    """The last part of what comes from a descriptor until its end or the deadline. Closes it."""
    data = b""
    while (left := deadline - time.monotonic()) > 0:
        if select.select([descriptor], [], [], left)[0]:
            chunk = os.read(descriptor, ANSWER)
            if not chunk:
                break
            data = (data + chunk)[-ANSWER:]
    os.close(descriptor)
    return data


def watch(pid: int, output: int, deadline: float, keep: int) -> tuple[int | None, bytes]:
    """The exit status of a child (None: not in time) and the last `keep` bytes of its output. Closes the output.

    What the child leaves running may hold the output open; this does not wait for it.
    """
    os.set_blocking(output, False)
    tail = b""
    ended = False
    while True:
        done, word = os.waitpid(pid, os.WNOHANG)  # before reading: then all that it wrote is there
        try:
            for _ in range(64):
                chunk = os.read(output, 65536)
                tail = (tail + chunk)[-keep:]
                ended = not chunk
        except BlockingIOError:
            pass
        if done or time.monotonic() > deadline:
            os.close(output)
            return (os.waitstatus_to_exitcode(word) if done else None), tail
        select.select([] if ended else [output], [], [], 0.01)


# -- folders -----------------------------------------------------------------------------------------------------


def copy_tree(source: str, target: str) -> None:
    """Copy files, folders and links below `source` into `target`; other kinds are left out. Raises OSError.

    Nobody may change `source` meanwhile. However deep it is, this does not recurse.
    """
    folders = [""]
    while folders:
        below = folders.pop()
        with os.scandir(source + below) as entries:
            for entry in entries:
                path = f"{below}/{entry.name}"
                if entry.is_symlink():
                    os.symlink(os.readlink(entry.path), target + path)
                elif entry.is_dir():
                    os.mkdir(target + path)
                    folders.append(path)
                elif entry.is_file():
                    _copy_file(entry.path, target + path)


def _copy_file(source: str, target: str) -> None:
    reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        about = os.fstat(reading)
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, (about.st_mode & 0o777) | 0o600)
        try:
            while os.sendfile(writing, reading, None, 1 << 24):
                pass
        finally:
            os.close(writing)
    finally:
        os.close(reading)
    os.utime(target, ns=(about.st_atime_ns, about.st_mtime_ns))  # make compares them


# -- System V objects --------------------------------------------------------------------------------------------


def remove_ipc() -> None:
    """Remove the student's System V objects and message queues: they outlive processes."""
    rows = {kind: _sysv_ids(kind) for kind in ("shm", "sem", "msg")}
    queues = os.listdir("/dev/mqueue") if os.path.isdir("/dev/mqueue") else []
    if not queues and not any(rows.values()):
        return

    def remove() -> None:
        for identity in rows["shm"]:
            _libc.shmctl(identity, 0, None)  # IPC_RMID
        for identity in rows["sem"]:
            _libc.semctl(identity, 0, 0)
        for identity in rows["msg"]:
            _libc.msgctl(identity, 0, None)
        for name in queues:
            try:
                os.unlink("/dev/mqueue/" + name)
            except OSError:
                pass

    by_student(remove, REMOVED_WITHIN)


def _sysv_ids(kind: str) -> list[int]:
    try:
        with open(f"/proc/sysvipc/{kind}") as file:
            return [int(line.split()[1]) for line in file.readlines()[1:]]
    except OSError:
        return []
