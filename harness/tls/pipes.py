"""The submission's pipes: `lab.pipes`. A lab of another assignment never loads it.

A way through a pipe is a connection of which the tester holds both ends, the plain one and the one with TLS. Whether
the pipe shows the right certificate is not asked there: a test of something else should not fail for it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from harness.actors.cast import Cast
from harness.actors.listener import Listener
from harness.actors.peer import Peer
from harness.actors.program import PATIENCE, Program
from harness.actors.server import Server
from harness.actors.story import Broken
from harness.course.address import Address
from harness.lab.interface import LabError
from harness.text.printable import printable
from harness.tls.load.backend import Echo
from harness.tls.logs import endings, secret_in
from harness.tls.middle.middle import Middle
from harness.tls.peer.contexts import BOTH, Versions
from harness.tls.peer.peer import SIDE, TlsPeer
from harness.tls.words import TlsWords
from harness.tls.zoo.zoo import Identity

#: What the end without TLS is called in the story.
PLAIN = "the plain side"
#: The name of the program in assignment.toml.
PIPE = "tls_pipe"
#: Nobody sends more than that where the end of a connection is waited for, in bytes.
_TOO_MUCH = 10_000_000


class PipeConnection(NamedTuple):
    """A connection through a pipe."""

    pipe: Server
    tls: TlsPeer  #: on the wire
    plain: Peer  #: on the other side


class Pipes:
    """The submission as `tls_pipe client` and `tls_pipe server`."""

    def __init__(self, cast: Cast, tls: TlsWords) -> None:
        self._cast = cast
        self._tls = tls
        self._story = cast.story
        self._put_file = cast.node.put_file
        self._stems: dict[Program, str] = {}  # what the files of each pipe are called

    def server(
        self,
        *options: object,
        backend: Listener | Echo | Middle | Address,
        identity: Identity | None = None,
        client_ca: bytes | None = None,
        at: str = "0.0.0.0:0",
        files: int | None = None,
        within: float = PATIENCE,
    ) -> Server:
        """Start the student's `tls_pipe server` (TLS in front, plain behind) and wait until it listens.

        identity: default a good one of the zoo; client_ca: ask clients for a certificate; files: with so many
        descriptors and not more. Raises Broken, CannotStart.
        """
        stem = self._names()
        words = ["--forward", _place(backend), *self._pair(stem, identity or self._tls.good)]
        if client_ca is not None:
            words += ["--client-ca", self._put_file(f"{stem}-ca.pem", client_ca)]
        return self._pipe("server", [*words, *options], at, stem, within, files)

    def client(
        self,
        *options: object,
        target: Listener | Echo | Middle | Address,
        name: str = "server.example",
        ca: bytes | None = None,
        identity: Identity | None = None,
        at: str = "0.0.0.0:0",
        files: int | None = None,
        within: float = PATIENCE,
    ) -> Server:
        """Start the student's `tls_pipe client` (plain in front, TLS behind) and wait until it listens.

        ca: the roots it believes, default the zoo's; identity: default none is shown; files: with so many descriptors
        and not more. Raises Broken, CannotStart.
        """
        stem = self._names()
        trusted = self._put_file(f"{stem}-ca.pem", self._tls.zoo.ca if ca is None else ca)
        words = ["--connect", _place(target), "--ca", trusted, "--name", name]
        if identity is not None:
            words += self._pair(stem, identity)
        return self._pipe("client", [*words, *options], at, stem, within, files)

    def renews(
        self, pipe: Server, *, identity: Identity | None = None, ca: bytes | None = None, mode: int = 0o600
    ) -> None:
        """Write other certificates (and roots) into the files a pipe was started with; it is not told.

        mode: who may read the key.
        """
        stem = self._stems[pipe]
        if identity is not None:
            self._pair(stem, identity, mode=mode)
        if ca is not None:
            self._put_file(f"{stem}-ca.pem", ca)
        self._story.add("tester", f"writes other certificates into the files of {pipe.name}")

    def _names(self) -> str:
        return f"pipe{len(self._stems) + 1}"

    def _pair(self, stem: str, identity: Identity, *, mode: int = 0o600) -> list[str]:
        certificates = self._put_file(f"{stem}-cert.pem", identity.certificates)
        return ["--cert", certificates, "--key", self._put_file(f"{stem}-key.pem", identity.key, mode=mode)]

    def _pipe(self, role: str, words: Sequence[object], at: str, stem: str, within: float, files: int | None) -> Server:
        pipe = self._cast.serves(PIPE, *words, at=at, within=within, files=files, flags=(role, "--listen"))
        self._stems[pipe] = stem
        return pipe

    # -- ways through it -------------------------------------------------------------------------------------------

    def starts(
        self, role: str, *options: object, at: str = "0.0.0.0:0", files: int | None = None, **how: Any
    ) -> tuple[Server, Listener]:
        """A pipe in that role ("client" or "server"), and who is behind it (as listens takes it). Raises Broken."""
        behind = self._cast.listens(**how)
        if role == "client":
            return self.client(*options, target=behind, at=at, files=files), behind
        return self.server(*options, backend=behind, at=at, files=files), behind

    def joins(
        self,
        role: str,
        pipe: Server,
        behind: Listener,
        *,
        buffer: int | None = None,
        segment: int | None = None,
        quietly: bool = False,
        **how: Any,
    ) -> tuple[Peer, TlsPeer]:
        """One more connection through the pipe: its plain end and its TLS end. Raises Broken.

        buffer, segment: receive buffer of who connects, and the largest segment it takes, in bytes; how: as
        `lab.tls.server` and `lab.tls.client` take it.
        """
        names = (PLAIN, SIDE) if role == "client" else (SIDE, PLAIN)  # who connects, and who is behind the pipe
        near = self._cast.connects(pipe, receive_buffer=buffer, segment=segment, name=names[0], quietly=quietly)
        if role == "client":
            return near, self._tls.server(behind.accepts(name=names[1], quietly=quietly), **how)
        tls = self._tls.client(near, name=None, **how)
        return behind.accepts(name=names[1], quietly=quietly), tls

    def reaches(self, role: str, pipe: Server, behind: Listener, *, quietly: bool = False) -> tuple[Peer | None, Peer]:
        """A connection to the pipe without a handshake: its plain end, if there is one yet, and its raw other end."""
        near = self._cast.connects(pipe, quietly=quietly)
        return (near, behind.accepts(quietly=quietly)) if role == "client" else (None, near)

    def ways(
        self,
        role: str,
        *options: object,
        receive_buffer: int | None = None,
        behind: int | None = None,
        segment: int | None = None,
        files: int | None = None,
        versions: Versions = BOTH,
    ) -> PipeConnections:
        """Start a pipe in this role; it opens ways when it is asked. Raises Broken.

        receive_buffer: of both of the tester's ends; `behind`: of the far one. segment: the largest that both ends
        take, so that the kernel holds little for the pipe. files: with so many descriptors.
        """
        sizes: dict[str, Any] = {"receive_buffer": behind or receive_buffer, "segment": segment}
        pipe, listener = self.starts(role, *options, files=files, **sizes)
        return PipeConnections(self, role, pipe, listener, (receive_buffer, segment), versions)

    def opens(
        self, role: str, *options: object, receive_buffer: int | None = None, segment: int | None = None
    ) -> PipeConnection:
        """Start a pipe in this role and open a way through it. Raises Broken."""
        return self.ways(role, *options, receive_buffer=receive_buffer, segment=segment).opens()

    def carries(self, way: PipeConnection, count: int = 1000) -> None:
        """Some bytes go both ways. Raises Broken."""
        data = self._cast.rng.randbytes(count)
        way.tls.sends(data)
        way.plain.reads_exactly(data)
        way.plain.sends(data[::-1])
        way.tls.reads_exactly(data[::-1])

    # -- what must not be ------------------------------------------------------------------------------------------

    def nothing_comes_out(self, plain: Peer, although: str) -> None:
        """Not one byte comes before the plain side's connection is over. although: why it must not. Raises Broken."""
        self._comes_not(comes_out(plain), although)

    def only_a_reset_comes_out(self, plain: Peer, although: str, *, within: float = PATIENCE) -> None:
        """The plain side's connection is reset, and not one byte comes before that. Raises Broken."""
        self._comes_not(plain.sees_reset(within=within), although)

    def _comes_not(self, came: bytes, although: str) -> None:
        rule, otherwise = "not one byte comes out", f"bytes came out on the plain side although {although}"
        self._cast.expect(not came, rule, seen=came, otherwise=otherwise)

    def meets_nobody(self, behind: Listener, although: str) -> None:
        """The pipe has not connected to what is behind it. although: why it must not. Raises Broken."""
        otherwise = f"the pipe connected to what is behind it although {although}"
        self._cast.expect(not behind.peers, "nobody is connected to", otherwise=otherwise)

    # -- what a pipe says ----------------------------------------------------------------------------------------

    def ends_as(self, pipe: Program, *words: str, count: int = 1, within: float = PATIENCE) -> None:
        """So many connections have ended by its log, and the last one as one of these words. Raises Broken."""

        def enough(log: bytearray) -> bool:
            # Counting first: a flood that is none of these lines must not be looked through again and again.
            return log.count(b"ended: ") >= count and len(endings(bytes(log))) >= count

        log = pipe.complains(enough, within=within)
        seen, expected = [printable(word[:40]) for word in endings(log)], " or ".join(words)
        if len(seen) == count and seen[-1] in words:
            self._story.add("student", f"{pipe.name} logged: ended: {seen[-1]}")
            return
        lines = f"{count} line" + ("s that begin" if count > 1 else " that begins") + " with 'ended: '"
        late = len(seen) < count and pipe.status(within=0.2) is None
        raise pipe.broken(
            f"{pipe.name} logged the end of a connection as {seen[-1]!r}"
            if len(seen) == count
            else f"{pipe.name} logged {len(seen)} ends of connections, not {count}"
            + (f", within {within:g} s" if late else ""),
            verdict="timeout" if late else "fail",
            expected=f"{lines}, the last one {expected}",
            seen=", ".join([*seen[:12], "..."] if len(seen) > 12 else seen) or "none",
        )

    def no_secret(self, pipe: Program, *secrets: bytes) -> None:
        """None of these is in its output, as it is or in hex or base64; of a PEM file: no line of it. Raises Broken."""
        for output, stream in ((pipe.stdout, "standard output"), (pipe.stderr, "standard error")):
            if (how := secret_in(output, secrets)) is not None:
                raise Broken(
                    f"{pipe.name} wrote something secret to its {stream}",
                    expected="no plaintext, no key in what it prints",
                    seen=f"a secret, {how}",
                )
        self._story.add("tester", f"finds nothing secret in what {pipe.name} printed")


class PipeConnections:
    """A pipe and ways through it: `lab.pipes.ways`."""

    def __init__(
        self,
        pipes: Pipes,
        role: str,
        pipe: Server,
        listener: Listener,
        sizes: tuple[int | None, int | None],
        versions: Versions,
    ) -> None:
        """sizes: receive buffer and segment of who connects."""
        self.pipe, self.listener = pipe, listener
        self._pipes, self.role, self._sizes, self._versions = pipes, role, sizes, versions

    def opens(self, versions: Versions | None = None, *, quietly: bool = False) -> PipeConnection:
        """One more connection. Raises Broken."""
        plain, tls = self._pipes.joins(
            self.role,
            self.pipe,
            self.listener,
            buffer=self._sizes[0],
            segment=self._sizes[1],
            quietly=quietly,
            versions=versions or self._versions,
        )
        return PipeConnection(self.pipe, tls, plain)

    def carries(self, way: PipeConnection, count: int = 1000) -> None:
        """Some bytes go both ways. Raises Broken."""
        self._pipes.carries(way, count)


def exchange(plain: Peer, tls: TlsPeer) -> None:
    """Both ways are open. Raises Broken."""
    plain.sends(b"hello, who is there?")
    tls.reads_exactly(b"hello, who is there?")
    tls.sends(b"it is me, as I have proved")
    plain.reads_exactly(b"it is me, as I have proved")


def comes_out(end: Peer, *, within: float = PATIENCE) -> bytes:
    """All that comes until a connection is over, by whatever end. Raises Broken."""
    came = bytearray()
    deadline = time.monotonic() + within
    while True:
        while (piece := end.sips(65_536)) is not None:
            came += piece
            if not piece or len(came) > _TOO_MUCH:
                return bytes(came)
        if time.monotonic() > deadline:
            seen = f"silence, {len(came):,} bytes before it"
            raise Broken(f"the connection of {end.name} goes on", verdict="timeout", expected="its end", seen=seen)
        time.sleep(0.02)


def _place(there: Listener | Echo | Middle | Address) -> str:
    address = there if isinstance(there, Address) else there.address
    if address.kind != "tcp":
        raise LabError(f"a pipe cannot be told to go to {address}")
    return str(address)
