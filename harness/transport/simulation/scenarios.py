"""What happens to two connections in virtual time: two applications, a link each way, and exact misfortunes. Pure data.

Rule 1: a scenario assumes nothing about an implementation: what is lost is named by its role in the stream ("the last
data segment"), so it means the same for stop-and-wait and for the largest window.
Rule 2: whoever runs one adds the randomness: a seed, the streams' bytes, the initial sequence numbers.

The list of those that are graded is in `harness/transport/simulation/catalogue.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from harness.link.profile import Profile

Role = Literal["client", "server"]
ROLES: tuple[Role, Role] = ("client", "server")

#: The role of a lost or repeated segment, whichever program sends it.
What = Literal[
    "SYN",  #: without ACK
    "SYN-ACK",
    "data",  #: the nth stretch of new bytes, in whatever segment it is sent
    "last data",  #: what carries the last byte of the stream
    "FIN",
    "ACK",  #: the nth segment that only acknowledges
    "last ACK",  #: what acknowledges the peer's FIN
    "window update",  #: the first segment that announces room again after the window was too small for a segment
]


def other(role: Role) -> Role:
    """The other side."""
    return "server" if role == "client" else "client"


@dataclass(frozen=True, kw_only=True)
class App:
    """What one application does. Sizes in bytes, times in seconds of virtual time."""

    sends: int = 0  #: bytes, from its own random stream
    chunk: int = 0  #: bytes handed over at a time, 0 is all at once
    every: float = 0.0  #: seconds between two chunks
    starts: float = 0.0  #: when it hands over its first byte
    #: when a chunk may be handed over: any time; "asks": after the answer to the one before; "answers": after as many
    #: bytes came; "after the end": when the peer's stream has ended
    turn: Literal["any", "asks", "answers", "after the end"] = "any"
    ends: Literal["sent", "heard", "never"] = "sent"  #: once all is sent; once the peer's end has been heard, too
    aborts: float | None = None  #: when it gives up the connection
    reads: int = 65_536  #: bytes taken at a time
    reads_every: float = 0.0  #: seconds between two reads, 0 is at once
    sleeps: tuple[float, float] | None = None  #: from, to: it does not read at all


@dataclass(frozen=True, kw_only=True)
class Lose:
    """One particular segment that does not arrive."""

    sender: Role
    what: What
    nth: int = 1  #: of its kind
    times: int = 1  #: how many transmissions of it in a row


@dataclass(frozen=True, kw_only=True)
class Replay:
    """One segment that arrives again, much later."""

    sender: Role
    what: What
    nth: int = 1
    later: float = 1.5  #: seconds after it arrived first


@dataclass(frozen=True, kw_only=True)
class Garbage:
    """Datagrams from the peer's address that are not segments: one with every nth packet, of many kinds in turn."""

    sender: Role
    every: int = 3


@dataclass(frozen=True, kw_only=True)
class Change:
    """Other links from a certain time on."""

    at: float  #: seconds
    to_server: Profile | None = None  #: None: unchanged
    to_client: Profile | None = None


#: How a side ends: the last of the events of its connection.
Ending = Literal["closed", "reset", "timed out", "any"]

#: 10 ms each way.
NEAR = Profile(delay=0.01)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One story for two connections."""

    name: str
    why: str  #: what a program gets wrong that fails here
    stage: int  #: the stage it belongs to, 3 to 7
    client: App = field(default_factory=App)
    server: App = field(default_factory=App)
    to_server: Profile = NEAR
    to_client: Profile = NEAR
    lose: tuple[Lose, ...] = ()
    replay: tuple[Replay, ...] = ()
    garbage: tuple[Garbage, ...] = ()
    changes: tuple[Change, ...] = ()
    buffers: Mapping[Role, int] = field(default_factory=dict)  #: receive_buffer, 65,536 by default
    near_wrap: bool = False  #: the initial sequence numbers lie just before 2^32
    limit: float = 60.0  #: seconds of virtual time within which all has to be over
    ending: Ending = "closed"  #: how both sides end, from stage 4 on; in stage 3 the ends of the streams are enough
    watched: tuple[Role, ...] = ROLES  #: the sides that have to end
    whole: bool = True  #: whether the streams have to arrive whole; otherwise a beginning of them
    flaky: float = 0.0  #: upper bound on the probability that a correct program fails one seed

    @property
    def random(self) -> bool:
        """Whether another seed gives another run."""
        dice = ("jitter", "loss", "gemodel", "state", "duplicate", "corrupt", "reorder", "truncate")
        profiles = [self.to_server, self.to_client]
        profiles += [p for change in self.changes for p in (change.to_server, change.to_client) if p]
        return any(getattr(profile, name) for profile in profiles for name in dice)

    @property
    def closes(self) -> bool:
        """Whether the connections have to end as well, not only the streams."""
        return self.stage >= 4 or self.ending != "closed"

    def app(self, role: Role) -> App:
        """What the application of a side does."""
        return self.client if role == "client" else self.server

    def profile(self, sender: Role) -> Profile:
        """The link that a side sends into at first."""
        return self.to_server if sender == "client" else self.to_client

    def buffer(self, role: Role) -> int:
        """The receive buffer of a side, in bytes."""
        return self.buffers.get(role, 65_536)

    def reversed(self) -> Scenario:
        """The same with the sides swapped: what the client did, the server does."""
        return replace(
            self,
            name=f"{self.name}, the other way round",
            client=self.server,
            server=self.client,
            to_server=self.to_client,
            to_client=self.to_server,
            lose=tuple(replace(row, sender=other(row.sender)) for row in self.lose),
            replay=tuple(replace(row, sender=other(row.sender)) for row in self.replay),
            garbage=tuple(replace(row, sender=other(row.sender)) for row in self.garbage),
            changes=tuple(replace(row, to_server=row.to_client, to_client=row.to_server) for row in self.changes),
            watched=tuple(other(role) for role in self.watched),
            buffers={other(role): size for role, size in self.buffers.items()},
        )
