"""The lab on one machine: programs as child processes, the link as a relay on loopback. For laptops and trusted code.

It needs no privilege and no Docker, and protects from accidents, not from malice: a program can read what its user
can read and can reach the tester without using the link.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import psutil

from harness.course import languages, look
from harness.course.assignment import Build, Limits
from harness.course.forbidden import StageRule
from harness.errors import cause_of, shortage
from harness.lab.interface import OURS, CannotStart, Family, LabError, Usage
from harness.lab.local import machine, processes
from harness.lab.local.children import limiter
from harness.lab.local.network import LocalNetwork
from harness.lab.local.ordinary import ordinary_user
from harness.lab.node.packing import pack_tree
from harness.lab.own_address import bind

Kind = Literal["missing", "file", "folder", "socket", "other"]

#: How much of the end of a build's output its author is shown, in bytes.
_BUILD_TAIL = 4000


class LocalProcess:
    """A program started by `LocalNode`."""

    def __init__(
        self, popen: subprocess.Popen[bytes], family: Callable[[int], Sequence[psutil.Process]] = lambda _: ()
    ) -> None:
        """`family`: the processes of the program, as far as a node can tell."""
        assert popen.stdin and popen.stdout and popen.stderr
        self._popen = popen
        self._family = family
        # The caller owns the descriptors; Popen's file objects would close them a second time.
        self.stdin, self.stdout, self.stderr = (
            os.dup(pipe.fileno()) for pipe in (popen.stdin, popen.stdout, popen.stderr)
        )
        for pipe in (popen.stdin, popen.stdout, popen.stderr):
            pipe.close()

    def signal(self, signum: int) -> None:
        """Send a signal to the program itself; SIGSTOP and SIGCONT to all that it has started."""
        try:
            if sys.platform != "win32" and signum in (signal.SIGSTOP, signal.SIGCONT):
                self._popen.send_signal(signum)
                for each in self._family(self._popen.pid):
                    with contextlib.suppress(psutil.Error):  # it has ended meanwhile
                        each.send_signal(signum)
            elif sys.platform == "win32" and signum in (9, signal.SIGTERM):
                self._popen.terminate()  # Windows has nothing gentler
            else:
                self._popen.send_signal(signum)
        except (ProcessLookupError, PermissionError, psutil.NoSuchProcess):
            pass

    def left(self) -> int:
        """Processes of it that run on after its end; Windows does not tell."""
        return 0 if sys.platform == "win32" else len(self._family(self._popen.pid))

    def stands_still(self) -> bool:
        """Whether it was stopped by a signal, or by a debugger."""
        return processes.stands_still(self._popen.pid)

    def wait(self, timeout: float) -> int | None:
        """Exit status, or None if it still runs after `timeout` seconds."""
        try:
            return self._popen.wait(timeout) if timeout > 0 else self._popen.poll()
        except subprocess.TimeoutExpired:
            return None


class LocalNode:
    """Runs a submission's programs in a folder of its own, as an ordinary user when the lab itself is root."""

    def __init__(self, submission: Path, limits: Limits) -> None:
        self._submission = submission
        self._limits = limits
        self._user = ordinary_user()
        try:
            self._root = Path(tempfile.mkdtemp(prefix="sl-"))  # short: paths of Unix sockets have 108 bytes at most
        except OSError as error:
            raise LabError(f"no folder for the submission can be made ({cause_of(error)}), or set TMPDIR") from None
        self._root.chmod(0o711)
        self._built = self._root / "built"
        self._work = self._root / "w"
        self._files = self._root / "f"
        self._started: dict[int, subprocess.Popen[bytes]] = {}
        self._folders: dict[str, bool] = {}  # of PATH: whether the user may look into it
        if self._user is not None and not self._user.can_reach(self._root):
            raise LabError(
                f"an ordinary user cannot reach {self._root}: set TMPDIR to a folder that all can go through"
            )
        self._interpreter = self._find_interpreter()
        self._note_the_machine()
        processes.adopt_orphans()

    def _find_interpreter(self) -> str:
        candidates = [sys.executable]
        if self._user is None:
            return candidates[0]
        candidates += [path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if Path(path).exists()]
        for path in candidates:
            if self._user.can_execute(os.path.realpath(path)):
                return path
        raise LabError(
            "running as root, and no Python is installed that an ordinary user may start: "
            "run this as an ordinary user, or install python3 for all (apt-get install python3)"
        )

    # -- folders -----------------------------------------------------------------------------------------------

    @property
    def built(self) -> Path:
        """The folder of what was built."""
        return self._built

    def build(
        self,
        command: Sequence[str] | None,
        *,
        timeout: float,
        tools: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> str | None:
        """`tools`: a folder of commands that are found before all others; `env`: what it is told besides."""
        self._copy(self._submission, self._built)
        if command is None:
            return None
        home = self._root / "h"  # what compilers keep there is no part of what was built
        home.mkdir()
        if self._user is not None:
            os.chown(home, self._user.uid, self._user.uid)
        told = self._environment({"HOME": str(home), "TMPDIR": str(home), **languages.ENVIRONMENT, **(env or {})})
        if tools is not None:
            told["PATH"] = f"{tools}{os.pathsep}{told.get('PATH', os.defpath)}"
        with tempfile.TemporaryFile() as output:  # a file: its size is limited, a pipe's reader would have to count
            try:
                done = subprocess.run(
                    command,
                    cwd=self._built,
                    env=told,
                    timeout=timeout,
                    check=False,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    **self._restrictions(max(self._limits.processes, Build.processes)),
                )
            except subprocess.TimeoutExpired:
                return f"`{' '.join(command)}` did not end within {timeout:g} s"
            except OSError as error:
                why = shortage(error) or f"{error.strerror}: install it"
                raise LabError(f"`{command[0]}` cannot be started here ({why})") from None
            finally:
                processes.end(self._user, [])
            if done.returncode == 0:
                return None
            if doubt := self.doubt():
                raise LabError(f"the build failed, and it may not be its own fault: {doubt}")
            output.seek(max(0, output.seek(0, os.SEEK_END) - _BUILD_TAIL))
            tail = output.read().decode("utf-8", "replace")
        return f"`{' '.join(command)}` ended with status {done.returncode}:\n{tail}"

    def look(self, rules: Sequence[StageRule]) -> dict[int, str]:
        """By the Python that runs the programs; as this user, since it executes nothing of the submission's."""
        root = Path(__file__).resolve().parents[3]
        code = f"import sys; sys.path.insert(0, {str(root)!r}); from harness.course.look import main; main()"

        def run(question: bytes) -> tuple[int | None, bytes]:
            try:
                done = subprocess.run(
                    [self._interpreter, "-I", "-B", "-W", "ignore", "-c", code],
                    input=question,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    cwd=self._root,
                    env=self._environment({"HOME": str(self._built)}),
                    timeout=look.ENDED_AFTER,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return None, b""
            return done.returncode, done.stdout

        try:
            return look.look(rules, str(self._built), run)
        except (OSError, look.CannotLook) as error:
            why = cause_of(error) if isinstance(error, OSError) else error
            raise LabError(f"the sources cannot be looked through: {why}") from None

    def pack(self) -> int:
        with tempfile.TemporaryFile() as file:
            try:
                pack_tree(str(self._built), file)
            except OSError as error:
                raise LabError(f"what was built cannot be packed: {error}. Free space, or set TMPDIR.") from None
            file.seek(0)
            return os.dup(file.fileno())

    def fresh(self) -> None:
        self._end_all()
        self._note_the_machine()
        for folder in (self._work, self._files):
            shutil.rmtree(folder, ignore_errors=True)  # does not follow links; no process is left that could swap them
        self._copy(self._built, self._work)
        self._files.mkdir(mode=0o755)

    def _end_all(self) -> None:
        processes.end(self._user, self._started)
        for popen in self._started.values():
            popen.wait()
        self._started.clear()

    def _copy(self, source: Path, target: Path) -> None:
        try:
            shutil.copytree(source, target, symlinks=True)
        except shutil.Error as error:  # one row a file: (source, target, why)
            why = error.args[0][0][2]
            raise LabError(f"the submission cannot be copied to {target}: {why}. Free space, or set TMPDIR.") from None
        except OSError as error:
            raise LabError(
                f"the submission cannot be copied to {target}: {error}. Free space, or set TMPDIR."
            ) from None
        if self._user is not None:
            for folder, folders, files in os.walk(target):
                for name in [".", *folders, *files]:
                    os.chown(os.path.join(folder, name), self._user.uid, self._user.uid, follow_symlinks=False)

    def put_file(self, name: str, data: bytes, *, mode: int = 0) -> str:
        path = self._files / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)  # the program put it there
        path.unlink(missing_ok=True)  # it may exist with other permissions
        path.touch(mode=0o600)
        path.write_bytes(data)
        path.chmod(mode or 0o644)
        if mode and self._user is not None:
            os.chown(path, self._user.uid, self._user.uid)
        return str(path)

    def kind_of(self, path: str) -> Kind:
        try:
            mode = (self._work / path).lstat().st_mode
        except OSError:
            return "missing"
        kinds: dict[int, Kind] = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFSOCK: "socket"}
        return kinds.get(stat.S_IFMT(mode), "other")

    # -- programs ----------------------------------------------------------------------------------------------

    def start(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> LocalProcess:
        words = [self._interpreter if argv[0] in ("python3", "python") else argv[0], *argv[1:]]
        if "/" in words[0] and not os.path.isabs(words[0]):
            words[0] = str(self._work / words[0])  # as a shell would find it from the working folder
        try:
            popen = subprocess.Popen(
                words,
                cwd=self._work,
                env=self._environment(env),
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                **self._restrictions(self._limits.processes),
            )
        except (OSError, subprocess.SubprocessError) as error:
            # One with a name is of the program: what its own processes have left no room for is its own doing.
            named = isinstance(error, OSError) and error.filename is not None and error.errno not in OURS
            if not named:
                why = shortage(error) or getattr(error, "strerror", None) or str(error)
                raise LabError(f"this machine cannot start {argv[0]}: {why}") from None
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise CannotStart(f"{argv[0]} cannot be started ({reason}): is it there, built and executable?") from None
        self._started[popen.pid] = popen
        return LocalProcess(popen, self._family)

    def _family(self, pid: int) -> list[psutil.Process]:
        running = [each for each, popen in self._started.items() if popen.poll() is None]
        return processes.family(self._user, running, pid)

    def _environment(self, more: Mapping[str, str] | None) -> dict[str, str]:
        """A clean environment: a program gets nothing from the tester's except what any login has."""
        keep = ("PATH", "SYSTEMROOT", "TEMP", "TMP")  # the latter three: Windows cannot open sockets without
        clean = {name: os.environ[name] for name in keep if name in os.environ}
        if self._user is not None:  # else a tool that is missing would be "Permission denied"
            folders = clean.get("PATH", os.defpath).split(os.pathsep)
            clean["PATH"] = os.pathsep.join(folder for folder in folders if self._reachable(folder))
        return {**clean, "HOME": str(self._work), "LANG": "C.UTF-8", **(more or {})}

    def _reachable(self, folder: str) -> bool:
        """Whether the ordinary user may look for programs in a folder; asked once for each."""
        if folder not in self._folders:
            self._folders[folder] = self._user is None or self._user.can_execute(folder)
        return self._folders[folder]

    def _restrictions(self, process_limit: int) -> dict[str, Any]:
        """Arguments of Popen that make the child an ordinary, limited one."""
        if sys.platform == "win32":
            return {}
        restrict = limiter(self._limits, process_limit, self._user)
        user = {} if self._user is None else {"user": self._user.uid, "group": self._user.uid, "extra_groups": []}
        return {"start_new_session": True, "preexec_fn": restrict, "umask": 0o022, **user}

    # -- Unix-domain sockets -----------------------------------------------------------------------------------

    def connect_unix(self, path: str, timeout: float) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        try:
            connection.connect(os.path.join(self._work, path))
        except OSError as error:
            connection.close()
            raise ConnectionError(f"{path}: {error.strerror or error}") from None
        return connection

    def listen_unix(self, name: str) -> tuple[socket.socket, str]:
        path = self._files / name
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        path.chmod(0o666)
        listening.listen(128)
        return listening, str(path)

    # -- its loopback, which is everybody's here ------------------------------------------------------------------

    def connect_tcp(self, port: int, family: Family, timeout: float) -> socket.socket:
        try:
            return socket.create_connection(("::1" if family == 6 else "127.0.0.1", port), timeout)
        except OSError as error:
            if error.errno in OURS:
                raise LabError(f"the tester has no socket left: {error.strerror}") from None
            raise ConnectionError(f"port {port}: {error.strerror or error}") from None

    def listen_tcp(self, family: Family) -> tuple[socket.socket, int]:
        listening = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET)
        bind(listening, "::1" if family == 6 else "127.0.0.1")
        listening.listen(128)
        return listening, listening.getsockname()[1]

    # -- what the kernel says ----------------------------------------------------------------------------------

    def usage(self) -> Usage:
        return processes.usage(self._user, self._started)

    def trouble(self) -> str | None:
        """Without a control group the kernel does not record it."""
        return None

    def _note_the_machine(self) -> None:
        """What it has denied so far."""
        self._refused, self._ended = machine.refused_processes(), machine.ended_for_memory()

    def doubt(self) -> str | None:
        if machine.ended_for_memory() > self._ended:
            return "the kernel has ended a process, since memory was full: free some, or run fewer workers"
        if machine.refused_processes() > self._refused:
            return "this machine has refused a process: raise the limit on pids of its container, or run fewer workers"
        return machine.disk(self._limits, self._root, self._built, self._work, self._files) or machine.ports()

    def close(self) -> None:
        """End everything and remove the folders."""
        try:
            self._end_all()
        finally:
            shutil.rmtree(self._root, ignore_errors=True)
            if self._user is not None:
                self._user.release()


def local_lab(submission: Path, limits: Limits) -> tuple[LocalNode, LocalNetwork, Callable[[], None]]:
    """A lab on this machine for the submission in a folder, and the function that closes it."""
    node = LocalNode(submission, limits)
    network = LocalNetwork()

    def leave() -> None:
        network.close()
        node.close()

    return node, network, leave
