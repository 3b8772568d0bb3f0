"""A peer made by hand, on a real socket: the test sends each segment itself, also those that no program would.

Rule: it answers nothing by itself. What a test does not acknowledge is sent again, and heard again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from harness.actors.datagrams import Datagrams
from harness.actors.program import PATIENCE
from harness.actors.story import Broken, Story
from harness.course.address import Address
from harness.transport.segments import MODULUS, Seg, WireFormat, build, describe, parse

#: The window it offers (bytes): nothing here looks at windows.
WINDOW = 60_000


class ByHand:
    """One UDP socket of the tester that sends and hears segments."""

    def __init__(self, datagrams: Datagrams, wire: WireFormat, story: Story, *, isn: int) -> None:
        self._datagrams = datagrams
        self._wire = wire
        self._story = story
        self.sender: Address | None = None  #: who sent the last datagram
        self.isn = isn
        self.next = isn  #: its next sequence number
        self.expected = 0  #: the program's next sequence number

    @property
    def address(self) -> Address:
        """What a student's client is told."""
        return self._datagrams.address

    # -- single segments ---------------------------------------------------------------------------------------

    def says(self, **fields: object) -> None:
        """Send a segment; sequence, acknowledgement and window default to the right ones."""
        known: dict[str, object] = {"sequence": self.next, "window": WINDOW}
        if fields.get("ack", False):
            known["acknowledgement"] = self.expected
        data = build(Seg(**{**known, **fields}), self._wire)  # type: ignore[arg-type]
        self._story.add("tester", f"{self._datagrams.name} says {describe(data, self._wire)}")
        self._datagrams.throws(data, self.sender)

    def rings(self, data: bytes) -> None:
        """Send bytes that are not a segment."""
        self._story.add("tester", f"{self._datagrams.name} sends {describe(data, self._wire)}")
        self._datagrams.throws(data, self.sender)

    def hears(self, what: str, wanted: Callable[[Seg], object], *, within: float = PATIENCE) -> Seg:
        """The next segment that is `wanted` (`what`, in words); others are skipped. Raises Broken."""
        deadline = time.monotonic() + within
        others = []
        while (left := deadline - time.monotonic()) > 0:
            got = self._datagrams.catches(within=left)
            if got is None:
                break
            data, self.sender = got
            said = describe(data, self._wire)
            seg = parse(data, self._wire)
            if seg is not None and wanted(seg):
                self._story.add("student", f"says {said}")
                return seg
            others.append(said)
        raise Broken(
            f"{what} did not come within {within:g} s",
            expected=what,
            seen="; ".join(others[-5:]) or "silence",
            verdict="timeout",
        )

    def hears_nothing(self, *, for_: float) -> None:
        """Not one datagram comes. Raises Broken."""
        self._datagrams.hears_nothing(for_=for_)

    # -- what many tests begin or end with -----------------------------------------------------------------------

    def connects(self) -> None:
        """Shake hands with a program that listens."""
        self.says(syn=True)
        answer = self.hears("a SYN ACK", lambda seg: seg.syn and seg.ack)
        self.next = (self.isn + 1) % MODULUS
        self.expected = (answer.sequence + 1) % MODULUS
        self._agrees(answer.acknowledgement, self.next, "the SYN ACK acknowledges the SYN")
        self.says(ack=True)

    def hears_the_syn(self) -> Seg:
        """Wait until a program connects."""
        syn = self.hears("a SYN", lambda seg: seg.syn and not seg.ack)
        self.expected = (syn.sequence + 1) % MODULUS
        return syn

    def accepts(self) -> Seg:
        """Wait until a program connects, and shake hands."""
        syn = self.hears_the_syn()
        self.says(syn=True, ack=True)
        self.next = (self.isn + 1) % MODULUS
        answer = self.hears("the ACK of the SYN ACK", lambda seg: seg.ack and not seg.syn)
        self._agrees(answer.acknowledgement, self.next, "the program acknowledges the SYN ACK")
        return syn

    def sends(self, payload: bytes, *, fin: bool = False) -> None:
        """One segment with payload, and wait until it is acknowledged."""
        self.says(ack=True, payload=payload, fin=fin)
        self.next = (self.next + len(payload) + fin) % MODULUS
        wanted = self.next
        self.hears("an ACK of all of it", lambda seg: seg.ack and seg.acknowledgement == wanted)

    def ends_with(self, seg: Seg) -> None:
        """Acknowledge a FIN that was heard."""
        self.expected = (seg.sequence + len(seg.payload) + 1) % MODULUS
        self.says(ack=True)

    def stranger(self) -> ByHand:
        """The same numbers from another socket: a forger who knows all of them."""
        other = ByHand(self._datagrams.stranger(), self._wire, self._story, isn=self.isn)
        other.next, other.expected, other.sender = self.next, self.expected, self.sender
        return other

    def _agrees(self, seen: int, expected: int, rule: str) -> None:
        if seen != expected:
            raise Broken(f"this did not hold: {rule}", expected=f"{expected}", seen=f"{seen}")
        self._story.add("tester", f"finds: {rule}")
