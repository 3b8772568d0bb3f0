"""Connections under test: two of them over a simulated link, or one whose peer is the test, segment by segment."""

from __future__ import annotations

import random
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from harness.link.profile import Profile
from harness.link.simulator import Simulation
from tests.reference.loading import load

MODULES = load(
    "transport",
    *("arrivals", "checksums", "congestion", "connection", "events", "peer_window", "ranges", "rate", "reassembly"),
    *("receiver", "rtt", "scoreboard", "segment", "send_buffer", "sender", "sequence", "states"),
)
Connection, Event, Segment = MODULES.connection.Connection, MODULES.events.Event, MODULES.segment.Segment
State = MODULES.states.State
decode, encode = MODULES.segment.decode, MODULES.segment.encode

GOOD_END = [Event.CONNECTED, Event.END_OF_STREAM, Event.CLOSED]


def module(name: str) -> ModuleType:
    """A module of the reference."""
    found: ModuleType = getattr(MODULES, name)
    return found


class Application:
    """An endpoint with somebody at it who sends `data`, ends, and reads all that comes, from `reads_from` on."""

    def __init__(self, connection: Any, data: bytes, *, reads_from: float = 0.0) -> None:
        self.connection = connection
        self.left = bytearray(data)
        self.got = bytearray()
        self.events: list[Any] = []
        self.reads_from = reads_from
        self.ended = False

    def act(self, now: float) -> None:
        """Send what is accepted, read what is there."""
        connection = self.connection
        while self.left and (count := connection.send(bytes(self.left[:65536]))):
            del self.left[:count]
        if not self.left and not self.ended:
            connection.end()
            self.ended = True
        while now >= self.reads_from and (piece := connection.read(50_000)):
            self.got += piece
        while (event := connection.next_event()) is not None:
            self.events.append(event)

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        self.connection.receive_datagram(data, now=now)

    def datagrams_to_send(self, *, now: float) -> list[bytes]:
        self.act(now)
        datagrams: list[bytes] = self.connection.datagrams_to_send(now=now)
        return datagrams

    def next_timer(self) -> float | None:
        timer: float | None = self.connection.next_timer()
        return timer

    def handle_timer(self, *, now: float) -> None:
        self.connection.handle_timer(now=now)


class Pair:
    """A client that sends `up_bytes` and a server that sends `down_bytes`, over a link."""

    def __init__(
        self,
        up_bytes: int = 0,
        down_bytes: int = 0,
        *,
        up: Profile | None = None,
        down: Profile | None = None,
        seed: int = 1,
        isns: tuple[int, int] = (1000, 2**32 - 2000),
        buffers: tuple[int, int] = (65536, 65536),
        roles: tuple[str, str] = ("client", "server"),
        reads_from: float = 0.0,
    ) -> None:
        data = random.Random(seed)
        self.sent = data.randbytes(up_bytes), data.randbytes(down_bytes)
        connections = [
            Connection(role, isn=isn, receive_buffer=size) for role, isn, size in zip(roles, isns, buffers, strict=True)
        ]
        self.client = Application(connections[0], self.sent[0])
        self.server = Application(connections[1], self.sent[1], reads_from=reads_from)
        self.simulation = Simulation({"client": self.client, "server": self.server}, up=up, down=down, seed=seed)
        self.done: float | None = None  #: seconds, when all bytes had been read

    def run(self, within: float = 600.0) -> Pair:
        """Until both are closed; the bytes have to be those that were sent."""
        self.simulation.run_until(self._is_over, within=within)
        self.simulation.run(until=self.simulation.now)
        assert (bytes(self.server.got), bytes(self.client.got)) == self.sent
        return self

    def _is_over(self) -> bool:
        if self.done is None and (bytes(self.server.got), bytes(self.client.got)) == self.sent:
            self.done = self.simulation.now
        return {self.client.connection.state, self.server.connection.state} == {State.CLOSED}

    def segments(self, direction: str = "up") -> Iterator[tuple[float, Any]]:
        """(when, segment) of everything that was sent that way, copies not."""
        seen = set()
        for packet in self.simulation.packets:
            if packet.direction == direction and packet.number not in seen:
                seen.add(packet.number)
                yield packet.sent, decode(packet.data)


class Talk:
    """One connection, and the test as its peer. Numbers are relative: 0 is a SYN, 1 the first byte."""

    ISN, PEER_ISN = 2**32 - 10, 5000  #: of the connection, of the test

    def __init__(self, role: str, *, receive_buffer: int = 65536) -> None:
        self.connection = Connection(role, isn=self.ISN, receive_buffer=receive_buffer)
        self.now = 100.0

    @classmethod
    def established(cls, role: str = "server", *, window: int = 65536, **options: Any) -> Talk:
        """One that has shaken hands."""
        talk = cls(role, **options)
        if role == "client":
            assert [segment.syn for segment in talk.hear()] == [True]
            talk.say(0, 1, window=window, syn=True)
            talk.hear()
        else:
            talk.say(0, window=window, syn=True)
            talk.hear()
            talk.say(1, 1, window=window)
        assert talk.connection.state is State.ESTABLISHED
        assert talk.events() == [Event.CONNECTED]
        return talk

    def say(self, sequence: int, acknowledgement: int | None = None, *, window: int = 65536, **fields: Any) -> None:
        """A segment to the connection; with `acknowledgement` it has ACK."""
        blocks = tuple(
            ((left + self.ISN) % 2**32, (right + self.ISN) % 2**32) for left, right in fields.pop("sack", ())
        )
        self.connection.receive_datagram(
            encode(
                Segment(
                    (sequence + self.PEER_ISN) % 2**32,
                    0 if acknowledgement is None else (acknowledgement + self.ISN) % 2**32,
                    window,
                    ack=acknowledgement is not None,
                    sack=blocks,
                    **fields,
                )
            ),
            now=self.now,
        )

    def hear(self) -> list[Any]:
        """What the connection sends now; `at` and `of` of each tell its numbers relative to the SYNs."""
        return [decode(datagram) for datagram in self.connection.datagrams_to_send(now=self.now)]

    def answer(self) -> Any:
        """The one segment that it sends now."""
        (segment,) = self.hear()
        return segment

    def at(self, segment: Any) -> int:
        """Its sequence number, relative."""
        return int((segment.sequence - self.ISN + 2**31) % 2**32 - 2**31)

    def of(self, segment: Any) -> int:
        """Its acknowledgement number, relative."""
        return int((segment.acknowledgement - self.PEER_ISN + 2**31) % 2**32 - 2**31)

    def wait(self, seconds: float) -> list[tuple[float, Any]]:
        """Let time pass; (seconds from now, segment) of what is sent meanwhile."""
        start, end = self.now, self.now + seconds
        found = []
        while (timer := self.connection.next_timer()) is not None and timer <= end:
            self.now = max(self.now, timer)
            self.connection.handle_timer(now=self.now)
            found += [(self.now - start, segment) for segment in self.hear()]
            later = self.connection.next_timer()
            assert later is None or later > self.now
        self.now = end
        return found

    def events(self) -> list[Any]:
        """The events that were not told yet."""
        found = []
        while (event := self.connection.next_event()) is not None:
            found.append(event)
        return found
