"""The tester's own sockets, told as a story: peers that speak, listen, hang up and misbehave on purpose.

Rule 1: bytes are believed, nothing else. Rule 2: every wait has a bound, and a peer that waited in vain says for what.
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable

from harness.actors.own_sockets import address_of, remote_of
from harness.actors.program import PATIENCE
from harness.actors.story import Broken, Story, difference, show
from harness.lab.linger import reset_and_close

#: Most bytes that may come while the end of a connection is awaited.
_MOST_UNREAD = 1 << 26

#: What a peer without a name is called.
UNNAMED = "the tester"


class Peer:
    """One end of a stream connection, held by the tester. `name` is its name in the story."""

    def __init__(
        self, connection: socket.socket, story: Story, *, name: str = "", quiet: bool = False, was_reset: bool = False
    ) -> None:
        """was_reset: the program accepted it and reset it before connect() returned."""
        self._socket = connection
        self._story = story
        self._quiet = quiet  # one of many: its steps would fill the story
        self._unread = b""
        self._was_reset = was_reset  # connect() or a write already reported it; reading will not report it again
        self._reset_at_once = was_reset
        self.name = name or UNNAMED
        self._named = f"{name} " if name else ""
        if connection.family != getattr(socket, "AF_UNIX", None):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # one write, one segment
        self.local = address_of(connection.getsockname())
        self.remote = remote_of(connection)

    def _tell(self, what: str) -> None:
        if not self._quiet:
            self._story.add("tester", what)

    # -- for protocols spoken over it ----------------------------------------------------------------------------

    def lends(self) -> tuple[socket.socket, bytes]:
        """The socket, and what was read from it but not yet used. This peer still owns and closes it."""
        ahead, self._unread = self._unread, b""
        return self._socket, ahead

    def tells(self, what: str) -> None:
        """Add a step to the story under this peer's name, unless it is one of many."""
        self._tell(f"{self._named}{what}")

    # -- speaking ----------------------------------------------------------------------------------------------

    def sends(self, *pieces: bytes, apart: float = 0.0, within: float = PATIENCE, may_fail: bool = False) -> None:
        """Send the pieces, each as a write of its own, `apart` seconds between them.

        may_fail: a program that ended the connection meanwhile has done nothing wrong.
        """
        total = sum(map(len, pieces))
        how = "" if len(pieces) == 1 else f" in {len(pieces)} writes" + (f", {apart:g} s apart" if apart else "")
        self._tell(f"{self._named}sends {show(b''.join(pieces))}{how}")
        deadline = time.monotonic() + within + apart * len(pieces)
        for index, piece in enumerate(pieces):
            if index and apart:
                time.sleep(apart)
            view = memoryview(piece)
            while view:
                try:
                    self._socket.settimeout(max(0.01, deadline - time.monotonic()))
                    view = view[self._socket.send(view) :]
                except TimeoutError:
                    raise Broken(
                        f"{self.name} could not send: the program stopped reading",
                        verdict="timeout",
                        expected=f"{total:,} bytes taken within {within:g} s",
                        seen="a full connection",
                    ) from None
                except OSError as error:
                    self._was_reset |= isinstance(error, ConnectionResetError)
                    if may_fail:
                        self._tell(f"{self._named}finds the connection ended while sending")
                        return
                    raise Broken(
                        f"{self.name} could not send: the program ended the connection",
                        expected=f"a connection that takes {total:,} bytes",
                        seen=_plainly(error),
                    ) from None

    def sends_frame(self, body: bytes, *, apart: float = 0.0) -> None:
        """Send a mailbox frame: 4 bytes of length, most significant first, and the body."""
        if apart:
            self.sends(struct.pack("!I", len(body)), body, apart=apart)
        else:
            self.sends(struct.pack("!I", len(body)) + body)

    def sends_in_background(self, data: bytes, *, within: float = 30.0) -> threading.Thread:
        """Send from a thread while the test keeps reading; a connection that ends early ends the thread."""
        return in_background(lambda: self.sends(data, within=within), self._tell)

    def sends_what_fits(self, data: bytes, *, quiet: float = 0.3) -> int:
        """Send until nothing more is taken for `quiet` seconds; returns how many bytes were."""
        view = memoryview(data)
        self._socket.settimeout(quiet)
        try:
            while view:
                view = view[self._socket.send(view) :]
        except OSError:
            pass
        taken = len(data) - len(view)
        self._tell(f"{self._named}sends as much as is taken without reading: {taken:,} bytes")
        return taken

    def pushes(self, data: bytes, *, within: float) -> int | None:
        """How many bytes were taken at once; None if none within `within` seconds, or if the connection is over."""
        self._socket.settimeout(max(0.001, within))
        try:
            return self._socket.send(data)
        except OSError:
            return None

    def ends(self) -> None:
        """Half-close: nothing more is sent, but reading goes on."""
        self._tell(f"{self._named}ends its sending side (half-close)")
        self.ends_quietly()

    def ends_quietly(self) -> None:
        """The same, without a step in the story."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # already gone; reading will report it

    def closes(self) -> None:
        """Close both directions."""
        self._tell(f"{self._named}closes the connection")
        self._socket.close()

    def resets(self) -> None:
        """Abort: the program sees a reset (over a Unix socket, where there is none, an end)."""
        self._tell(f"{self._named}resets the connection")
        self._abort()

    def _abort(self) -> None:
        reset_and_close(self._socket)

    # -- listening ---------------------------------------------------------------------------------------------

    def reads(self, count: int, *, within: float = PATIENCE) -> bytes:
        """Exactly `count` bytes."""
        data = self._collect(count, within)
        if len(data) < count:
            raise Broken(
                f"the connection of {self.name} ended after {len(data):,} of {count:,} bytes",
                expected=f"{count:,} bytes",
                seen=show(data),
            )
        self._tell(f"{self._named}reads {show(data)}")
        return data

    def reads_line(self, *, within: float = PATIENCE, most: int = 65536) -> bytes:
        """One line with its line feed."""
        deadline = time.monotonic() + within
        while b"\n" not in self._unread and len(self._unread) < most:
            if not self._fill(deadline, within, "a line"):
                raise Broken(
                    f"the connection of {self.name} ended without a whole line",
                    expected="a line",
                    seen=show(self._unread),
                )
        line, newline, self._unread = self._unread.partition(b"\n")
        self._tell(f"{self._named}reads the line {show(line + newline)}")
        return line + newline

    def reads_frame(self, *, within: float = PATIENCE, most: int = 65536) -> bytes:
        """The body of one mailbox frame."""
        deadline = time.monotonic() + within
        prefix = self._collect(4, within)
        if len(prefix) < 4:
            raise Broken(
                f"the connection of {self.name} ended where a frame should begin",
                expected="4 bytes of length",
                seen=show(prefix),
            )
        (length,) = struct.unpack("!I", prefix)
        if length > most:
            raise Broken(
                f"a frame announces {length:,} bytes",
                expected=f"at most {most:,} bytes, length in network order",
                seen=show(prefix),
            )
        body = self._collect(length, max(0.0, deadline - time.monotonic()))
        if len(body) < length:
            raise Broken(
                f"the connection of {self.name} ended inside a frame, after {len(body):,} of {length:,} bytes",
                expected=f"{length:,} bytes",
                seen=show(body),
            )
        self._tell(f"{self._named}reads a frame of {length:,} bytes: {show(body)}")
        return body

    def reads_to_end(self, *, within: float = PATIENCE, most: int = 1 << 26) -> bytes:
        """Everything up to the end of the stream."""
        deadline = time.monotonic() + within
        while len(self._unread) <= most and self._fill(deadline, within, "the end of the stream"):
            pass
        data, self._unread = self._unread, b""
        if len(data) > most:
            raise Broken(
                "the answer does not end", expected=f"at most {most:,} bytes", seen=f"more than {most:,} bytes"
            )
        self._tell(f"{self._named}reads {show(data)} and then the end of the stream")
        return data

    def reads_exactly(self, expected: bytes, *, within: float = PATIENCE) -> None:
        """The next bytes are `expected`."""
        data = self._collect(len(expected), within)
        if data != expected:
            raise Broken(
                f"other bytes came to {self.name}: {difference(expected, data)}",
                expected=show(expected),
                seen=show(data),
            )
        self._tell(f"{self._named}reads {show(data)}, as expected")

    def sees_end(self, *, within: float = PATIENCE) -> None:
        """The next thing is the end of the stream (a FIN), no byte and no reset before it."""
        if self._fill(time.monotonic() + within, within, "the end of the stream") or self._unread:
            raise Broken(
                f"bytes came to {self.name} where the stream should end", expected="the end", seen=show(self._unread)
            )
        self._tell(f"{self._named}sees the end of the stream")

    def sees_reset_or_end(self, *, within: float = PATIENCE) -> str:
        """The connection is over; answers "end" or "reset". Bytes before it are dropped."""
        deadline = time.monotonic() + within
        try:
            while self._fill(deadline, within, "the end of the connection"):
                self._unread = b""
                self._in_time(deadline, within, "the end of the connection")
        except Broken as broken:
            if broken.verdict == "timeout":
                raise
            self._tell(f"{self._named}sees a reset")
            return "reset"
        self._tell(f"{self._named}sees the end of the stream")
        return "end"

    def sees_reset(self, *, within: float = PATIENCE) -> bytes:
        """A reset (RST) ends the connection, and no FIN; returns the bytes that came before it. Raises Broken."""
        deadline = time.monotonic() + within
        try:
            while self._fill(deadline, within, "a reset"):
                self._in_time(deadline, within, "a reset")
            was_reset = self._was_reset
        except Broken as broken:
            if broken.verdict == "timeout":
                raise
            was_reset = True
        came, self._unread = self._unread, b""
        if not was_reset:
            raise Broken(
                f"the connection of {self.name} was ended, not reset",
                expected="a reset",
                seen=(f"{show(came)}, then " if came else "") + "the end of the stream (FIN)",
            )
        self._tell(f"{self._named}sees a reset" + (f" after {show(came)}" if came else ""))
        return came

    def hears_nothing(self, *, for_: float) -> None:
        """Neither a byte nor an end for that many seconds."""
        if self._unread:
            raise Broken(
                f"bytes came to {self.name} too soon", expected=f"nothing for {for_:g} s", seen=show(self._unread)
            )
        self._socket.settimeout(for_)
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            self._tell(f"{self._named}hears nothing for {for_:g} s")
            return
        except OSError as error:
            raise Broken(
                f"the connection of {self.name} broke", expected=f"nothing for {for_:g} s", seen=_plainly(error)
            ) from None
        raise Broken(
            f"something came to {self.name} too soon",
            expected=f"nothing for {for_:g} s",
            seen=show(data) if data else "the end of the stream",
        )

    def sips(self, count: int) -> bytes | None:
        """At most `count` bytes of what is there now: None if nothing is, b"" if the connection is over."""
        if self._unread:
            data, self._unread = self._unread[:count], self._unread[count:]
            return data
        with selectors.DefaultSelector() as selector:  # a timeout on the socket would disturb a thread that is sending
            try:
                selector.register(self._socket, selectors.EVENT_READ)
                return self._socket.recv(count) if selector.select(0) else None
            except (OSError, ValueError):  # reset, or closed by us
                return b""

    def reads_what_comes(self, *, quiet: float = 0.4) -> bytes:
        """Everything until nothing comes for `quiet` seconds."""
        data, last = b"", time.monotonic()
        while time.monotonic() - last < quiet:
            if piece := self.sips(65_536):
                data, last = data + piece, time.monotonic()
            else:
                time.sleep(0.01)
        return data

    def _collect(self, count: int, within: float) -> bytes:
        deadline = time.monotonic() + within
        parts = [self._unread]
        held = len(self._unread)
        self._unread = b""
        while held < count and self._fill(deadline, within, f"{count:,} bytes (so far {held:,})"):
            parts.append(self._unread)
            held += len(self._unread)
            self._unread = b""
        data = b"".join(parts)
        self._unread = data[count:]
        return data[:count]

    def _in_time(self, deadline: float, within: float, awaited: str) -> None:
        """Raises Broken when bytes keep coming past the deadline."""
        if time.monotonic() > deadline or len(self._unread) > _MOST_UNREAD:
            raise Broken(
                f"{self.name} waited {within:.3g} s for {awaited}, and bytes came without end",
                verdict="timeout",
                expected=awaited,
                seen=show(self._unread) if self._unread else "more and more bytes",
            )

    def _fill(self, deadline: float, within: float, awaited: str) -> bool:
        """Append what comes next to the unread bytes; False at the end of the stream."""
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data = self._socket.recv(262144)
            if self._reset_at_once:
                raise ConnectionResetError
        except TimeoutError:
            raise Broken(
                f"{self.name} waited {within:.3g} s for {awaited}",
                verdict="timeout",
                expected=awaited,
                seen=show(self._unread) + ", then silence",
            ) from None
        except OSError as error:
            raise Broken(
                f"the program broke the connection of {self.name}",
                expected=awaited,
                seen=f"{show(self._unread)}, then {_plainly(error)}",
            ) from None
        self._unread = self._unread + data if self._unread else data
        return bool(data)

    def dismiss(self) -> None:
        """End of the test: abort, leaving nothing in TIME-WAIT."""
        if self._socket.fileno() != -1:
            self._abort()


def _plainly(error: OSError) -> str:
    if isinstance(error, ConnectionResetError):
        return "a reset"
    if isinstance(error, BrokenPipeError):
        return "a closed connection"
    return (error.strerror or str(error)).lower()


def in_background(send: Callable[[], object], tell: Callable[[str], object]) -> threading.Thread:
    """Send from a thread; that the connection ended meanwhile is told, and no more."""

    def pump() -> None:
        try:
            send()
        except Broken as broken:
            tell(broken.message)

    thread = threading.Thread(target=pump, daemon=True)
    thread.start()
    return thread
