"""The clockwork of the relay: one thread, one selector, one heap of what is due, one link per direction.

Rule 1: everything below runs in the loop's own thread, so nothing needs a lock; other threads use `call`.
Rule 2: it knows packets and times, not UDP or TCP; udp.py and tcp.py know those.
"""

from __future__ import annotations

import contextlib
import select
import selectors
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import TypeVar

from harness.lab.interface import LabError, LinkCounters
from harness.lab.timer import Beat, wake_me_exactly
from harness.link.model import SECOND, UDP_FRAMING, Delivery, Fate, Link, Packet, direction_seeds
from harness.link.profile import Profile
from harness.link.trace import Direction, Event
from harness.link.trace import Packet as Datagram

Result = TypeVar("Result")

#: Packets whose lateness is kept for the 99th percentile.
_KEPT_LATENESS = 16_384
#: Events kept for the ladder.
_KEPT_EVENTS = 2_000
#: Datagrams kept with their bytes: enough for 8 MB in segments and their acknowledgements several times over.
_KEPT_DATAGRAMS = 60_000
#: Seconds that another thread waits for the loop at most.
_CALL_WITHIN = 10.0


class DatagramLog:
    """Datagrams as they entered the link and left it."""

    def __init__(self) -> None:
        self._rows: deque[tuple[int, int, int | None, Direction, bytes, bytes, Fate, str]] = deque(
            maxlen=_KEPT_DATAGRAMS
        )
        self._number = 0

    def add(self, now: int, direction: Direction, data: bytes, out: Sequence[Delivery[bytes]], why: str) -> None:
        """Add a datagram that entered the link at `now` (nanoseconds), and what comes out for it."""
        self._number += 1
        if not out:
            fate: Fate = "overflowed" if why == "limit" else "lost"
            self._rows.append((self._number, now, None, direction, data, b"", fate, why))
        for delivery in out:
            due = max(now, delivery.due)
            self._rows.append((self._number, now, due, direction, data, delivery.packet, delivery.fate, ""))

    def clear(self) -> None:
        """Forget them."""
        self._rows.clear()
        self._number = 0

    @property
    def began(self) -> int | None:
        """When the first of them entered (nanoseconds)."""
        return self._rows[0][1] if self._rows else None

    def packets(self) -> list[Datagram]:
        """All of them, times in seconds from the first one on."""
        start = self._rows[0][1] if self._rows else 0
        return [
            Datagram(
                number,
                (sent - start) / SECOND,
                None if due is None else (due - start) / SECOND,
                way,
                data,
                came,
                fate,
                why,
            )
            for number, sent, due, way, data, came, fate, why in self._rows
        ]


class Core:
    """The loop. `close` ends its thread."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._watched: dict[socket.socket, int] = {}
        self._heap: list[tuple[int, int, bool, Callable[[], None]]] = []  # due, tie, is a packet, action
        self._number = 0  # breaks ties in the heap: first come, first served
        self._calls: deque[Callable[[], None]] = deque()
        self._lateness: deque[int] = deque(maxlen=_KEPT_LATENESS)
        self.events: deque[Event] = deque(maxlen=_KEPT_EVENTS)
        self.recording = DatagramLog()  #: of datagrams
        self.crowded = False  #: the student's side made too many connections: lateness and losses are its own doing
        self.drops = 0  #: packets that this engine lost itself: a full socket, no descriptor left
        self._broken: BaseException | None = None
        self._open = True
        self.set_links(Profile(), Profile(), 0)
        self._ear, self._bell = socket.socketpair()
        self._ear.setblocking(False)
        self.watch(self._ear, selectors.EVENT_READ, lambda _mask: self._hear())
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._thread.start()

    # -- for other threads ---------------------------------------------------------------------------------------

    def call(self, function: Callable[[], Result]) -> Result:
        """Run a function in the loop's thread and return its result, or raise what it raises."""
        if threading.current_thread() is self._thread:
            return function()
        done = threading.Event()
        result: list[Result] = []
        trouble: list[BaseException] = []

        def run() -> None:
            try:
                result.append(function())
            except Exception as error:
                trouble.append(error)
            done.set()

        self._calls.append(run)
        with contextlib.suppress(OSError):
            self._bell.send(b"\0")
        if not self._open or not done.wait(_CALL_WITHIN):
            why = f": {self._broken!r}" if self._broken else ""
            raise LabError(f"the relay does not answer{why}; start the lab again")
        if trouble:
            raise trouble[0]
        return result[0]

    def close(self) -> None:
        """End the loop and close what it watches."""
        if not self._open:
            return
        self._open = False
        with contextlib.suppress(OSError):
            self._bell.send(b"\0")
        self._thread.join(_CALL_WITHIN)
        self._selector.close()
        for sock in [*self._watched, self._bell]:
            sock.close()

    # -- for the relays, in the loop's thread --------------------------------------------------------------------

    def set_links(self, up: Profile, down: Profile, seed: int) -> None:
        """New links from now on. What is under way keeps its time; the counters start again."""
        self._start = time.perf_counter_ns()
        seeds = dict(zip(("up", "down"), direction_seeds(seed), strict=True))
        self._links: dict[Direction, Link] = {
            "up": Link(up, seed=seeds["up"], start=self._start, framing=UDP_FRAMING),
            "down": Link(down, seed=seeds["down"], start=self._start, framing=UDP_FRAMING),
        }
        self._with_data = Counter[Direction]()
        self._bytes = Counter[Direction]()
        self._lateness.clear()
        self._beat = Beat()
        self.events.clear()
        self.drops, self.crowded = 0, False

    def profile(self, direction: Direction) -> Profile:
        """The profile of that direction now."""
        return self._links[direction].profile

    def transmit(self, direction: Direction, packet: Packet, protocol: str, size: int) -> list[Delivery[Packet]]:
        """Send a packet into the link now; `size` is its payload, for the trace."""
        now = time.perf_counter_ns()
        link = self._links[direction]
        self._with_data[direction] += size > 0
        self._bytes[direction] += size
        out = link.transmit(packet, now=now)
        if isinstance(packet, bytes):
            self.recording.add(now, direction, packet, out, link.why)
        at = (now - self._start) / SECOND
        if not out:
            fate: Fate = "overflowed" if link.why == "limit" else "lost"
            self.events.append(Event(at, None, direction, protocol, size, fate, link.why))
        for delivery in out:
            due = (delivery.due - self._start) / SECOND
            self.events.append(Event(at, due, direction, protocol, size, delivery.fate))
        return out

    def at(self, due: int, action: Callable[[], None]) -> None:
        """Do something when it is due (perf_counter_ns), at once if it is due and nothing else comes first."""
        if not self._heap or self._heap[0][0] > due:
            late = time.perf_counter_ns() - due
            if late >= 0:
                self._lateness.append(late)
                action()
                return
        self._number += 1
        heappush(self._heap, (due, self._number, True, action))

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something some seconds from now."""
        self._number += 1
        heappush(self._heap, (time.perf_counter_ns() + round(seconds * SECOND), self._number, False, action))

    def watch(self, sock: socket.socket, events: int, action: Callable[[int], None]) -> None:
        """Call `action` with the events when the socket has any of them; 0 stops that."""
        before = self._watched.get(sock, 0)
        if events == before:
            return
        if not events:
            self._selector.unregister(sock)
            del self._watched[sock]
            return
        (self._selector.modify if before else self._selector.register)(sock, events, action)
        self._watched[sock] = events

    def forget(self, sock: socket.socket) -> None:
        """Stop watching and close."""
        if self._watched.pop(sock, 0):
            self._selector.unregister(sock)
        sock.close()

    def forget_due(self) -> None:
        """Drop everything that is under way."""
        self._heap.clear()

    def counters(self, *ways: Direction) -> LinkCounters:
        """Counters since the links were set, added up over the given directions, or over both."""
        names = ("packets", "delivered", "lost", "duplicated", "reordered", "overflowed")
        links = [self._links[way] for way in ways or ("up", "down")]
        late = [] if self.crowded else sorted(self._lateness)
        return LinkCounters(
            **{name: sum(getattr(link, name) for link in links) for name in names},
            late_p99=max(self._beat.longest, late[len(late) * 99 // 100] / SECOND if late else 0.0),
            engine_drops=0 if self.crowded else self.drops,
            data_up=self._with_data["up"],
            data_down=self._with_data["down"],
            bytes_up=self._bytes["up"],
            bytes_down=self._bytes["down"],
        )

    # -- the loop ------------------------------------------------------------------------------------------------

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._ear.recv(4096)
        while self._calls:
            self._calls.popleft()()

    def _run(self) -> None:
        wake_me_exactly()
        try:
            while self._open:
                self._do_due()
                self._wait()
                self._beat.turn()
                for key, mask in self._selector.select(0):
                    if key.fileobj in self._watched:  # an earlier action may have closed it
                        key.data(mask)
        except Exception as error:  # our mistake: every later call says so
            self._broken = error
            self._open = False

    def _do_due(self) -> None:
        heap = self._heap
        while heap:
            now = time.perf_counter_ns()
            if heap[0][0] > now:
                return
            due, _, is_packet, action = heappop(heap)
            if is_packet:
                self._lateness.append(now - due)
            action()

    def _wait(self) -> None:
        """Wait until a socket is ready or something is due, to the microsecond if possible."""
        timeout = Beat.EVERY
        if self._heap:
            timeout = min(timeout, max(0.0, (self._heap[0][0] - time.perf_counter_ns()) / SECOND))
        number = getattr(self._selector, "fileno", lambda: 1024)()
        if number < 1024:
            # epoll counts in milliseconds; select on the epoll descriptor counts in microseconds.
            select.select([number], [], [], timeout)
        elif timeout > 0:
            self._selector.select(timeout)
