"""The first process of a student node: starts, stops and measures the submission's programs for the tester.

Rule 1: it stands alone (standard library, one thread, -I -B). The student may read it; it holds no secret.
Rule 2: it trusts nothing that the student made, and touches the student's paths only with the student's rights.
Rule 3: nothing the student does ends it, with memory, processes, descriptors or malformed bytes; errors become answers.

It is root without capabilities but SETUID, SETGID, KILL and CHOWN. The tester speaks to it over a Unix SOCK_SEQPACKET
socket in a folder that only root may enter. Each packet is a request and is answered by one packet (reply.py says what
is in them); descriptors come with the answer.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import stat
import struct
import sys
import time
from typing import Any

from harness.lab.node.agent_child import STUDENT, by_student, copy_tree, pack, remove_ipc, spawn, watch
from harness.lab.node.agent_kernel import (
    StudentsRights,
    capabilities,
    cpu_used,
    family,
    hidden_in_kernel,
    interventions,
    kernel_memory,
    looked_into,
    memory_used,
    students_processes,
)
from harness.lab.node.reply import Refused, encode, perform

SUBMISSION, BUILD, WORK, FILES = "/submission", "/build", "/work", "/files"
#: The whole environment of a program, as after a login.
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": WORK,
    "USER": f"student{STUDENT}",
    "LOGNAME": f"student{STUDENT}",
    "LANG": "C.UTF-8",
}
#: Seconds within which killed processes have to be gone, seconds of processor that their dying may take (the kernel
#: gives back what they hold: milliseconds for any honest program), and seconds within which a copy has to be made.
GONE_WITHIN, DYING, COPY_WITHIN = 20.0, 2.0, 20.0
#: How much of the end of a build's output its author is shown, in bytes.
BUILD_TAIL = 4000
#: The program that looks through the sources, and how much of the end of its output is kept, in bytes.
LOOKS, LOOK_TAIL = ("python3", "-I", "-B", "-W", "ignore", "/lab/look"), 16_384
#: Largest request, in bytes.
PACKET = 65536

Answer = dict[str, Any]
#: What a verb returns: plain data, and descriptors to send with it.
Said = tuple[Answer, list[int]]


class Agent:
    """Serves the tester. Verbs are the methods whose names begin with `do_`; each returns (plain data, descriptors)."""

    def __init__(self, path: str) -> None:
        self._running: dict[int, int] = {}  #: process id -> descriptor for reporting its exit status
        self._received: list[int] = []  #: descriptors that came with the request being answered
        self._before = interventions()
        self._kernel_before = kernel_memory()
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
        """Serve for ever."""
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
        connection.settimeout(5.0)  # a tester that does not read its answers is dropped
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._hear(connection))

    def _hear(self, connection: socket.socket) -> None:
        fds: list[int] = []
        given: list[int] = []
        try:
            packet, fds, _, _ = socket.recv_fds(connection, PACKET, 4)
            if not packet:
                raise ConnectionError
            self._received = fds
            answer, given = self._answer(packet)
            socket.send_fds(connection, [answer], given)
        except OSError:
            self._selector.unregister(connection)
            connection.close()
        finally:
            for descriptor in (*fds, *given):
                os.close(descriptor)

    def _answer(self, packet: bytes) -> tuple[bytes, list[int]]:
        try:
            said, given = perform(self, packet)
            return encode(said), given
        except OSError as error:
            return encode(Refused("os", error.strerror or str(error), error.errno or 0)), []
        except Exception as error:
            return encode(error), []

    def _reap(self) -> None:
        try:
            while self._wake.recv(4096):
                pass
        except BlockingIOError:
            pass
        self._collect()

    def _collect(self) -> bool:
        """Collect the dead and report their status to those who wait. True when no child is left."""
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
                    pass  # nobody is waiting any more
                os.close(teller)

    # -- verbs ----------------------------------------------------------------------------------------------------

    def do_hello(self) -> Said:
        """The agent's own process, capabilities and interfaces."""
        interfaces = [name for _, name in socket.if_nameindex()]
        said = {"protocol": 1, "uid": os.getuid(), "student": STUDENT, "capabilities": capabilities()}
        return {**said, "interfaces": interfaces}, []

    def do_build(self, *, command: list[str] | None, timeout: float, env: dict[str, str]) -> Said:
        """Copy the submission to /build and run the build there. "text" is null or what to tell the author.

        `env`: what it is told besides what every program is. Its files of its own go where those of a test do.
        """
        try:
            by_student(lambda: copy_tree(SUBMISSION, BUILD), COPY_WITHIN)
        except Refused as refused:
            if refused.kind == "os":
                return {"text": f"the submission cannot be copied into its node: {refused}"}, []
            raise
        text = self._run_build(command, timeout, {**ENVIRONMENT, "TMPDIR": WORK, **env}) if command else None
        self._kill_all()
        return {"text": text}, []

    def _run_build(self, command: list[str], timeout: float, env: dict[str, str]) -> str | None:
        shown = " ".join(command)
        nothing = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        told, tells = os.pipe()
        try:
            pid = spawn(command, BUILD, env, (nothing, tells, tells))
        except Refused as refused:
            os.close(told)
            return f"`{shown}` cannot be started: {refused}"
        finally:
            os.close(tells)
            os.close(nothing)
        status, output = watch(pid, told, time.monotonic() + timeout, BUILD_TAIL)
        tail = output.decode("utf-8", "replace")
        if status is None:
            return f"`{shown}` did not end within {timeout:g} s:\n{tail}"
        return None if status == 0 else f"`{shown}` ended with status {status}:\n{tail}"

    def do_look(self, *, question: str, within: float) -> Said:
        """Have the node's Python look through /build (harness/course/look.py): how it ended, and what it printed."""
        asks = os.memfd_create("question")  # CLOEXEC, as are all of these
        told, tells = os.pipe()
        try:
            os.write(asks, question.encode())
            os.lseek(asks, 0, os.SEEK_SET)
            pid = spawn(LOOKS, "/", ENVIRONMENT, (asks, tells, tells))
        except BaseException:
            os.close(told)
            raise
        finally:
            os.close(tells)
            os.close(asks)
        status, output = watch(pid, told, time.monotonic() + within, LOOK_TAIL)
        self._kill_all()
        return {"status": status, "output": output.decode("utf-8", "replace")}, []

    def do_pack(self) -> Said:
        """Sent along: a descriptor from which a tar of /build comes."""
        return {}, [pack(BUILD)]

    def do_fresh_kill(self) -> Said:
        """End every process but this one, remove what outlives processes, and forget past interventions."""
        self._kill_all()
        remove_ipc()
        self._before = interventions()
        self._kernel_before = kernel_memory()
        return {}, []

    def _kill_all(self) -> None:
        """Raises Refused: "start" if the kernel is busy with those that die, "node" where it had no time for them."""
        begun, used = time.monotonic(), cpu_used()
        while True:
            try:
                os.kill(-1, signal.SIGKILL)  # kill(2): every process of this namespace but its first
            except ProcessLookupError:
                pass
            if self._collect():
                return
            waited = time.monotonic() - begun
            late, dying = waited > GONE_WITHIN, waited > DYING and cpu_used() - used > DYING
            if late or dying:
                left = [pid for pid, _ in students_processes()]
                what = "hold so much that the kernel is busy ending them" if dying else f"do not end: {left[:5]}"
                raise Refused("start" if dying else "node", f"{len(left)} killed processes {what}")
            time.sleep(0.0005)

    def do_populate(self) -> Said:
        """Copy the built submission into the fresh working folder. Nothing else runs, so it needs no helper."""
        with StudentsRights():
            copy_tree(BUILD, WORK)
        return {}, []

    def do_start(self, *, argv: list[str], env: dict[str, str] | None = None) -> Said:
        """Start a program in the working folder. Sent along: its stdin, stdout, stderr, and a pipe for its status."""
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

    def do_signal(self, *, pid: int, signum: int) -> Said:
        """Signal a program that was started by us and has not been collected yet, so its pid cannot be another's.

        Who stops it stops all of it: what answers is not what was told to be silent.
        """
        if pid in self._running:
            for each in self._family(pid) if signum in (signal.SIGSTOP, signal.SIGCONT) else [pid]:
                try:
                    os.kill(each, signum)
                except ProcessLookupError:
                    pass
        return {}, []

    def do_left(self, *, pid: int) -> Said:
        """How many processes of a program that has ended run on."""
        return {"count": len(self._family(pid))}, []

    def _family(self, pid: int) -> list[int]:
        return family(pid, self._running.keys() - {pid})

    def do_connect_unix(self, *, path: str) -> Said:
        """A stream socket connected to a path with the student's rights; the program sees root as its peer."""
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        try:
            with StudentsRights():
                os.chdir(WORK)
                connection.connect(path)
        except BaseException:
            connection.close()
            raise
        finally:
            os.chdir("/")
        connection.setblocking(True)
        return {}, [connection.detach()]

    def do_listen_unix(self, *, name: str) -> Said:
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

    def do_connect_tcp(self, *, port: int, family: int) -> Said:
        """A stream socket connected to a port of this node's loopback: at once, or not at all."""
        connection = socket.create_connection(("::1" if family == 6 else "127.0.0.1", port), timeout=1.0)
        connection.settimeout(None)
        return {}, [connection.detach()]

    def do_listen_tcp(self, *, family: int) -> Said:
        """A listening stream socket on this node's loopback, at a port that was free."""
        of_family = socket.AF_INET6 if family == 6 else socket.AF_INET
        listener = socket.create_server(("::1" if family == 6 else "127.0.0.1", 0), family=of_family, backlog=128)
        return {"port": listener.getsockname()[1]}, [listener.detach()]

    def do_put_file(self, *, name: str, mode: int = 0) -> Said:
        """Write what the descriptor holds into the folder of given files, in which the student can make none.

        With a mode it is the student's own, but is written before ownership changes.
        """
        path = self._given(name)
        if os.path.lexists(path):
            os.unlink(path)  # it may exist with other permissions, or be open
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600 if mode else 0o644)
        try:
            while os.sendfile(file, self._received[0], None, 1 << 24):
                pass
            if mode:
                os.fchmod(file, mode & 0o777)  # while it is root's: the agent has no CAP_FOWNER
                os.fchown(file, STUDENT, STUDENT)
        finally:
            os.close(file)
        return {"path": path}, []

    def _given(self, name: str) -> str:
        if not name or "/" in name or name in (".", ".."):
            raise Refused("request", f"{name!r} is not a file name")
        return os.path.join(FILES, name)

    def do_kind_of(self, *, path: str) -> Said:
        """What is at a path (lstat), seen with the student's rights."""
        try:
            with StudentsRights():
                mode = os.lstat(os.path.join(WORK, path)).st_mode
        except OSError:
            return {"kind": "missing"}, []
        kinds = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFSOCK: "socket"}
        return {"kind": kinds.get(stat.S_IFMT(mode), "other")}, []

    def do_usage(self) -> Said:
        """What all the student's processes use together."""
        alive = students_processes()
        threads = sum(threads for _, threads in alive)
        about = looked_into([pid for pid, _ in alive])
        grown = kernel_memory() - self._kernel_before
        hidden = hidden_in_kernel(grown, open_files=about["open_files"], threads=threads)
        used = {"memory_bytes": memory_used() + hidden, "cpu_seconds": cpu_used()}
        return {"processes": len(alive), "threads": threads, **used, **about}, []

    def do_trouble(self) -> Said:
        """How often the kernel stepped in since the last fresh start."""
        killed, refused = interventions()
        return {"killed": killed - self._before[0], "refused": refused - self._before[1]}, []


def main() -> None:
    """agent.py PATH: serve on a socket made there."""
    os.umask(0o022)
    Agent(sys.argv[1]).serve()


if __name__ == "__main__":
    main()
