"""The load generator's clients: connections that say something and wait for exactly one answer. Callbacks of asyncio.

Rule 1: one thread, no task per client: 11,000 of them cost no more than their sockets and a row each.
Rule 2: what goes wrong is recorded for the client it happened to; nothing here decides whose fault it was.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.actors.story import difference, show
from harness.lab.interface import OURS
from harness.lab.linger import reset_and_close

#: (what a client says, exactly what has to come back) by a client's number and its turn; turn 0 proves the connection.
Exchange = Callable[[int, int], tuple[bytes, bytes]]
#: Where to connect: host and port.
Place = tuple[str, int]

#: socket(7) SO_TIMESTAMPNS: the kernel's time of arrival beside what is read. Python does not name it.
_SO_TIMESTAMPNS = 35
_CHUNK = 262_144
_IN_PROGRESS = (0, errno.EINPROGRESS, errno.EWOULDBLOCK, 10035)  # 10035: Windows' WSAEWOULDBLOCK


@dataclass
class Faults:
    """What went wrong; the first few cases in words."""

    count: int = 0
    words: list[str] = field(default_factory=list)
    ours: str = ""  #: what the generator itself could not do, if anything

    def add(self, client: int, what: str) -> None:
        """Something happened to a client."""
        self.count += 1
        if len(self.words) < 5:
            self.words.append(f"client {client:,}: {what}")


class Client:
    """One connection: connects, then sends and receives in turns."""

    __slots__ = (
        "_done",
        "_expected",
        "_got",
        "_loop",
        "_unsent",
        "_watched",
        "_writes",
        "faults",
        "number",
        "said_at",
        "sock",
        "turn",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, number: int, faults: Faults) -> None:
        self._loop = loop
        self.number = number
        self.faults = faults
        self.sock: socket.socket | None = None
        self.turn = 0  #: the next exchange's number
        self.said_at = 0.0  #: time.monotonic() when the exchange under way began
        self._expected: memoryview | None = None  # None: no exchange is under way
        self._got = 0
        self._unsent: memoryview | None = None
        self._done: Callable[[Client, float], None] | None = None
        self._watched = self._writes = False

    # -- the beginning -------------------------------------------------------------------------------------------

    def connects(self, sock: socket.socket, place: Place, ready: Callable[[Client], None]) -> bool:
        """Begin to connect; `ready(client)` is called once connected. False if it cannot even begin."""
        self.sock = sock
        sock.setblocking(False)
        code = sock.connect_ex(place)
        if code not in _IN_PROGRESS:
            self._refused(code)
            return False
        self._loop.add_writer(sock, self._connected, ready)
        return True

    def takes(self, sock: socket.socket, ready: Callable[[Client], None]) -> None:
        """Go on with a socket that is connected."""
        self.sock = sock
        sock.setblocking(False)
        self._watch()
        ready(self)

    def _connected(self, ready: Callable[[Client], None]) -> None:
        assert self.sock is not None
        self._loop.remove_writer(self.sock)
        if code := self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._refused(code)
            return
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._watch()
        ready(self)

    def _refused(self, code: int) -> None:
        reason = errno.errorcode.get(code, str(code))
        if code in OURS:
            self.faults.ours = f"no further connection can be made by the tester: {reason}"
        self.fails(f"the connection was not made ({reason})")

    def _watch(self) -> None:
        assert self.sock is not None
        self._loop.add_reader(self.sock, self._readable)
        self._watched = True

    # -- a turn --------------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether an exchange is under way."""
        return self._expected is not None

    @property
    def open(self) -> bool:
        """Whether nothing has gone wrong so far."""
        return self.sock is not None

    def says(self, exchange: Exchange, done: Callable[[Client, float], None]) -> None:
        """Begin the next exchange; `done(client, seconds it took)` is called when its answer is complete."""
        words, expected = exchange(self.number, self.turn)
        self.turn += 1
        self._expected, self._got, self._done = memoryview(expected), 0, done
        self.said_at = self._now()
        self._unsent = memoryview(words)
        self._send()

    def _now(self) -> float:
        return time.monotonic()

    def _send(self) -> None:
        if self.sock is None or self._unsent is None:
            return
        try:
            self._unsent = self._unsent[self.sock.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError as error:
            self.fails(f"the connection ended while it was sent to ({_reason(error)})")
            return
        if self._unsent:
            self._loop.add_writer(self.sock, self._send)
            self._writes = True
        else:
            self._unsent = None
            if self._writes:
                self._loop.remove_writer(self.sock)
                self._writes = False

    def _receive(self, sock: socket.socket) -> tuple[bytes, float]:
        return sock.recv(_CHUNK), time.monotonic()

    def _readable(self) -> None:
        if self.sock is None:
            return
        try:
            data, at = self._receive(self.sock)
        except BlockingIOError:
            return
        except OSError as error:
            self.fails(f"the connection broke ({_reason(error)})")
            return
        expected = self._expected
        if not data:
            waiting = "" if expected is None else f", {len(expected) - self._got:,} bytes of an answer missing"
            self.fails(f"the program ended the connection{waiting}")
        elif expected is None:
            self.fails(f"bytes came that nobody asked for: {show(data)}")
        elif expected[self._got : self._got + len(data)] != data:
            self.fails(f"other bytes came: {difference(bytes(expected[self._got :]), data)}")
        else:
            self._got += len(data)
            if self._got == len(expected):
                self._expected = None
                if self._done is not None:
                    self._done(self, at - self.said_at)

    # -- the end -------------------------------------------------------------------------------------------------

    def fails(self, what: str) -> None:
        """Record a fault and close the connection."""
        self.faults.add(self.number, what)
        self.leaves(reset=True)

    def leaves(self, *, reset: bool) -> None:
        """Close, or reset."""
        sock, self.sock = self.sock, None
        if sock is None:
            return
        self._loop.remove_writer(sock)
        if self._watched:
            self._loop.remove_reader(sock)
        if reset:
            reset_and_close(sock)
        sock.close()


class Bystander(Client):
    """A client whose answers are timed by the kernel's arrival timestamps, so that our own delay is not included."""

    __slots__ = ("dues", "stamped")

    def __init__(self, loop: asyncio.AbstractEventLoop, number: int, faults: Faults) -> None:
        super().__init__(loop, number, faults)
        self.dues: list[float] = []  #: due times of turns that could not begin because an answer was still missing
        self.stamped = False  #: the kernel timestamps the answers

    def _watch(self) -> None:
        assert self.sock is not None
        if sys.platform == "linux" and self.sock.family != socket.AF_UNIX:
            self.sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            self.stamped = True
        super()._watch()

    def _now(self) -> float:
        return time.time() if self.stamped else time.monotonic()

    def now(self) -> float:
        """The clock of this client's times."""
        return self._now()

    def _receive(self, sock: socket.socket) -> tuple[bytes, float]:
        if not self.stamped:
            return super()._receive(sock)
        data, ancillary, _, _ = sock.recvmsg(_CHUNK, 64)
        for level, kind, stamp in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(stamp) == 16:
                seconds, nanoseconds = struct.unpack("qq", stamp)
                return data, seconds + nanoseconds / 1e9
        return data, time.time()


class GreedyClient(Client):
    """A client that sends as fast as it is taken (or at a rate), and reads whatever comes."""

    __slots__ = ("_allowed", "_data", "_place", "began", "rate", "read", "sent")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, number: int, faults: Faults, data: bytes, rate: float | None
    ) -> None:
        super().__init__(loop, number, faults)
        self.sent = self.read = 0
        self.rate = rate  #: bytes a second, None for what is taken
        self.began = 0.0
        self._data = memoryview(data)
        self._place = 0

    def starts(self) -> None:
        """Begin to send."""
        self.began = time.monotonic()
        self._pump()

    def _pump(self) -> None:
        if self.sock is None:
            return
        if self.rate is not None and self.sent > self.rate * (time.monotonic() - self.began):
            self._loop.remove_writer(self.sock)
            self._loop.call_later(len(self._data) / self.rate / 2, self._pump)
            return
        try:
            taken = self.sock.send(self._data[self._place :])
            self._place = (self._place + taken) % len(self._data)
            self.sent += taken
        except BlockingIOError:
            pass
        except OSError as error:
            self.fails(f"the connection ended while it was sent to ({_reason(error)})")
            return
        self._loop.add_writer(self.sock, self._pump)

    def _readable(self) -> None:
        if self.sock is None:
            return
        try:
            data = self.sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self.fails(f"the connection broke ({_reason(error)})")
            return
        self.read += len(data)
        if not data:
            self.fails("the program ended the connection")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
