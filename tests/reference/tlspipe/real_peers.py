"""Programs that nobody here wrote, as ends of TLS: openssl, stunnel, socat. How each is started, in both roles.

Whatever they are, a test sees their plain side only: `Side` sends, hears and ends.
"""

from __future__ import annotations

import re
import select
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.tls.zoo.certificates import EXPIRED
from harness.tls.zoo.zoo import Identity, Zoo
from tests.reference.tlspipe.running import WITHIN, Running, Side, SocketSide, StdioSide

ROOT = Path(__file__).resolve().parents[3]
PIPE = ROOT / "reference" / "tlspipe" / "tls_pipe.py"
HOST, NAME = "127.0.0.1", "server.example"


# -- the world of one test -------------------------------------------------------------------------------------------


@dataclass
class Files:
    """An identity as files: all certificates, the first, the others, the key."""

    chain: Path
    leaf: Path
    above: Path
    key: Path


class World:
    """Starts programs, and ends those it started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._programs: list[Running] = []
        self._sockets: list[socket.socket] = []
        self._files = 0

    def file(self, content: bytes) -> Path:
        """A new file that nobody else may read."""
        self._files += 1
        path = self.folder / f"file-{self._files}"
        path.touch(0o600)
        path.write_bytes(content)
        return path

    def files(self, identity: Identity) -> Files:
        leaf, *above = re.findall(rb"-----BEGIN.*?-----END CERTIFICATE-----\n", identity.certificates, re.DOTALL)
        chain = self.file(identity.certificates)
        return Files(chain, self.file(leaf), self.file(b"".join(above)), self.file(identity.key))

    def runs(self, *argv: object) -> Running:
        program = Running(*argv)
        self._programs.append(program)
        return program

    def listener(self) -> socket.socket:
        """A socket that listens and waits WITHIN for who comes."""
        listener = socket.create_server((HOST, 0))
        listener.settimeout(WITHIN)
        self._sockets.append(listener)
        return listener

    def accepts(self, listener: socket.socket) -> SocketSide:
        sock, _ = listener.accept()
        self._sockets.append(sock)
        return SocketSide(sock)

    def connects(self, port: int) -> SocketSide:
        sock = socket.create_connection((HOST, port), timeout=WITHIN)
        self._sockets.append(sock)
        return SocketSide(sock)

    def is_reset(self, port: int) -> None:
        """Who connects there and speaks is reset, and nothing comes before that."""
        try:
            client = self.connects(port)
            client.sock.sendall(b"secret")
        except ConnectionResetError:
            return  # faster than we; the kernel tells it once, so there is nothing left for recv() to tell
        client.hears_reset()

    def close(self) -> None:
        for program in self._programs:
            program.kill()
        for sock in self._sockets:
            sock.close()

    # -- the reference -----------------------------------------------------------------------------------------------

    def pipe_server(self, backend: int, identity: Identity, *options: object) -> tuple[Running, int]:
        """`tls_pipe server`, and where it listens."""
        files = self.files(identity)
        words = ["--forward", f"{HOST}:{backend}", "--cert", files.chain, "--key", files.key]
        return self._pipe("server", *words, *options)

    def pipe_client(self, target: int, ca: bytes | Path, *options: object, name: str = NAME) -> tuple[Running, int]:
        """`tls_pipe client`, and where it listens."""
        roots = ca if isinstance(ca, Path) else self.file(ca)
        words = ["--connect", f"{HOST}:{target}", "--ca", roots, "--name", name]
        return self._pipe("client", *words, *options)

    def _pipe(self, role: str, *options: object) -> tuple[Running, int]:
        program = self.runs(sys.executable, PIPE, role, "--listen", f"{HOST}:0", *options)
        return program, int(program.says(r"listening on \S+:(\d+)\n").group(1))

    # -- the others as clients ---------------------------------------------------------------------------------------

    def client(
        self, kind: str, port: int, ca: bytes, *, name: str = NAME, identity: Identity | None = None, version: str = ""
    ) -> tuple[Running, Side]:
        """A client of that kind that talks to `port` and believes `ca`; the program, and its plain side."""
        own = self.files(identity) if identity else None
        return {"openssl": self.s_client, "stunnel": self._stunnel_client, "socat": self._socat_client}[kind](
            port, self.file(ca), name, own, version
        )

    def s_client(
        self, port: int, ca: Path, name: str, own: Files | None, version: str, *options: object, quiet: bool = True
    ) -> tuple[Running, Side]:
        argv = ["openssl", "s_client", "-connect", f"{HOST}:{port}", "-CAfile", ca, "-verify_return_error"]
        argv += ["-servername", name, "-verify_hostname", name]
        argv += ["-quiet", "-no_ign_eof", "-nocommands"] if quiet else []
        if own:
            argv += ["-cert", own.leaf, "-cert_chain", own.above, "-key", own.key]
        argv += [f"-tls{version.replace('.', '_')}"] if version else []
        program = self.runs(*argv, *options)
        return program, StdioSide(program)

    def _stunnel_client(self, port: int, ca: Path, name: str, own: Files | None, version: str) -> tuple[Running, Side]:
        lines = ["client = yes", f"connect = {HOST}:{port}", f"CAfile = {ca}", "verifyChain = yes"]
        lines += [f"checkHost = {name}", f"sni = {name}"]
        program, plain = self._stunnel(lines, own, version)
        return program, self.connects(plain)

    def _socat_client(self, port: int, ca: Path, name: str, own: Files | None, version: str) -> tuple[Running, Side]:
        words = f"OPENSSL:{HOST}:{port},cafile={ca},commonname={name},snihost={name},verify=1" + _socat(own, version)
        # -t: how long the other direction may go on after one has ended
        program = self.runs("socat", "-t", WITHIN, "STDIO", words)
        return program, StdioSide(program)

    # -- the others as servers ---------------------------------------------------------------------------------------

    def server(
        self, kind: str, identity: Identity, *, client_ca: bytes | None = None, version: str = ""
    ) -> tuple[Running, int, Callable[[], Side]]:
        """A server of that kind: the program, its port, and its plain side once somebody is connected."""
        roots = self.file(client_ca) if client_ca else None
        start = {"openssl": self.s_server, "stunnel": self._stunnel_server, "socat": self._socat_server}[kind]
        return start(self.files(identity), roots, version)

    def s_server(
        self, own: Files, roots: Path | None, version: str, *options: object
    ) -> tuple[Running, int, Callable[[], Side]]:
        argv = ["openssl", "s_server", "-accept", f"{HOST}:0", "-cert", own.leaf, "-key", own.key]
        argv += ["-cert_chain", own.above]
        argv += ["-CAfile", roots, "-Verify", "3", "-verify_return_error"] if roots else []
        argv += [f"-tls{version.replace('.', '_')}"] if version else []
        program = self.runs(*argv, *options)
        port = int(program.says(r"ACCEPT \S+:(\d+)\n").group(1))
        side = StdioSide(program)
        return program, port, lambda: side

    def _stunnel_server(self, own: Files, roots: Path | None, version: str) -> tuple[Running, int, Callable[[], Side]]:
        backend = self.listener()
        lines = [f"connect = {HOST}:{backend.getsockname()[1]}"]
        lines += [f"CAfile = {roots}", "verifyChain = yes"] if roots else []
        program, port = self._stunnel(lines, own, version)
        return program, port, lambda: self.accepts(backend)

    def _socat_server(self, own: Files, roots: Path | None, version: str) -> tuple[Running, int, Callable[[], Side]]:
        verify = f",cafile={roots},verify=1" if roots else ",verify=0"
        words = f"OPENSSL-LISTEN:0,bind={HOST}" + verify + _socat(own, version)
        program = self.runs("socat", "-d", "-d", "-t", WITHIN, words, "STDIO")
        port = int(program.says(r"listening on \S+ \S+:(\d+)\n").group(1))
        side = StdioSide(program)
        return program, port, lambda: side

    def _stunnel(self, lines: list[str], own: Files | None, version: str) -> tuple[Running, int]:
        lines = ["foreground = yes", "pid =", "syslog = no", "debug = info", "[pipe]", f"accept = {HOST}:0", *lines]
        lines += [f"cert = {own.chain}", f"key = {own.key}"] if own else []
        lines += [f"sslVersion = TLSv{version}"] if version else []
        config = self.file("\n".join([*lines, ""]).encode())
        program = self.runs(shutil.which("stunnel") or "stunnel4", config)
        return program, int(program.says(r"bound to \S+:(\d+)\n").group(1))


def _socat(own: Files | None, version: str) -> str:
    words = f",cert={own.chain},key={own.key}" if own else ""
    if version:
        words += f",openssl-min-proto-version=TLS{version},openssl-max-proto-version=TLS{version}"
    return words


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Nothing that was started in it is left afterwards."""
    here = World(folder)
    try:
        yield here
    finally:
        here.close()


# -- what several tests begin with -----------------------------------------------------------------------------------


def wrong(zoo: Zoo, fault: str, role: str = "server") -> Identity:
    """An identity with one fault."""
    if fault == "untrusted root":
        return zoo.stranger("server" if role == "server" else "client")
    make = zoo.server if role == "server" else zoo.client
    return make("other.example") if fault == "wrong name" else make(lifetime=EXPIRED)


FAULTS = ("wrong name", "untrusted root", "expired")


def nobody_comes(listener: socket.socket) -> None:
    """Nobody is connected, and nobody is waiting to be accepted."""
    assert not select.select([listener], [], [], 0)[0], "a refused peer was forwarded"


def served(
    here: World, zoo: Zoo, *options: object, identity: Identity | None = None
) -> tuple[socket.socket, Running, int]:
    """A `tls_pipe server` before a listener: the listener, the pipe, its port."""
    backend = here.listener()
    pipe, port = here.pipe_server(backend.getsockname()[1], identity or zoo.server(), *options)
    return backend, pipe, port
