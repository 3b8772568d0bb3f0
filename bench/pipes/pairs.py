"""The pairs that are measured, and what the kernel says of a pair that runs."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HOST, NAME = "127.0.0.1", "server.example"


class Failed(Exception):
    """A pair did not do its part."""


# -- the pairs -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class End:
    """One end of a pair, before it is started."""

    role: str  #: "server" or "client"
    port: int  #: where it listens
    target: int  #: where it connects to
    folder: Path  #: with server.pem, server.key, ca.pem; for files of its own as well

    @property
    def words(self) -> list[str]:
        """The two files of a server; the roots' file and the name for a client."""
        if self.role == "server":
            return [str(self.folder / "server.pem"), str(self.folder / "server.key")]
        return [str(self.folder / "ca.pem"), NAME]


def reference(end: End) -> list[str]:
    program = str(ROOT / "reference" / "tlspipe" / "tls_pipe.py")
    first, second = end.words
    if end.role == "server":
        words = ["--forward", f"{HOST}:{end.target}", "--cert", first, "--key", second]
    else:
        words = ["--connect", f"{HOST}:{end.target}", "--ca", first, "--name", second]
    return [sys.executable, program, end.role, "--listen", f"{HOST}:{end.port}", *words]


def asyncio_pipe(end: End) -> list[str]:
    program = str(ROOT / "bench" / "pipes" / "asyncio_pipe.py")
    return [sys.executable, program, end.role, str(end.port), str(end.target), *end.words]


def uvloop_pipe(end: End) -> list[str]:
    return [*asyncio_pipe(end), "--uvloop"]


def stunnel(end: End, *, resume: str = "yes") -> list[str]:
    lines = ["foreground = yes", "pid =", "syslog = no", "debug = err", "[pipe]", f"sessionResume = {resume}"]
    lines += [f"accept = {HOST}:{end.port}", f"connect = {HOST}:{end.target}"]
    if end.role == "server":
        lines += [f"{key} = {word}" for key, word in zip(("cert", "key"), end.words, strict=True)]
    else:
        lines += ["client = yes", "verifyChain = yes", f"CAfile = {end.words[0]}"]
        lines += [f"checkHost = {NAME}", f"sni = {NAME}"]
    file = end.folder / f"stunnel-{end.role}.conf"
    file.write_text("\n".join(lines) + "\n")
    return [shutil.which("stunnel") or "stunnel4", str(file)]


def stunnel_afresh(end: End) -> list[str]:
    return stunnel(end, resume="no")


def socat(end: End) -> list[str]:
    here = f"bind={HOST},reuseaddr,fork,nodelay,backlog=1024"
    if end.role == "server":
        cert, key = end.words
        left = f"OPENSSL-LISTEN:{end.port},{here},cert={cert},key={key},verify=0"
        right = f"TCP:{HOST}:{end.target},nodelay"
    else:
        left = f"TCP-LISTEN:{end.port},{here}"
        right = f"OPENSSL:{HOST}:{end.target},nodelay,cafile={end.words[0]},commonname={NAME},snihost={NAME}"
    return ["socat", "-b", "65536", left, right]


#: The first is the yardstick of the ratios.
PAIRS: dict[str, Callable[[End], list[str]]] = {
    "reference": reference,
    "stunnel": stunnel,
    "stunnel, no resumption": stunnel_afresh,
    "socat": socat,
    "asyncio": asyncio_pipe,
    "uvloop": uvloop_pipe,
}


def missing(name: str) -> str:
    """The one command that would bring what a pair needs; empty if it is there."""
    program = name.partition(",")[0]
    if program == "stunnel" and not (shutil.which("stunnel") or shutil.which("stunnel4")):
        return "apt-get install stunnel4"
    if program == "socat" and not shutil.which("socat"):
        return "apt-get install socat"
    if program == "uvloop" and find_spec("uvloop") is None:
        return "pip install 'socketlab[bench]'"
    return ""


def free_ports(count: int) -> list[int]:
    listeners = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def listens(port: int) -> bool:
    """Whether anybody listens there; asked of the kernel, since to connect would be a connection."""
    wanted = f":{port:04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(row[1].endswith(wanted) and row[3] == "0A" for row in rows)


# -- what the kernel says of a pair ----------------------------------------------------------------------------------


def fields_of(process: Path) -> list[bytes]:
    """What stands in its `stat` after its name, which may hold anything (proc(5))."""
    return (process / "stat").read_bytes().rpartition(b")")[2].split()


@dataclass
class Pair:
    """Both ends, running."""

    name: str
    backend: socket.socket  #: where the server end connects to
    port: int  #: where the client end listens
    ends: list[subprocess.Popen[bytes]]

    def processes(self) -> Iterator[Path]:
        """The folders in /proc of both ends and their children: each end is a session of its own."""
        sessions = {b"%d" % end.pid for end in self.ends}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if fields_of(folder)[3] in sessions:
                    yield folder
            except OSError:
                continue

    def cpu(self) -> float:
        """Seconds, with those of children that have ended."""
        ticks = 0
        for folder in self.processes():
            with suppress(OSError):  # one that ends just now: its parent will have its seconds
                ticks += sum(map(int, fields_of(folder)[11:15]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Bytes (Pss)."""
        total = 0
        for folder in self.processes():
            for line in (folder / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total

    def connect(self) -> tuple[socket.socket, socket.socket]:
        """A connection through it: its two plain sides, after a byte has come through and back."""
        front = socket.create_connection((HOST, self.port), timeout=20)
        front.sendall(b"?")
        back, _ = self.backend.accept()
        for sock in (front, back):
            sock.settimeout(20)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if back.recv(1) != b"?" or back.send(b"!") != 1 or front.recv(1) != b"!":
            raise Failed(f"{self.name}: other bytes came")
        return front, back


@contextmanager
def running(name: str, folder: Path) -> Iterator[Pair]:
    """A pair that listens."""
    backend = socket.create_server((HOST, 0), backlog=1024)
    backend.settimeout(20)
    ports = free_ports(2)
    ends: list[subprocess.Popen[bytes]] = []
    targets = [backend.getsockname()[1], ports[0]]
    try:
        for role, port, target in zip(("server", "client"), ports, targets, strict=True):
            argv = PAIRS[name](End(role, port, target, folder))
            ends.append(
                subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
            )
            latest = time.monotonic() + 20
            while not listens(port):
                if time.monotonic() > latest or ends[-1].poll() is not None:
                    raise Failed(f"{name}: the {role} does not listen: {' '.join(argv)}")
                time.sleep(0.02)
        yield Pair(name, backend, ports[1], ends)
    finally:
        for end in ends:
            os.killpg(end.pid, signal.SIGKILL)
            end.wait()
        backend.close()
