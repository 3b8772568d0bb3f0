"""Ways through a pipe: connections of which the tester holds both ends, the plain one and the one with TLS.

For tests, which import this by name. Whether a pipe shows the right certificate is not asked here: a test of something
else should not fail for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from harness.actors.program import PATIENCE
from harness.actors.story import Broken
from harness.tls.peer.contexts import BOTH, Versions
from harness.tls.record_layer.records import is_tls, plaintext_in

if TYPE_CHECKING:
    from harness.actors.listener import Listener
    from harness.actors.peer import Peer
    from harness.actors.program import Server
    from harness.tester.scene import Scene
    from harness.tls.peer.peer import TlsPeer

#: Nobody sends more than that where the end of a connection is waited for, in bytes.
_TOO_MUCH = 10_000_000


class Way(NamedTuple):
    """A connection through a pipe."""

    pipe: Server
    tls: TlsPeer  #: on the wire
    plain: Peer  #: on the other side


def starts(lab: Scene, role: str, *options: object, at: str = "0.0.0.0:0", **how: Any) -> tuple[Server, Listener]:
    """A pipe in that role ("client" or "server"), and who is behind it (as listens takes it). Raises Broken."""
    behind = lab.listens(**how)
    if role == "client":
        return lab.tls.pipe_client(*options, target=behind, at=at), behind
    return lab.tls.pipe_server(*options, backend=behind, at=at), behind


def joins(
    lab: Scene,
    role: str,
    pipe: Server,
    behind: Listener,
    *,
    buffer: int | None = None,
    quietly: bool = False,
    **how: Any,
) -> tuple[Peer, TlsPeer]:
    """One more connection through the pipe: its plain end and its TLS end. Raises Broken.

    buffer: receive buffer of who connects, in bytes; how: as tls_server and tls_client take it.
    """
    near = lab.connects(pipe, receive_buffer=buffer, quietly=quietly)
    if role == "client":
        return near, lab.tls.server(behind.accepts(), **how)
    tls = lab.tls.client(near, name=None, **how)
    return behind.accepts(), tls


def reaches(lab: Scene, role: str, pipe: Server, behind: Listener) -> tuple[Peer | None, Peer]:
    """A connection to the pipe without a handshake: its plain end, if there is one yet, and its raw other end."""
    near = lab.connects(pipe)
    return (near, behind.accepts()) if role == "client" else (None, near)


def exchange(plain: Peer, tls: TlsPeer) -> None:
    """Both ways are open. Raises Broken."""
    plain.sends(b"hello, who is there?")
    tls.reads_exactly(b"hello, who is there?")
    tls.sends(b"it is me, as I have proved")
    plain.reads_exactly(b"it is me, as I have proved")


class Ways:
    """A pipe, and connections through it. receive_buffer: of both of the tester's ends; `behind`: of the far one."""

    def __init__(
        self,
        lab: Scene,
        role: str,
        *options: object,
        receive_buffer: int | None = None,
        behind: int | None = None,
        versions: Versions = BOTH,
    ) -> None:
        self.lab, self.role, self._buffer, self._versions = lab, role, receive_buffer, versions
        self.pipe, self.listener = starts(lab, role, *options, receive_buffer=behind or receive_buffer)

    def opens(self, versions: Versions | None = None, *, quietly: bool = False) -> Way:
        """One more connection. Raises Broken."""
        plain, tls = joins(
            self.lab,
            self.role,
            self.pipe,
            self.listener,
            buffer=self._buffer,
            quietly=quietly,
            versions=versions or self._versions,
        )
        return Way(self.pipe, tls, plain)

    def carries(self, way: Way, count: int = 1000) -> None:
        """Some bytes go both ways. Raises Broken."""
        carries(self.lab, way, count)


def opens(lab: Scene, role: str, *options: object, receive_buffer: int | None = None) -> Way:
    """Start a pipe in this role and open a connection through it. Raises Broken."""
    return Ways(lab, role, *options, receive_buffer=receive_buffer).opens()


def carries(lab: Scene, way: Way, count: int = 1000) -> None:
    """Some bytes go both ways. Raises Broken."""
    data = lab.random_bytes(count)
    way.tls.sends(data)
    way.plain.reads_exactly(data)
    way.plain.sends(data[::-1])
    way.tls.reads_exactly(data[::-1])


def comes_out(lab: Scene, end: Peer, *, within: float = PATIENCE) -> bytes:
    """All that comes until a connection is over, by whatever end. Raises Broken."""
    came = bytearray()

    def over() -> bool:
        while (piece := end.sips(65_536)) is not None:
            came.extend(piece)
            if not piece or len(came) > _TOO_MUCH:
                return True
        return False

    if not lab.waits_until(over, within=within):
        raise Broken(
            "the connection goes on",
            verdict="timeout",
            expected="its end",
            seen=f"silence, {len(came):,} bytes before it",
        )
    return bytes(came)


def is_private(lab: Scene, wire: bytes, *plain: bytes) -> None:
    """Whoever listens on the wire sees TLS and learns nothing. Raises Broken."""
    lab.expect(wire and is_tls(wire), "on the wire is TLS, from the first byte to the last", seen=wire[:60])
    leak = plaintext_in(wire, plain)
    lab.expect(leak is None, "nothing on the wire is plain text", seen=leak and f"plain text, {leak.how}")
