"""The sockets of a man in the middle: one thread, one selector, every connection with two legs.

Rule 1: every read, write and connect is non-blocking; a direction that holds too much is not read from.
Rule 2: what a rule does is in rules.py; nothing here looks at a byte. One lock: the test's thread adds rules.
"""

from __future__ import annotations

import errno
import selectors
import socket
import threading
import time
from collections.abc import Callable

from harness.actors.story import Story
from harness.lab.interface import LabError
from harness.lab.linger import reset_and_close
from harness.tls.record_layer.rules import Direction, FilteredStream, Rule

#: Bytes kept of each direction of a connection; bytes held back in one before reading stops.
TAP, BACKLOG = 16 << 20, 256 << 10
#: Most connections at once, and altogether; further ones are reset. Of the first few TAP bytes are kept, of the others
#: _SHORT: a program that connects without end must not fill the tester's memory.
MOST, EVER = 64, 1000
_FULLY, _SHORT = 4, 64 << 10
#: Seconds that the target may take to accept, and seconds between two looks at legs that are not being read.
_CONNECT, _LOOK = 10.0, 0.02
_CHUNK = 65_536
_UNDER_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK, 10035)  # 10035: Windows' WSAEWOULDBLOCK
_BACKLOG = 1024
_GIVE_UP = 5.0  #: seconds within which the thread has to end


class Leg:
    """A socket with the direction that comes in through it and the one that goes out."""

    def __init__(self, sock: socket.socket, comes: FilteredStream, goes: FilteredStream) -> None:
        self.sock = sock
        self.comes, self.goes = comes, goes
        self.tap = bytearray()
        self.count = 0  # bytes that came, also those beyond the tap
        self.events = 0  # what the selector watches
        self.finished = False  # the FIN has been sent


class ProxiedConnection:
    """One connection through the man in the middle, with a leg to each side."""

    def __init__(self, near: socket.socket, far: socket.socket, tell: Callable[[str], None], *, tap: int = TAP) -> None:
        self.up, self.down = FilteredStream(tell), FilteredStream(tell)
        self.near = Leg(near, self.up, self.down)
        self.far = Leg(far, self.down, self.up)
        self.legs = (self.near, self.far)
        self.tap = tap  # bytes kept of each direction
        self.connected = self.over = False
        self.give_up = time.monotonic() + _CONNECT

    def stream(self, direction: Direction) -> FilteredStream:
        """One of the two."""
        return self.up if direction == "up" else self.down

    def leg(self, direction: Direction) -> Leg:
        """The leg through which the direction comes in."""
        return self.near if direction == "up" else self.far

    # -- what can be done now ------------------------------------------------------------------------------------

    def wants(self, leg: Leg) -> int:
        """The events to wait for."""
        if not self.connected:
            return selectors.EVENT_WRITE if leg is self.far else 0
        reads = not leg.comes.ended and leg.comes.backlog < BACKLOG
        return (selectors.EVENT_READ if reads else 0) | (selectors.EVENT_WRITE if leg.goes.out else 0)

    def reads(self, leg: Leg) -> None:
        """Take what is there. Raises OSError when it is over."""
        data = leg.sock.recv(_CHUNK)
        leg.tap += data[: self.tap - len(leg.tap)]
        leg.count += len(data)
        if data:
            leg.comes.takes(data)
        else:
            leg.comes.ends()

    def writes(self, leg: Leg) -> None:
        """Send what may go. Raises OSError when it is over."""
        stream = leg.goes
        if stream.out:
            del stream.out[: leg.sock.send(stream.out)]
        if not stream.out and stream.finished and not leg.finished:
            leg.finished = True
            leg.sock.shutdown(socket.SHUT_WR)

    @property
    def settled(self) -> bool:
        """Both directions are over, and nobody sends any more."""
        return all(leg.finished and leg.comes.ended for leg in self.legs)

    def closes(self) -> None:
        """Close both sockets."""
        self.over = True
        for leg in self.legs:
            leg.sock.close()

    def resets(self) -> None:
        """Reset both sides."""
        if not self.over:
            self.over = True
            for leg in self.legs:
                reset_and_close(leg.sock)


class Proxy:
    """All connections of one man in the middle, in a thread of their own."""

    def __init__(self, listening: socket.socket, place: tuple[str, int], family: int, story: Story) -> None:
        self._listening = listening
        self._place, self._family = place, family
        self._story = story
        self._all: list[ProxiedConnection] = []
        self._rules: list[Rule] = []
        self._changed = threading.Condition()
        self._selector = selectors.DefaultSelector()
        self._ours, self._woken = socket.socketpair()
        self._ended = False
        self._trouble: Exception | None = None
        listening.setblocking(False)
        self._woken.setblocking(False)
        self._selector.register(listening, selectors.EVENT_READ, self._accept)
        self._selector.register(self._woken, selectors.EVENT_READ, self._wake)
        self._thread = threading.Thread(target=self._run, daemon=True, name="middle")
        self._thread.start()

    # -- from the test's thread ----------------------------------------------------------------------------------

    def taps(self, direction: Direction) -> list[bytes]:
        """What came in a direction, of each connection."""
        with self._changed:
            return [bytes(connection.leg(direction).tap) for connection in self._all]

    def waits(self, met: Callable[[], bool], within: float) -> bool:
        """Wait until `met()` holds; whether it did. Raises LabError if the thread has crashed, as a change may."""
        with self._changed:
            so = self._changed.wait_for(lambda: self._trouble is not None or met(), within)
        if self._trouble is not None:
            raise LabError(f"the man in the middle has crashed: {self._trouble!r}")
        return so

    def obeys(self, rule: Rule) -> None:
        """A rule for all connections from now on."""
        with self._changed:
            self._rules.append(rule)
            for connection in self._living():
                connection.stream(rule.direction).obeys(rule)
        self._wakes()

    def dismiss(self) -> None:
        """End of the test: reset what is open, end the thread."""
        if self._ended:
            return
        self._ended = True
        self._wakes()
        self._thread.join(_GIVE_UP)
        with self._changed:
            for connection in self._living():
                connection.resets()
        self._listening.close()
        for sock in (self._ours, self._woken):
            sock.close()
        self._selector.close()

    def _living(self) -> list[ProxiedConnection]:
        return [connection for connection in self._all if not connection.over]

    def _wakes(self) -> None:
        try:
            self._ours.send(b"!")
        except OSError:
            pass  # full: it will wake up anyway

    # -- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._loop()
        except Exception as error:
            with self._changed:
                self._trouble = error
                for connection in self._living():
                    connection.resets()
                self._changed.notify_all()

    def _loop(self) -> None:
        while not self._ended:
            with self._changed:
                pause = self._prepare(time.monotonic())
            ready = self._selector.select(pause)
            with self._changed:
                for key, events in ready:
                    key.data(events)
                for connection in self._living():
                    self._goes_on(connection)
                self._changed.notify_all()

    def _prepare(self, now: float) -> float:
        """Watch what is wanted now; returns the seconds after which to look again in any case."""
        pause = 0.5
        for connection in self._living():
            for leg in connection.legs:
                wanted = connection.wants(leg)
                self._watch(connection, leg, wanted)
                if connection.connected and not wanted & selectors.EVENT_READ:
                    pause = min(pause, _LOOK)
            if not connection.connected:
                pause = min(pause, max(0.0, connection.give_up - now))
        return pause

    def _watch(self, connection: ProxiedConnection, leg: Leg, wanted: int) -> None:
        if wanted == leg.events:
            return
        if not leg.events:
            self._selector.register(leg.sock, wanted, lambda events: self._ready(connection, leg, events))
        elif not wanted:
            self._selector.unregister(leg.sock)
        else:
            self._selector.modify(leg.sock, wanted, self._selector.get_key(leg.sock).data)
        leg.events = wanted

    def _wake(self, _events: int) -> None:
        try:
            self._woken.recv(4096)
        except BlockingIOError:
            pass

    def _accept(self, _events: int) -> None:
        try:
            near, _ = self._listening.accept()
        except OSError:
            return  # it has gone again
        if len(self._all) >= EVER or len(self._living()) >= MOST:
            self._tell("resets a connection: there are too many")
            reset_and_close(near)
            return
        far = socket.socket(socket.AF_INET6 if self._family == 6 else socket.AF_INET, socket.SOCK_STREAM)
        for sock in (near, far):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = ProxiedConnection(near, far, self._tell, tap=TAP if len(self._all) < _FULLY else _SHORT)
        self._all.append(connection)
        for rule in self._rules:
            connection.stream(rule.direction).obeys(rule)
        if far.connect_ex(self._place) not in _UNDER_WAY:
            self._refused(connection)

    def _tell(self, what: str) -> None:
        self._story.add("tester", f"(the man in the middle) {what}")

    def _ready(self, connection: ProxiedConnection, leg: Leg, events: int) -> None:
        if connection.over:
            return
        if not connection.connected:
            if _broken(leg.sock):
                self._refused(connection)
            else:
                connection.connected = True
            return
        if events & selectors.EVENT_READ:
            try:
                connection.reads(leg)
            except BlockingIOError:
                pass
            except OSError:
                self._ends(connection)

    def _goes_on(self, connection: ProxiedConnection) -> None:
        """Send what may go, and notice what no event reports: a reset of a leg that is not being read."""
        if not connection.connected:
            if time.monotonic() >= connection.give_up:
                self._refused(connection)
            return
        for leg in connection.legs:
            if connection.over:
                return
            try:
                connection.writes(leg)
            except BlockingIOError:
                pass
            except OSError:
                self._ends(connection)
                return
            if not leg.events & selectors.EVENT_READ and _broken(leg.sock):
                self._ends(connection)
                return
        if connection.settled:
            self._unwatch(connection)
            connection.closes()

    def _refused(self, connection: ProxiedConnection) -> None:
        self._tell("cannot reach the target")
        self._ends(connection)

    def _ends(self, connection: ProxiedConnection) -> None:
        self._unwatch(connection)
        connection.resets()

    def _unwatch(self, connection: ProxiedConnection) -> None:
        for leg in connection.legs:
            if leg.events:
                leg.events = 0
                try:
                    self._selector.unregister(leg.sock)
                except (KeyError, ValueError):
                    pass


def _broken(sock: socket.socket) -> bool:
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
