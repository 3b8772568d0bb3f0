"""Clients that misbehave: too slow, too fast, silent, gone, or not speaking the protocol at all.

Rule: what such a client does is bounded in time and bytes and is in the story; the test judges what the program
does then.
"""

from __future__ import annotations

import selectors
import threading
import time
from collections.abc import Sequence

from harness.actors.cast import Cast
from harness.actors.peer import Peer
from harness.actors.program import PATIENCE
from harness.actors.server import Server
from harness.actors.story import Broken, Story, difference, show
from harness.lab.interface import Mangle

#: Bytes of an endless line that are sent at a time.
_PIECE = 65_536
#: The segments of an Ethernet. A peer that asks for them goes past a relay, which would be late or in the way.
WHOLE_SEGMENT = 1448


class SlowReader:
    """A client that reads a little from time to time, until `stops`."""

    def __init__(self, peer: Peer, every: float, count: int) -> None:
        self.peer = peer
        self.read = b""  #: what it has read so far
        self.ended = False  #: the program ended the connection
        self._every = every
        self._count = count
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sip, daemon=True)
        self._thread.start()

    def _sip(self) -> None:
        while not self._stop.wait(self._every):
            data = self.peer.sips(self._count)
            if data is None:
                continue
            if not data:
                self.ended = True
                return
            self.read += data

    def stops(self) -> bytes:
        """Stop reading; returns what was read so far. The rest can be read with `peer`."""
        self._stop.set()
        self._thread.join()
        return self.read


class Floods:
    """Clients that send for ever, as fast as they are taken, and read nothing: until the program hangs up on them."""

    def __init__(self, peers: Sequence[Peer], story: Story) -> None:
        self.sent = 0  #: bytes that were taken
        self._story = story
        self._count = len(peers)
        self._ended: list[float] = []  # seconds from the beginning, of each connection that is over
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._pump, args=(peers,), daemon=True)
        self._thread.start()

    def _pump(self, peers: Sequence[Peer]) -> None:
        began, piece = time.monotonic(), b"x" * _PIECE
        with selectors.DefaultSelector() as selector:
            for peer in peers:
                selector.register(peer.lends()[0], selectors.EVENT_WRITE, peer)
            while selector.get_map() and not self._stop.is_set():
                for key, _ in selector.select(0.1):
                    taken = key.data.pushes(piece, within=0.05)
                    self.sent += taken or 0
                    if taken is None:
                        selector.unregister(key.fileobj)
                        with self._changed:
                            self._ended.append(time.monotonic() - began)
                            self._changed.notify_all()

    def are_ended(self, *, within: float) -> None:
        """The program has ended all of these connections that many seconds after they began. Raises Broken."""
        with self._changed:
            over = self._changed.wait_for(lambda: len(self._ended) == self._count, within)
        if over:
            self._story.add("tester", f"finds all {self._count} ended, the last after {self._ended[-1]:.1f} s")
            return
        left = self._count - len(self._ended)
        raise Broken(
            f"{left} of {self._count} clients that go on sending are still connected",
            verdict="timeout",
            expected=f"all of them ended within {within:g} s",
            seen=f"{left} open, {self.sent:,} bytes taken",
        )

    def dismiss(self) -> None:
        """End of the test, or of the flood."""
        self._stop.set()
        self._thread.join()


class Misbehaving:
    """Clients of one server that misbehave: `lab.clients.misbehaving(server)`."""

    def __init__(self, cast: Cast, server: Server, *, receive_buffer: int | None, mangle: Mangle | None) -> None:
        self._cast = cast
        self._server = server
        self._receive_buffer, self._mangle = receive_buffer, mangle
        self._story = cast.story

    def _connect(self, *, quietly: bool = False) -> Peer:
        return self._cast.connects(
            self._server,
            receive_buffer=self._receive_buffer,
            mangle=self._mangle,
            quietly=quietly,
            name="a clumsy client",
        )

    def drips(self, data: bytes, *, apart: float = 0.0, within: float = 30.0) -> Peer:
        """Send one byte at a time, each a segment of its own."""
        peer = self._connect()
        peer.sends(*(data[at : at + 1] for at in range(len(data))), apart=apart, within=within)
        return peer

    def never_reads(self, data: bytes, *, quiet: float = 0.5) -> tuple[Peer, int]:
        """Send data, reading nothing, until no more is taken for `quiet` seconds; returns how many bytes were."""
        peer = self._connect()
        return peer, peer.sends_what_fits(data, quiet=quiet)

    def sips(self, data: bytes = b"", *, every: float = 1.0, count: int = 1) -> SlowReader:
        """Send in the background, and read `count` bytes every `every` seconds."""
        peer = self._connect()
        if data:
            peer.sends_in_background(data)
        self._story.add("tester", f"reads {count:,} bytes every {every:g} s")
        return SlowReader(peer, every, count)

    def half_closes(self, data: bytes, *, before_reading: float = 0.3, within: float = 10.0) -> bytes:
        """Send all, end the sending side while output is pending, and only then read to the end; returns what came."""
        peer = self._connect()
        sending = peer.sends_in_background(data, within=within)
        sending.join(before_reading)  # small buffers are full by now: the program has output that it cannot send

        def finish() -> None:
            sending.join()
            peer.ends()

        finished = threading.Thread(target=finish, daemon=True)
        finished.start()
        answer = peer.reads_to_end(within=within, most=max(1 << 26, 2 * len(data)))
        finished.join(within)
        return answer

    def half_closes_and_is_echoed(self, data: bytes, *, within: float = 10.0) -> None:
        """`half_closes` at an echo server: everything comes back, and then the end. Raises Broken."""
        answer = self.half_closes(data, within=within)
        if answer != data:
            raise Broken(
                f"output was lost after a half-close: {difference(data, answer)}",
                expected=show(data),
                seen=show(answer),
            )

    def storms(self, count: int, *, data: bytes = b"") -> None:
        """Connect many, let each say something, then reset all at once (SO_LINGER 0): the server stands still then."""
        self._story.add("tester", f"connects {count:,} clients and resets them all at once")
        peers = [self._connect(quietly=True) for _ in range(count)]
        for peer in peers:
            if data:
                peer.sends(data, may_fail=True)
        with self._server.stands_still():
            for peer in peers:
                peer.resets()

    def floods(self, count: int, first: bytes = b"") -> Floods:
        """Connect `count` clients that say something, and then go on sending without end."""
        self._story.add("tester", f"connects {count} clients that send {show(first)} and go on sending without end")
        peers = [
            self._cast.connects(self._server, segment=WHOLE_SEGMENT, quietly=True, name="a client that floods")
            for _ in range(count)
        ]
        for peer in peers:
            if first:
                peer.sends(first, may_fail=True)
        return self._cast.keep(Floods(peers, self._story))

    def endless_line(self, size: int = 50_000_000, *, within: float = 30.0) -> tuple[Peer, int]:
        """Send a line without an end; returns how many bytes were taken before the program hung up, or all of them."""
        peer = self._connect()
        self._story.add("tester", f"sends a line of {size:,} bytes without a line feed")
        taken, deadline = 0, time.monotonic() + within
        piece = b"x" * _PIECE
        while taken < size and time.monotonic() < deadline:
            now = peer.pushes(piece[: size - taken], within=min(PATIENCE, deadline - time.monotonic()))
            if now is None:
                break
            taken += now
        self._story.add("tester", f"got rid of {taken:,} bytes")
        return peer, taken

    def stay_silent(self, count: int) -> list[Peer]:
        """Connect `count` clients that say nothing."""
        self._story.add("tester", f"connects {count:,} clients that say nothing")
        return [self._connect(quietly=True) for _ in range(count)]
