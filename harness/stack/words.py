"""The words of a test for everything composed: `lab.stack`. A lab of another assignment never loads it.

    client ── tls_pipe client ── join ── rdt_pipe ══ link ══ rdt_pipe --listen ── join ── tls_pipe server ── server
    tester    first node ........................            second node ............................        tester

Each of the two layers, TLS and the transport with its adapter, is the submission's or the reference's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.actors.carried import account_for_all, carried
from harness.actors.cast import Cast
from harness.actors.listener import Listener
from harness.actors.peer import Peer
from harness.actors.program import PATIENCE
from harness.actors.server import Server
from harness.actors.story import Broken
from harness.course.address import Address
from harness.course.assignment import Assignment
from harness.course.misplaced import expected_files
from harness.lab.interface import CannotStart, Family, LabError
from harness.lab.local.network import LocalNetwork
from harness.lab.relay.loop import RelayLoop
from harness.link.trace import Packet
from harness.stack import layers
from harness.stack.curl import TIMED_OUT, fetch
from harness.stack.pieces import Side, Whose, at, host_of
from harness.stack.web import Web
from harness.tls.words import TlsWords
from harness.tls.zoo.zoo import Identity
from harness.transport.segments import WireFormat, load_wire

#: The programs of the two layers, and the adapter, as assignment.toml calls them.
TLS, TRANSPORT, JOIN = "tls_pipe", "rdt_pipe", "join"
#: The name that the client asks for, and that the server's certificate has.
NAME = "server.example"
#: Where the wire format may stand, from the folder of assignment.toml on.
_TERMS = ("transport/term.toml", "reference/transport/term.toml", "../transport/term.toml")
#: Seconds for a handshake: its segments may be lost a few times.
_HANDSHAKE = 40
#: Bytes that are not found by chance in what is encrypted.
_TELLING = 16
#: Seconds by which a packet may leave a relay late.
_LATE = 0.05


class StackWords:
    """Stacks of the submission's pieces and the reference's."""

    def __init__(self, cast: Cast, tls: TlsWords) -> None:
        self._cast = cast
        self.tls = tls
        self.wire = wire_of(cast.assignment)

    def stands(
        self,
        *,
        pages: Mapping[str, bytes] | None = None,
        program: str = "",
        tls: Whose = "yours",
        transport: Whose = "yours",
        identity: Identity | None = None,
        family: Family = 4,
    ) -> Stack:
        """Start a whole stack, from the server's side to the client's. Raises Broken, CannotStart, LabError.

        Behind it is a web server with these pages, or that program of the submission, or a listening socket of the
        tester (`stack.behind`), at an address of that family. identity: of the server; default a good one for NAME.
        """
        stack = Stack(self._cast, self, tls, transport)
        stack.build(identity or self.tls.good, family, pages, program)
        return stack

    def fetches(
        self,
        pages: Mapping[str, bytes],
        *,
        tls: Whose = "yours",
        transport: Whose = "yours",
        within: float = 30.0,
        family: Family = 4,
    ) -> Stack:
        """curl fetches these pages through such a stack, and each comes as it is. Raises Broken, LabError.

        With pieces of the reference's: if it fails, it is tried with nothing but them, since they must not fail.
        """
        stack = self.stands(pages=pages, tls=tls, transport=transport, family=family)
        try:
            stack.curl(*pages, within=within)
        except Broken as error:
            if "the reference's" in (tls, transport):
                self._control(pages, within)
                layer = "TLS" if tls == "yours" else "transport"
                error.message += f" (with the reference in place of your {layer} it works)"
            raise
        return stack

    def _control(self, pages: Mapping[str, bytes], within: float) -> None:
        try:
            stack = self.stands(pages=pages, tls="the reference's", transport="the reference's")
            stack.curl(*pages, within=within)
        except Broken as error:
            raise LabError(f"the reference's own pieces do not do it either: {error.message}") from None


class Stack:
    """One way from a client through TLS and the transport to a server: two machines, and the link between them."""

    behind: Listener  #: what is behind it, if that is a socket of the tester
    near_pipe: Server  #: `tls_pipe client`
    far_pipe: Server  #: `tls_pipe server`
    near_join: Server  #: the transport at the client's side
    far_join: Server  #: and at the server's

    def __init__(self, cast: Cast, words: StackWords, tls: Whose, transport: Whose) -> None:
        self._cast, self._words = cast, words
        self._tls, self._transport = tls, transport
        self._near, self._far = Side(cast, "first"), Side(cast, "second")
        self._pages: Mapping[str, bytes] = {}
        self._relay: RelayLoop | None = None  # the link, if both ends of the transport are the reference's
        self.heard: list[tuple[float, str]] = []  #: (time.perf_counter(), what) at the plain ends

    # -- made, from the server's side on -------------------------------------------------------------------------

    def build(self, identity: Identity, family: Family, pages: Mapping[str, bytes] | None, program: str) -> None:
        """Start the pieces. Raises Broken, CannotStart, LabError."""
        self._cast.story.add("tester", f"builds a stack: TLS is {self._tls}, the transport is {self._transport}")
        self._look_for_the_parts()
        tls, transport, far, near = self._tls, self._transport, self._far, self._near
        server = self._serve(family, pages, program)
        files = [
            *("--cert", far.file(tls, "cert.pem", identity.certificates)),
            *("--key", far.file(tls, "key.pem", identity.key, mode=0o600)),
        ]
        words = ["--forward", at(server, family), *files, "--handshake-timeout", _HANDSHAKE]
        self.far_pipe = far.serves(tls, TLS, *words, at="127.0.0.1:0", flags=("server", "--listen"))
        address = self._carry(far.reach(far.place(tls), self.far_pipe.listening.port, of=far.place(transport)))
        flags = ["--", *near.command(transport, TRANSPORT), address]
        self.near_join = near.serves(transport, JOIN, *flags, at="127.0.0.1:0", flags=("--listen",))
        for join in (self.far_join, self.near_join):
            join.signalled = True  # it is one connection, and ends with it: that is no crash
        entry = near.reach(near.place(transport), self.near_join.listening.port, of=near.place(tls))
        roots = near.file(tls, "ca.pem", self._words.tls.zoo.ca)
        words = ["--connect", at(entry), "--ca", roots, "--name", NAME, "--handshake-timeout", _HANDSHAKE]
        self.near_pipe = near.serves(tls, TLS, *words, at="127.0.0.1:0", flags=("client", "--listen"))

    def _look_for_the_parts(self) -> None:
        """Raises CannotStart if one of the two submissions is not in this one."""
        for whose, program in ((self._tls, TLS), (self._transport, TRANSPORT)):
            for file in expected_files({program: self._cast.programs[program]}) if whose == "yours" else ():
                if self._cast.home("first").kind_of(file) == "missing":
                    part, _, _ = file.partition("/")
                    copied = f": copy your folder {part} into this one, as the handout says" if "/" in file else ""
                    raise CannotStart(f"{program} cannot be started: the submission has no file {file}{copied}")

    def _serve(self, family: Family, pages: Mapping[str, bytes] | None, program: str) -> int:
        """What is behind it all: its port on the loopback on which the TLS server is told to look for it."""
        cast, place = self._cast, self._far.place(self._tls)
        if program:
            server = cast.serves(program, at=str(at(0, family)), node="second")
            return self._far.reach(cast.home("second"), server.listening.port, of=place, family=family)
        listening, port = place.listen_tcp(family)
        if pages is None:
            cast.story.add("tester", f"listens at {at(port, family)} of the server's side")
            self.behind = cast.keep(Listener(listening, at(port, family), cast.story, ended=lambda: None))
        else:
            self._pages = pages
            cast.story.add("tester", f"has a web server at {at(port, family)} of the server, pages: {len(pages)}")
            cast.keep(Web(listening, pages, self._hears))
        return port

    def _carry(self, target: int) -> Address:
        """The transport on the server's side, which goes on to a port there; its address for the client's side."""
        cast, far = self._cast, self._far
        command = far.command(self._transport, TRANSPORT)
        flags = ["--connect", at(target), "--", *command, "--listen"]
        theirs = self._transport == "yours"
        bound = "udp:0.0.0.0:0" if theirs else f"udp:{host_of(4)}:0"
        self.far_join = far.serves(self._transport, JOIN, at=bound, flags=flags)
        if theirs:
            return cast.address_of(self.far_join)
        self._relay = RelayLoop()
        cast.keep(_Relayed(self._relay))
        self._relay.shape(up=cast.shaped[0], down=cast.shaped[1], seed=cast.seed)
        port = self.far_join.listening.port
        return self._relay.add_udp(to=Address("udp", host=host_of(4), port=port), towards="tester")

    # -- the client's end ----------------------------------------------------------------------------------------

    @property
    def address(self) -> Address:
        """What a client in the submission's first node is told."""
        near = self._near
        return at(near.reach(near.place(self._tls), self.near_pipe.listening.port, of=self._cast.home("first")))

    def connects(self, *, name: str = "the client") -> Peer:
        """The tester as the client. Raises Broken."""
        self._cast.story.add("tester", "connects to the client's end of the stack")
        try:
            sock = self._near.place(self._tls).connect_tcp(self.near_pipe.listening.port, 4, PATIENCE)
        except ConnectionError as error:
            raise self.near_pipe.broken(
                "the tester cannot connect to the client's end", expected="a connection", seen=str(error)
            ) from None
        return self._cast.keep(Peer(sock, self._cast.story, name=name))

    def entrance(self) -> Address:
        """What a client that runs with the tester is told."""
        near = self._near
        return at(near.reach(near.place(self._tls), self.near_pipe.listening.port, of=near.tester, tap=self._taps))

    def curl(self, *paths: str, within: float = 30.0) -> None:
        """curl fetches these pages over one connection, and each is as the web server has it.

        Raises Broken, LabError.
        """
        cast, port = self._cast, self.entrance().port
        cast.story.add("tester", f"starts curl for {' '.join(paths)}")
        got = fetch(port, paths, within=within)
        for path, body in zip(paths, got.bodies, strict=True):
            if body != self._pages[path] or (got.status and path == paths[-1]):
                self._tells_how_far()
                raise Broken(
                    f"curl could not fetch {path}: {got.complaint or 'it came changed'}",
                    verdict="timeout" if got.status == TIMED_OUT else "fail",
                    expected=f"the {len(self._pages[path]):,} bytes that the web server has, and status 0",
                    seen=f"{len(body):,} bytes, and exit status {got.status}",
                )
        size = sum(len(self._pages[path]) for path in paths)
        cast.story.add("tester", f"finds: every page came as it is, {size:,} bytes")

    def curl_fails(self, path: str, *, within: float = 20.0) -> None:
        """curl gets nothing of this page, and says so. Raises Broken, LabError."""
        self._cast.story.add("tester", f"starts curl for {path}, which must not get it")
        got = fetch(self.entrance().port, [path], within=within)
        self._cast.expect(
            got.status not in (0, TIMED_OUT) and not got.bodies[0],
            "curl is refused, and not one byte comes out",
            expected="an error at once, and no byte",
            seen=f"exit status {got.status}, {len(got.bodies[0]):,} bytes",
            otherwise="curl got an answer, or was left to wait",
        )

    # -- what was on the wire ------------------------------------------------------------------------------------

    def packets(self) -> Sequence[Packet]:
        """The datagrams of the transport. Raises LabError."""
        if self._relay is not None:
            return self._relay.packets()
        return carried(self._cast)

    def began(self) -> float | None:
        """time.perf_counter() when the first of them was sent, where the link is a relay."""
        network = self._cast.network
        if self._relay is not None:
            return self._relay.began()
        return network.began() if isinstance(network, LocalNetwork) else None

    def went_over_the_link(self, *plain: bytes) -> None:
        """All of it went as segments of the transport, TLS was in them, and nothing of it is plain. Raises Broken."""
        size = sum(map(len, plain))

        def brought(packets: Sequence[Packet]) -> list[bytes]:
            return [bytes(way.stream) for way in layers.streams(packets, self._words.wire).values()]

        if self._relay is None:
            streams = brought(carried(self._cast, lambda packets: max(map(len, brought(packets))) >= size))
        else:
            streams = brought(self._relay.packets())
        telling = [text for text in plain if len(text) >= _TELLING]
        for stream in streams:
            self._words.tls.is_private(stream, *telling)
        most = max(map(len, streams))
        if most < size and self._relay is None:
            account_for_all(self._cast)
        self._cast.expect(
            most >= size,
            f"the link brought at least the {size:,} bytes of it in segments",
            expected=f"{size:,} bytes and more",
            seen=f"{most:,} bytes",
            otherwise="what arrived did not come over the link",
        )

    def _tells_how_far(self) -> None:
        for line in layers.progress(self.packets(), self._words.wire):
            self._cast.story.add("link", line)

    def _hears(self, text: str) -> None:
        self.heard.append((time.perf_counter(), text))
        self._cast.story.add("tester", text)

    def _taps(self, onward: bool, data: bytes) -> None:
        """What curl says and hears: the first lines are enough."""
        line = data.partition(b"\r\n")[0][:80]
        if onward or data.startswith(b"HTTP/"):
            text = line.decode("ascii", "replace")
            self.heard.append((time.perf_counter(), f"curl {'asks' if onward else 'is answered'}: {text}"))


class _Relayed:
    """A relay that ends with the test."""

    def __init__(self, relay: RelayLoop) -> None:
        self._relay = relay

    def doubt(self) -> str | None:
        """What it did that no profile asked for."""
        counters = self._relay.counters()
        if counters.engine_drops or counters.late_p99 > _LATE:
            late = f"p99 {counters.late_p99 * 1000:.0f} ms late"
            return f"the link was not as asked ({late}, {counters.engine_drops} packets lost by the engine)"
        return None

    def dismiss(self) -> None:
        self._relay.close()


def wire_of(assignment: Assignment) -> WireFormat:
    """The wire format of the term: that of the assignment `transport`, which stands beside."""
    folder: Path = assignment.path.resolve().parent
    return next((load_wire(folder / term) for term in _TERMS if (folder / term).is_file()), WireFormat())
