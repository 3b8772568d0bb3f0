"""A conversation with one connection in virtual time: runs it, records what it sends, keeps the story. Pure.

Rule: everything the connection does is checked once, here: segments, their bytes, events, timers.
"""

from __future__ import annotations

from hashlib import shake_128
from typing import Any, Literal, NoReturn

from harness.actors.story import Broken, Story
from harness.link.trace import Direction, Packet
from harness.transport.calls.player import Player, StepResult
from harness.transport.script.text import Numbers, ScriptLine
from harness.transport.segments import Seg, WireFormat, describe_seg, fault, near, parse
from harness.transport.simulation.scenarios import Role

#: Seconds by which a timer may miss a time of the script.
SLACK = 0.001
#: Timers that may fire in one script: more is a timer that is never satisfied.
MOST_TIMERS = 20_000
#: Most segments of the student; the more there are, the more each one costs.
MOST_HEARD = 5000
#: Lines of the conversation that a failure message repeats.
REPEATED = 12
_PERIOD = 65_521  # a prime, so that no segment size divides the stream's pattern


def stream_bytes(whose: str, start: int, end: int) -> bytes:
    """The bytes at positions start..end (from 0) of a stream that is the same in every script."""
    pattern = _PATTERNS[whose]
    first = start % _PERIOD
    return (pattern * ((end - start) // _PERIOD + 2))[first : first + end - start]


_PATTERNS = {whose: shake_128(whose.encode()).digest(_PERIOD) for whose in ("student", "peer")}


class Conversation:
    """The connection, the time, and what happened so far. Times are seconds from 0."""

    def __init__(
        self,
        connection: Player,
        *,
        role: Role,
        isn: int,
        peer_isn: int = 0x8000_0000 - 500,
        wire: WireFormat | None = None,
        story: Story | None = None,
    ) -> None:
        """`role` and `isn` are the student's, as the connection was made with them. Raises Broken."""
        self.now = 0.0
        self.role: Role = role
        self.seen: list[Numbers] = []  #: every segment of the student, in order
        self.events: list[tuple[float, str]] = []  #: every event, with its time
        self.packets: list[Packet] = []  #: both directions, for the oracle and for drawings
        self.said = 0  #: bytes the student's application has handed over
        self.got = 0  #: bytes the student's application has read
        self._connection, self.wire = connection, wire or WireFormat()
        self._isn, self._peer_isn = isn, peer_isn
        self._story = story or Story(lambda: self.now)
        self._lines: list[str] = []  # the conversation so far
        self._line: ScriptLine | None = None  # the line of the script that is being run
        self._timer: float | None = None
        self._fired = 0
        self._claimed: set[int] = set()  # indices into `seen` that an expectation has already used
        self._heard = 0  # events that a script has already used
        self._mark = 0  # index into `seen` from which expectations look
        self._acting = False  # the last line was a send or an app
        self._anchor = 0.0  # the time that within, after and for count from
        self._next = 0  # the peer's next number
        self._acknowledged = 0  # the peer has acknowledged everything below
        self._window = 65_536
        self._step()

    @property
    def isns(self) -> dict[Direction, int]:
        """The initial sequence numbers, for the oracle."""
        return {"up": self._isn, "down": self._peer_isn}

    def _acts(self) -> None:
        """A send or an app: expectations look at what was sent since the first one of a row."""
        if not self._acting:
            self._mark = len(self.seen)
        self._acting = True
        self._anchor = self.now

    def _fresh(self) -> list[int]:
        return [index for index in range(self._mark, len(self.seen)) if index not in self._claimed]

    def _advance(self, deadline: float) -> bool:
        """Advance to the next timer; False if there is none until then."""
        if self._timer is None or self._timer > deadline:
            self.now = max(self.now, deadline - SLACK)
            return False
        self._fired += 1
        if self._fired > MOST_TIMERS:
            self._fail("timers fire without end", f"at most {MOST_TIMERS:,}", f"next_timer() is {self._timer:.6f}")
        self.now = max(self.now, self._timer)
        self._step(timer=True)
        if self._timer is not None and self._timer <= self.now:
            later = "a time after it, or None"
            self._fail(f"handle_timer was called at {self.now:.6f} s", later, f"next_timer() is {self._timer:.6f}")
        return True

    def _pass(self, seconds: float) -> None:
        target = self.now + seconds
        while self._advance(target):
            pass
        self.now = max(self.now, target)

    def _step(self, *, settle: bool = True, **what: Any) -> StepResult:
        result = self._connection.step(now=self.now, **what)
        if settle:
            self._settle(result)
        return result

    def _settle(self, result: StepResult) -> None:
        self._timer = result.timer
        for word in result.events:
            self.events.append((self.now, word))
            self._say("student", f"event: {word}")
        for data in result.datagrams:
            self._hear(data)

    def _hear(self, data: bytes) -> None:
        self._record("up", data)
        seg = parse(data, self.wire)
        if seg is None:
            self._say("student", f"sends {len(data)} bytes that are not a segment")
            self._fail("the student sent what is not a segment", "a segment", str(fault(data, self.wire)))
        if len(self.seen) >= MOST_HEARD:
            self._fail("the student sends without end", f"at most {MOST_HEARD:,} segments", "one more")
        high = max((seen.seq for seen in self.seen), default=0)
        seq = near(seg.sequence - self._isn, high)
        ack = near(seg.acknowledgement - self._peer_isn, self._next) if seg.ack else 0
        sack = tuple((near(left - self._peer_isn, ack), near(right - self._peer_isn, ack)) for left, right in seg.sack)
        self.seen.append(Numbers(self.now, seg, seq, ack, sack))
        self._say("student", f"sends {self.seen[-1]}")
        if seg.syn and seg.sequence != self._isn:
            what = "the SYN does not have the number that the connection was given as `isn`"
            self._fail(what, f"sequence number {self._isn}", f"sequence number {seg.sequence}")
        right = stream_bytes("student", max(seq - 1, 0), max(seq - 1, 0) + len(seg.payload))
        if seg.payload and not (seg.syn or seg.rst):
            if seq + len(seg.payload) > 1 + self.said:
                self._fail("the student sent bytes that its application has not", f"{self.said} bytes", str(seg.size))
            if seg.payload != right:
                self._fail("the student sent other bytes than its application", "its bytes", f"others at {seq}")

    def _record(self, direction: Literal["up", "down"], data: bytes) -> None:
        number = len(self.packets) + 1
        self.packets.append(Packet(number, self.now, self.now, direction, data, data, "delivered"))

    def _show_own(self, seg: Seg) -> str:
        return describe_seg(seg, sequence_base=self._peer_isn, acknowledgement_base=self._isn)

    def _say(self, who: Literal["tester", "student"], what: str) -> None:
        self._lines.append(f"{self.now:9.4f}  {what}")
        self._story.add(who, f"at {self.now:.4f} s: {what}")

    def _recent(self) -> str:
        fresh = [at(self.seen[index]) for index in self._fresh()]
        return "; ".join(fresh[-6:]) or "nothing"

    def _fail(self, what: str, expected: str, seen: str) -> NoReturn:
        where = f"line {self._line.number} of the script, `{self._line.text}`: " if self._line else ""
        told = "\n".join(self._lines[-REPEATED:])
        raise Broken(
            f"{where}{what}, at {self.now:.4f} s",
            expected=expected,
            seen=f"{seen}\nThe conversation so far (its numbers count from the SYNs):\n{told}",
        )


def at(seen: Numbers) -> str:
    """A segment and its time, for messages."""
    return f"{seen} at {seen.at:.4f} s"


def limit(within: float) -> str:
    """A time limit, for messages."""
    return f"within {within:g} s" if within else "at once"
