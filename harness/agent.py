"""The first process of a student node: starts, stops and measures the submission's programs for the tester.

Rule 1: it stands alone (standard library only, one thread, run with -I -B): the student can read this file, and it tells nothing.
Rule 2: it believes nothing that the student's user made. Paths of the student are touched with the student's own rights only.
Rule 3: nothing the student does ends it: no memory, process, descriptor or malformed byte; errors become answers.

It is root without capabilities but SETUID, SETGID, KILL and CHOWN. The tester speaks to it over a Unix SOCK_SEQPACKET socket in a
folder that only root may enter. One JSON object a packet: {"op": VERB, ...} is answered by {"ok": true, ...} or
{"ok": false, "error": "request" | "start" | "os" | "node", "text": ..., "errno": ...}; descriptors travel beside the answer.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import selectors
import signal
import socket
import stat
import struct
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

#: The ordinary user of every program of the submission (docker/prepare-student.sh puts it into /etc/passwd).
STUDENT = 40001
SUBMISSION, BUILD, WORK, FILES = "/submission", "/build", "/work", "/files"
#: All that a program finds in its environment, as after a login.
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": WORK,
    "USER": "student",
    "LOGNAME": "student",
    "LANG": "C.UTF-8",
}
#: Seconds within which killed processes have to be gone, and within which a copy has to be made.
GONE_WITHIN = 5.0
COPY_WITHIN = 20.0
#: Longest end of a build's output that its author is shown, in bytes.
BUILD_TAIL = 4000
#: How much nicer (nice(2)) programs are than the agent, so that it is heard among 128 that spin.
NICER = 10
#: Largest request, in bytes.
PACKET = 65536

_libc = ctypes.CDLL(None, use_errno=True)

Answer = dict[str, Any]


class Refused(Exception):
    """A request that cannot be fulfilled; `kind` says whose fault it is, as in the answer's "error"."""

    def __init__(self, kind: str, text: str, number: int = 0) -> None:
        super().__init__(text)
        self.kind = kind
        self.number = number


class _StudentsRights:
    """Within this block the file system checks the student's rights, not root's (setfsuid(2)); signals do not."""

    def __enter__(self) -> None:
        _libc.setfsgid(STUDENT)
        _libc.setfsuid(STUDENT)

    def __exit__(self, *_: object) -> None:
        _libc.setfsuid(0)
        _libc.setfsgid(0)


# -- becoming the student ----------------------------------------------------------------------------------------------


def become_student() -> None:
    """In a child: give up everything but what the student's user has. The first victim when memory ends."""
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    os.nice(NICER)
    os.umask(0o022)
    os.setgroups([])
    os.setresgid(STUDENT, STUDENT, STUDENT)
    os.setresuid(STUDENT, STUDENT, STUDENT)


def _default_signals() -> None:
    for signum in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGINT):
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def spawn(argv: Sequence[str], cwd: str, env: dict[str, str], stdio: tuple[int, int, int]) -> int:
    """Start a program as the student, in a session of its own; its process id. Raises Refused("start") with the reason."""
    told, tells = os.pipe()
    try:
        pid = os.fork()
    except OSError as error:
        os.close(told)
        os.close(tells)
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
        said = pipe.read(4)  # the end comes at once: exec closes the other side
    if said:
        os.waitpid(pid, 0)
        number = struct.unpack("i", said)[0]
        raise Refused("start", os.strerror(number), number)
    return pid


def _away_from_stdio(descriptors: Sequence[int]) -> list[int]:
    """Copies of the descriptors that are none of 0, 1 and 2, so that dup2 does not overwrite one that is still needed."""
    return [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3) for descriptor in descriptors]


def by_student(work: Callable[[], str | None], within: float) -> str | None:
    """Run `work` in a child that is the student; its answer. Raises Refused if it died, failed or took too long."""
    told, tells = os.pipe()
    try:
        pid = os.fork()
    except OSError as error:
        os.close(told)
        os.close(tells)
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
        os.write(tells, said[:PACKET])
        os._exit(0)
    os.close(tells)
    said = _read_until(told, time.monotonic() + within)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    if not said:
        raise Refused("os", f"a helper of the node took more than {within:g} s, or was killed for memory")
    if said[:1] == b"-":
        raise Refused("os", said[1:].decode("utf-8", "replace"))
    return said[1:].decode("utf-8", "replace") or None


def _read_until(descriptor: int, deadline: float, keep: int = PACKET) -> bytes:
    """What comes from a descriptor until its end or the deadline, the last `keep` bytes of it. Closes it."""
    data = b""
    os.set_blocking(descriptor, False)
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(left):
                continue
            chunk = os.read(descriptor, 65536)
            if not chunk:
                break
            data = (data + chunk)[-keep:]
    os.close(descriptor)
    return data


# -- folders -----------------------------------------------------------------------------------------------------------


def copy_tree(source: str, target: str) -> None:
    """Copy files, folders and links below `source` into the folder `target`; other kinds are left out. Raises OSError."""
    with os.scandir(source) as entries:
        for entry in entries:
            to = os.path.join(target, entry.name)
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), to)
            elif entry.is_dir():
                os.mkdir(to)
                copy_tree(entry.path, to)
            elif entry.is_file():
                _copy_file(entry.path, to)


def _copy_file(source: str, target: str) -> None:
    reading = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        about = os.fstat(reading)
        writing = os.open(
            target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, (about.st_mode & 0o777) | 0o600
        )
        try:
            while os.sendfile(writing, reading, None, 1 << 24):
                pass
        finally:
            os.close(writing)
    finally:
        os.close(reading)
    os.utime(target, ns=(about.st_atime_ns, about.st_mtime_ns))  # make compares them


# -- System V objects ----------------------------------------------------------------------------------------------------


def remove_ipc() -> None:
    """Remove the student's System V objects and message queues, which outlive processes. A helper of its uid does it."""
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

    by_student(remove, GONE_WITHIN)


def _sysv_ids(kind: str) -> list[int]:
    try:
        with open(f"/proc/sysvipc/{kind}") as file:
            return [int(line.split()[1]) for line in file.readlines()[1:]]
    except OSError:
        return []


# -- what the kernel says ------------------------------------------------------------------------------------------------


def _first(*paths: str) -> str:
    for path in paths:
        try:
            with open(path) as file:
                return file.read()
        except OSError:
            continue
    return ""


def _rows(text: str) -> dict[str, int]:
    rows = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if value.strip().isdigit():
            rows[name] = int(value)
    return rows


_CG = "/sys/fs/cgroup"


def memory_used() -> int:
    """Bytes of anonymous memory and tmpfs in the control group (cgroup v1, then v2), the agent's own subtracted."""
    rows = _rows(_first(f"{_CG}/memory/memory.stat", f"{_CG}/memory.stat"))
    used = rows.get("total_rss", rows.get("anon", 0)) + rows.get("total_shmem", rows.get("shmem", 0))
    mine = sum(
        int(line.split()[1]) * 1024
        for line in _first("/proc/self/status").splitlines()
        if line.startswith("RssAnon")
    )
    return max(0, used - mine)


def cpu_used() -> float:
    """Seconds of CPU of the control group, dead processes included, the agent's own subtracted."""
    nanoseconds = _first(f"{_CG}/cpuacct/cpuacct.usage", f"{_CG}/cpu,cpuacct/cpuacct.usage").strip()
    if nanoseconds.isdigit():
        total = int(nanoseconds) / 1e9
    else:
        total = _rows(_first(f"{_CG}/cpu.stat")).get("usage_usec", 0) / 1e6
    return max(0.0, total - time.process_time())


def interventions() -> tuple[int, int]:
    """(processes killed for memory, forks refused) by the kernel since the node began."""
    killed = _rows(_first(f"{_CG}/memory/memory.oom_control", f"{_CG}/memory.events")).get("oom_kill", 0)
    refused = _rows(_first(f"{_CG}/pids/pids.events", f"{_CG}/pids.events")).get("max", 0)
    return killed, refused


def students_processes() -> list[tuple[int, int]]:
    """(process id, threads) of every process alive in the node but this one."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or name == "1":
            continue
        fields = (
            _first(f"/proc/{name}/stat").rpartition(")")[2].split()
        )  # proc(5): state is the first after the name
        if len(fields) > 17 and fields[0] not in "ZX":
            found.append((int(name), int(fields[17])))
    return found


def open_files(pids: Sequence[int]) -> int:
    """Descriptors open in these processes: /proc/PID/fd is readable with the rights of their user."""
    count = 0
    with _StudentsRights():
        for pid in pids:
            try:
                count += len(os.listdir(f"/proc/{pid}/fd"))
            except OSError:
                continue  # it ended meanwhile
    return count


# -- the agent -----------------------------------------------------------------------------------------------------------


class Agent:
    """Serves the tester. Verbs are the methods whose names begin with `do_`; each answers (plain data, descriptors)."""

    def __init__(self, path: str) -> None:
        self._running: dict[int, int] = {}  #: process id -> descriptor on which its exit status is told
        self._before = interventions()
        self._selector = selectors.DefaultSelector()
        wake, waker = socket.socketpair()
        for end in (wake, waker):
            end.setblocking(False)
        self._wake, self._waker = wake, waker
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        self._selector.register(wake, selectors.EVENT_READ, self._reap)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        old = os.umask(0o177)
        self._listener.bind(path)
        os.umask(old)
        self._listener.listen(16)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def serve(self) -> None:
        """For ever."""
        while True:
            for key, _ in self._selector.select():
                try:
                    key.data()
                except Exception as error:  # Rule 3
                    print(f"agent: {type(error).__name__}: {error}", file=sys.stderr, flush=True)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        if struct.unpack("3i", credentials)[1] != 0:
            connection.close()
            return
        connection.settimeout(5.0)  # a tester that does not read its answers is let go
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._hear(connection))

    def _hear(self, connection: socket.socket) -> None:
        fds: list[int] = []
        given: list[int] = []
        try:
            packet, fds, _, _ = socket.recv_fds(connection, PACKET, 4)
            if not packet:
                raise ConnectionError
            answer, given = self._answer(packet, fds)
            socket.send_fds(connection, [json.dumps(answer).encode("ascii")], given)
        except OSError:
            self._selector.unregister(connection)
            connection.close()
        finally:
            for descriptor in (*fds, *given):
                os.close(descriptor)

    def _answer(self, packet: bytes, fds: list[int]) -> tuple[Answer, list[int]]:
        try:
            request = json.loads(packet)
            verb = getattr(self, "do_" + request.pop("op"), None)
            if verb is None:
                raise Refused("request", "no such verb")
            said, given = verb(fds=fds, **request)
            return {"ok": True, **said}, given
        except Refused as refused:
            return {"ok": False, "error": refused.kind, "text": str(refused), "errno": refused.number}, []
        except OSError as error:
            return {
                "ok": False,
                "error": "os",
                "text": error.strerror or str(error),
                "errno": error.errno or 0,
            }, []
        except Exception as error:
            return {"ok": False, "error": "request", "text": f"{type(error).__name__}: {error}"}, []

    def _reap(self) -> None:
        try:
            while self._wake.recv(4096):
                pass
        except BlockingIOError:
            pass
        self._collect()

    def _collect(self) -> bool:
        """Collect the dead and tell their status to who waits. True when no child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if (teller := self._running.pop(pid, None)) is not None:
                try:
                    os.write(teller, struct.pack("i", os.waitstatus_to_exitcode(status)))
                except OSError:
                    pass  # nobody waits any more
                os.close(teller)

    # -- verbs ---------------------------------------------------------------------------------------------------------

    def do_hello(self, *, fds: list[int]) -> tuple[Answer, list[int]]:
        """Who serves here."""
        capabilities = [
            row.split()[1] for row in _first("/proc/self/status").splitlines() if row.startswith("CapEff")
        ]
        interfaces = [name for _, name in socket.if_nameindex()]
        said = {
            "protocol": 1,
            "uid": os.getuid(),
            "student": STUDENT,
            "capabilities": capabilities[0],
            "interfaces": interfaces,
        }
        return said, []

    def do_build(
        self, *, command: list[str] | None, timeout: float, fds: list[int]
    ) -> tuple[Answer, list[int]]:
        """Copy the submission to /build and run the build there. "text" is null or what to tell the author."""
        try:
            by_student(lambda: copy_tree(SUBMISSION, BUILD), COPY_WITHIN)
        except Refused as refused:
            if refused.kind == "os":
                return {"text": f"the submission cannot be copied into its node: {refused}"}, []
            raise
        text = self._run_build(command, timeout) if command else None
        self._kill_all()
        return {"text": text}, []

    def _run_build(self, command: list[str], timeout: float) -> str | None:
        shown = " ".join(command)
        nothing = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        told, tells = os.pipe()
        try:
            pid = spawn(command, BUILD, ENVIRONMENT, (nothing, tells, tells))
        except Refused as refused:
            os.close(told)
            return f"`{shown}` cannot be started: {refused}"
        finally:
            os.close(tells)
            os.close(nothing)
        deadline = time.monotonic() + timeout
        tail = _read_until(told, deadline, BUILD_TAIL).decode("utf-8", "replace")
        status: int | None = None
        while status is None and time.monotonic() < deadline:  # its output may end before it does
            done, word = os.waitpid(pid, os.WNOHANG)
            status = os.waitstatus_to_exitcode(word) if done else None
            if not done:
                time.sleep(0.005)
        if status is None:
            return f"`{shown}` did not end within {timeout:g} s:\n{tail}"
        return None if status == 0 else f"`{shown}` ended with status {status}:\n{tail}"

    def do_fresh_kill(self, *, fds: list[int]) -> tuple[Answer, list[int]]:
        """End every process but this one, remove what outlives processes, and forget past interventions."""
        self._kill_all()
        remove_ipc()
        self._before = interventions()
        return {}, []

    def _kill_all(self) -> None:
        deadline = time.monotonic() + GONE_WITHIN
        while True:
            try:
                os.kill(-1, signal.SIGKILL)  # kill(2): every process of this namespace but its first
            except ProcessLookupError:
                pass
            if self._collect():
                return
            if time.monotonic() > deadline:
                left = [pid for pid, _ in students_processes()]
                raise Refused("node", f"{len(left)} processes do not end: {left[:5]}")
            time.sleep(0.0005)

    def do_populate(self, *, fds: list[int]) -> tuple[Answer, list[int]]:
        """Copy the built submission into the fresh working folder."""
        by_student(lambda: copy_tree(BUILD, WORK), COPY_WITHIN)
        return {}, []

    def do_start(
        self, *, argv: list[str], env: dict[str, str] | None = None, fds: list[int]
    ) -> tuple[Answer, list[int]]:
        """Start a program in the working folder. Descriptors given: stdin, stdout, stderr, and where its status is told."""
        inside, outside = [], []
        try:
            for readable_inside in (True, False, False):
                reading, writing = os.pipe()
                inside.append(reading if readable_inside else writing)
                outside.append(writing if readable_inside else reading)
                os.fchown(inside[-1], STUDENT, STUDENT)  # so that it can open /dev/stdout, as at home
            tells = os.pipe()
            outside.append(tells[0])
        except OSError as error:
            for descriptor in (*inside, *outside):
                os.close(descriptor)
            raise Refused("node", f"no descriptors for a program: {error.strerror}") from None
        try:
            pid = spawn(argv, WORK, {**ENVIRONMENT, **(env or {})}, (inside[0], inside[1], inside[2]))
        except Refused:
            for descriptor in (*outside, tells[1]):
                os.close(descriptor)
            raise
        finally:
            for descriptor in inside:
                os.close(descriptor)
        self._running[pid] = tells[1]
        return {"pid": pid}, outside

    def do_signal(self, *, pid: int, signum: int, fds: list[int]) -> tuple[Answer, list[int]]:
        """Signal a program that was started by us and has not been collected yet, so its number is not another's."""
        if pid in self._running:
            os.kill(pid, signum)
        return {}, []

    def do_connect_unix(self, *, path: str, fds: list[int]) -> tuple[Answer, list[int]]:
        """A stream socket connected to a path of the student's: its rights open the file, but the peer it sees is not itself."""
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        try:
            with _StudentsRights():
                os.chdir(WORK)
                connection.connect(path)
        except BaseException:
            connection.close()
            raise
        finally:
            os.chdir("/")
        connection.setblocking(True)
        return {}, [connection.detach()]

    def do_listen_unix(self, *, name: str, fds: list[int]) -> tuple[Answer, list[int]]:
        """A listening stream socket in the folder of given files."""
        path = self._given(name)
        listener = socket.socket(socket.AF_UNIX)
        old = os.umask(0o111)
        try:
            listener.bind(path)
            listener.listen(128)
        except BaseException:
            listener.close()
            raise
        finally:
            os.umask(old)
        return {"path": path}, [listener.detach()]

    def do_put_file(self, *, name: str, fds: list[int]) -> tuple[Answer, list[int]]:
        """Write what the descriptor holds into the folder of given files, which the student can read only."""
        path = self._given(name)
        with open(path, "wb") as file:
            while os.sendfile(file.fileno(), fds[0], None, 1 << 24):
                pass
        return {"path": path}, []

    def _given(self, name: str) -> str:
        if not name or "/" in name or name in (".", ".."):
            raise Refused("request", f"{name!r} is not a file name")
        return os.path.join(FILES, name)

    def do_kind_of(self, *, path: str, fds: list[int]) -> tuple[Answer, list[int]]:
        """What stands at a path (lstat), seen with the student's rights."""
        try:
            with _StudentsRights():
                mode = os.lstat(os.path.join(WORK, path)).st_mode
        except OSError:
            return {"kind": "missing"}, []
        kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFSOCK: "socket"}
        return {"kind": kinds.get(stat.S_IFMT(mode), "other")}, []

    def do_usage(self, *, fds: list[int]) -> tuple[Answer, list[int]]:
        """What everything of the student uses together."""
        alive = students_processes()
        return {
            "processes": len(alive),
            "threads": sum(threads for _, threads in alive),
            "open_files": open_files([pid for pid, _ in alive]),
            "memory_bytes": memory_used(),
            "cpu_seconds": cpu_used(),
        }, []

    def do_trouble(self, *, fds: list[int]) -> tuple[Answer, list[int]]:
        """How often the kernel stepped in since the last fresh start."""
        killed, refused = interventions()
        return {"killed": killed - self._before[0], "refused": refused - self._before[1]}, []


def main() -> None:
    """agent.py PATH: serve on a socket made there."""
    Agent(sys.argv[1]).serve()


if __name__ == "__main__":
    main()
