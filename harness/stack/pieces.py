"""Where the pieces of a stack run, and how one reaches another that is elsewhere."""

from __future__ import annotations

import signal
import socket
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Protocol

from harness.actors.cast import Cast, Where
from harness.actors.program import PATIENCE
from harness.actors.server import Server
from harness.actors.story import Broken
from harness.course.address import Address, parse_address
from harness.lab.interface import Family, LabError
from harness.lab.own_address import bind
from harness.stack.bridge import Bridge, Tap
from harness.transport.checks.reference_programs import ReferenceServer, start

#: Whose piece it is.
Whose = Literal["yours", "the reference's"]


class _Piece(ReferenceServer):
    """One that may have started another: it is told to end before it is killed, and ends that, too."""

    def dismiss(self) -> None:
        """End of the test."""
        if self.runs():
            self._process.signal(signal.SIGTERM)
            self.status(within=2.0)
        super().dismiss()


class Loopback(Protocol):
    """One machine's own loopback. The nodes of a lab are some, the tester is one."""

    def connect_tcp(self, port: int, family: Family, timeout: float) -> socket.socket: ...
    def listen_tcp(self, family: Family) -> tuple[socket.socket, int]: ...


class Here:
    """The tester's own."""

    def connect_tcp(self, port: int, family: Family, timeout: float) -> socket.socket:
        """A connection to a port. Raises OSError."""
        return socket.create_connection((host_of(family), port), timeout)

    def listen_tcp(self, family: Family) -> tuple[socket.socket, int]:
        """A listening socket and its port. Raises LabError."""
        listening = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET)
        bind(listening, host_of(family))
        listening.listen(128)
        return listening, listening.getsockname()[1]


def host_of(family: Family) -> str:
    """The loopback's own address."""
    return "::1" if family == 6 else "127.0.0.1"


def at(port: int, family: Family = 4) -> Address:
    """An address of the loopback."""
    return Address("tcp", host=host_of(family), port=port)


class Side:
    """One of the two machines that a stack connects: the submission's node there, and the tester in its place."""

    def __init__(self, cast: Cast, where: Where) -> None:
        self.where: Where = where
        self._cast = cast
        self._here = Here()
        self._folder = cast.keep(_Files())

    def place(self, whose: Whose) -> Loopback:
        """Where a piece of theirs runs."""
        return self._cast.home(self.where) if whose == "yours" else self._here

    @property
    def tester(self) -> Loopback:
        """Where nothing of a submission's runs."""
        return self._here

    def reach(self, target: Loopback, port: int, *, of: Loopback, family: Family = 4, tap: Tap | None = None) -> int:
        """The port of `of`'s loopback at which a port of `target`'s is reached; its own if they are the same."""
        if target is of:
            return port
        listening, own = of.listen_tcp(4)
        connect: Callable[[], socket.socket] = lambda: target.connect_tcp(port, family, PATIENCE)  # noqa: E731
        self._cast.keep(Bridge(listening, connect, tap or (lambda *_: None)))
        return own

    def serves(
        self, whose: Whose, program: str, *words: object, at: str, flags: Sequence[object], within: float = 2 * PATIENCE
    ) -> Server:
        """Start a program here that listens. Raises Broken, CannotStart, LabError."""
        cast = self._cast
        texts = [str(flag) for flag in flags]
        if whose == "yours":
            return cast.serves(program, *words, at=at, flags=texts, node=self.where, within=within)
        if cast.reference is None:
            raise LabError("this check needs the reference, and the job names none")
        asked = parse_address(at)
        arguments = [*texts, str(asked), *map(str, words)]
        cast.story.add("tester", f"starts the reference's {program} in its place")
        process = start(cast.reference, cast.assignment.programs, program, arguments)
        name = f"the reference's {program}"
        server = cast.keep(_Piece(name, process, cast.story, output_limit=cast.output_limit))
        try:
            server.waits_until_listening(asked, within=within)
        except Broken as error:
            raise LabError(f"the reference does not listen: {error.message} ({error.seen})") from None
        return server

    def command(self, whose: Whose, program: str) -> list[str]:
        """How a program is started there, as words for another program."""
        return list(self._cast.programs[program] if whose == "yours" else self._cast.assignment.programs[program])

    def file(self, whose: Whose, name: str, data: bytes, *, mode: int = 0) -> str:
        """Write a file for a piece of theirs; its path."""
        if whose == "yours":
            return self._cast.home(self.where).put_file(name, data, mode=mode)
        return self._folder.put(f"{self.where}-{name}", data, mode or 0o644)


class _Files:
    """A folder for the reference's pieces."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sl-stack-")

    def put(self, name: str, data: bytes, mode: int) -> str:
        path = Path(self._folder.name, name)
        path.touch(mode=0o600)
        path.write_bytes(data)
        path.chmod(mode)
        return str(path)

    def dismiss(self) -> None:
        self._folder.cleanup()
