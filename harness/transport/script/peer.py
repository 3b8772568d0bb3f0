"""The scripted peer: sends one segment, expects another, in virtual time, from short readable scripts. Pure.

    peer = ScriptedPeer(connection, role="client", isn=7000)
    peer.plays('''
              expect SYN !ACK seq=0                # numbers are relative: 0 is the SYN, 1 the first byte, on both sides
              send   SYN ACK seq=0 ack=1 win=4096
              expect ACK seq=1 ack=1
              event  connected
        +1.5  send   RST seq=1
              event  reset
    ''')

Rule 1: a script never faults the student for sending more than it asks for; that is for the
rules of the oracle, which may look at the same packets (`peer.packets`). But an RST is always reported.
Rule 2: `expect`, `never` and `nothing` look at what was sent since the last `send` or `app` (a row of them is one),
in any order, each segment once; so an old ACK is never taken for an answer. docs/script.md lists the words.
"""

from __future__ import annotations

from harness.transport.script.conversation import SLACK, Conversation, at, limit, stream_bytes
from harness.transport.script.run import run_line
from harness.transport.script.text import BadScript, Numbers, SegmentToSend, read_pattern, read_script, read_segment
from harness.transport.segments import MOST_PAYLOAD, Seg, build

__all__ = ["BadScript", "ScriptedPeer"]

#: Bytes that an application which always has more hands over at a time: what every send buffer holds (rule 0.5).
WAITING = 65_536
#: Round trips after which whatever was handed over has been sent, however slowly.
MOST_ROUND_TRIPS = 1000


class ScriptedPeer(Conversation):
    """Plays the peer of one connection. There is no link: everything arrives at once."""

    # -- the script ----------------------------------------------------------------------------------------------

    def plays(self, script: str) -> None:
        """Run it line by line. Raises Broken with the line, BadScript for a mistake in the script."""
        for line in read_script(script):
            self._line = line
            try:
                run_line(self, line)
            except BadScript as error:
                raise BadScript(f"line {line.number}, {line.text!r}: {error}") from None
        self._line = None

    # -- what the peer does --------------------------------------------------------------------------------------

    def sends(self, text: str) -> None:
        """A segment, or bytes that are not one, arrive at the student."""
        to_send = read_segment(text)
        if to_send.raw is not None:
            data, shown = to_send.raw, f"{len(to_send.raw)} bytes that are not a segment"
        else:
            seg = self._seg(to_send)
            data = build(seg, self.wire)
            shown = self._show_own(seg)
        if to_send.damaged:
            data = data[:-1] + bytes([data[-1] ^ 0x10])
            shown += " (damaged)"
        self._acts()
        self._say("tester", f"the peer sends {shown}")
        self._record("down", data)
        self._step(receive=[data])

    def _seg(self, to_send: SegmentToSend) -> Seg:
        flags = {name.lower(): True for name in to_send.flags}
        seq = self._next if to_send.seq is None else to_send.seq
        ack = self.expected_next if to_send.ack is None else to_send.ack
        self._window = self._window if to_send.win is None else to_send.win
        at = max(seq - 1, 0)
        seg = Seg(
            (self._peer_isn + seq) % 2**32,
            (self._isn + ack) % 2**32 if to_send.ack is not None or "ACK" in to_send.flags else 0,
            self._window,
            sack=tuple((left + self._isn, right + self._isn) for left, right in to_send.sack),
            payload=stream_bytes("peer", at, at + to_send.len),
            **flags,
        )
        if not to_send.damaged and seg.ack and not seg.rst:
            self._acknowledged = max(self._acknowledged, ack)
        if not to_send.damaged and not seg.rst and seq <= self._next:
            self._next = max(self._next, seq + seg.size)
        return seg

    @property
    def expected_next(self) -> int:
        """The number a peer expects that has received everything the student sent, up to the first gap."""
        reached = 0
        for seen in sorted(self.seen, key=lambda seen: seen.seq):
            if seen.seq <= reached and not seen.seg.rst:
                reached = max(reached, seen.seq + seen.seg.size)
        return reached

    def opens(self, *, window: int | None = None) -> None:
        """The whole handshake, in the student's role; afterwards the next number of both sides is 1."""
        win = "" if window is None else f"win={window}"
        if self.role == "client":
            self.expects("SYN !ACK seq=0", within=0)
            self.sends(f"SYN ACK seq=0 ack=1 {win}")
            self.expects("ACK seq=1 ack=1")
        else:
            self.sends(f"SYN seq=0 {win}")
            self.expects("SYN ACK seq=0 ack=1")
            self.sends(f"ACK seq=1 ack=1 {win}")
        self.event("connected")

    # -- what the student's application does ---------------------------------------------------------------------

    def writes(self, count: int, *, takes: int | None = None) -> int:
        """The application sends the next bytes of its stream; returns how many were taken."""
        data = stream_bytes("student", self.said, self.said + count)
        self._acts()
        self._say("student", f"the application sends {count:,} bytes")
        before = self.said
        self.said += count  # what it may send: datagrams come before the result is known
        result = self._step(send=data, settle=False)
        self.said = before + result.accepted
        self._settle(result)
        if takes is not None and result.accepted != takes:
            self._fail("send() took another number of bytes", f"{takes:,}", f"{result.accepted:,}")
        return result.accepted

    def takes(self, limit: int, *, gives: int | None = None) -> bytes:
        """The application reads once; what it got is compared with the peer's stream."""
        self._acts()
        result = self._step(read=limit)
        self._say("student", f"the application reads {len(result.read):,} bytes")
        right = stream_bytes("peer", self.got, self.got + len(result.read))
        if result.read != right:
            self._fail("read() gave other bytes than the peer sent", "the peer's stream", "something else")
        self.got += len(result.read)
        if gives is not None and len(result.read) != gives:
            self._fail("read() gave another number of bytes", f"{gives:,}", f"{len(result.read):,}")
        return result.read

    def reads(self, first: int, last: int) -> None:
        """The application reads until it has the peer's bytes first..last (1 is the first byte)."""
        if first != self.got + 1:
            raise BadScript(f"the application has read up to {self.got + 1}")
        while self.got + 1 < last:
            if not self.takes(last - 1 - self.got):
                self._fail("read() gives too little", f"bytes {first}:{last}", f"{first}:{self.got + 1}")

    def ends(self) -> None:
        """The application has no more to send."""
        self._acts()
        self._say("student", "the application ends its sending side")
        self._step(end=True)

    def aborts(self) -> None:
        """The application gives up."""
        self._acts()
        self._say("student", "the application aborts")
        self._step(abort=True)

    # -- both ----------------------------------------------------------------------------------------------------

    def round_trips(self, count: int, *, lasting: float) -> list[int]:
        """The application always has more to send; the peer acknowledges `lasting` seconds later, segment by segment.

        Returns the bytes that were under way at the beginning of each round trip.
        """
        under_way = []
        for _ in range(count):
            self._feeds()
            under_way.append(self.expected_next - self._acknowledged)
            self._acknowledges_each(lasting, feeding=True)
        return under_way

    def acknowledges_the_rest(self, *, lasting: float) -> None:
        """The same with nothing more to send, until all that the application has sent is acknowledged."""
        for _ in range(MOST_ROUND_TRIPS):
            if self._acknowledged > self.said:
                return
            self._acknowledges_each(lasting, feeding=False)
        self._fail("what the application has handed over is not sent", f"number {self.said}", self._recent())

    def _acknowledges_each(self, lasting: float, *, feeding: bool) -> None:
        """Small segments are acknowledged together, as one: windows that count acknowledgements grow as they should."""
        self.waits(lasting)
        reached, before = self.expected_next, self._acknowledged
        for end in sorted({seen.seq + seen.seg.size for seen in self.seen}):
            full = end >= self._acknowledged + MOST_PAYLOAD or (end == reached and self._acknowledged == before)
            if full and end <= reached:
                self.sends(f"ACK ack={end}")
                if feeding:
                    self._feeds()

    def _feeds(self) -> None:
        if self.said - self._acknowledged < WAITING:
            self.writes(WAITING)

    # -- expectations --------------------------------------------------------------------------------------------

    def expects(self, text: str, *, within: float = 0.0, after: float = 0.0) -> Numbers:
        """A matching segment comes, no earlier than `after` and no later than `within` seconds; returns it."""
        self._acting = False
        pattern = read_pattern(text)
        earliest, deadline = self._anchor + after - SLACK, self._anchor + max(within, after) + SLACK
        while True:
            for index in self._fresh():
                seen = self.seen[index]
                if pattern.matches(seen) and seen.at <= deadline:
                    if after and seen.at < earliest:
                        self._fail("the student sent it too early", f"{text}, after {after:g} s", at(seen))
                    self._claimed.add(index)
                    self._anchor = max(self._anchor, seen.at)
                    return seen
                if seen.seg.rst:
                    self._fail("the student reset the connection", text, at(seen))
            if not self._advance(deadline):
                self._fail(f"it did not come {limit(within)}", text, self._recent())

    def expects_bytes(self, first: int, last: int, *, within: float = 0.0) -> None:
        """All bytes first..last are sent as payload, however cut, within `within` seconds."""
        self._acting = False
        deadline = self._anchor + within + SLACK
        while True:
            reached = first
            fresh = [i for i in self._fresh() if self.seen[i].seg.payload and self.seen[i].at <= deadline]
            for index in sorted(fresh, key=lambda index: self.seen[index].seq):
                seen = self.seen[index]
                if seen.seq <= reached:
                    reached = max(reached, seen.seq + len(seen.seg.payload))
            if reached >= last:
                self._claimed.update(fresh)
                self._anchor = max([self._anchor, *(self.seen[index].at for index in fresh)])
                return
            if not self._advance(deadline):
                self._fail(f"they did not all come {limit(within)}", f"bytes {first}:{last}", self._recent())

    def never(self, text: str, *, during: float = 0.0) -> None:
        """No matching segment since the last action, nor for `during` seconds from now."""
        self._acting = False
        pattern = read_pattern(text)
        self._pass(during)
        for index in self._fresh():
            if pattern.matches(self.seen[index]):
                self._fail("the student sent what it must not", f"never {text}", at(self.seen[index]))
        self._anchor = self.now

    def silence(self, *, during: float) -> None:
        """From now on, for `during` seconds, nothing but ACKs without payload."""
        self._acting = False
        begin = len(self.seen)
        self._pass(during)
        for seen in self.seen[begin:]:
            if not seen.seg.is_pure_ack:
                self._fail("the student was not silent", f"nothing for {during:g} s", at(seen))
        self._anchor = self.now

    def event(self, name: str, *, within: float = 0.0) -> None:
        """The application is told this; other events before it are skipped."""
        self._acting = False
        deadline = self._anchor + within + SLACK
        while True:
            while self._heard < len(self.events):
                at, heard = self.events[self._heard]
                self._heard += 1
                if heard == name:
                    self._anchor = max(self._anchor, at)
                    return
            if not self._advance(deadline):
                told = ", ".join(word for _, word in self.events) or "none"
                self._fail(f"the event did not come {limit(within)}", f"event {name}", f"events: {told}")

    def never_event(self, name: str, *, during: float = 0.0) -> None:
        """The application has not been told this so far, nor is it for `during` seconds from now."""
        self._acting = False
        self._pass(during)
        if any(word == name for _, word in self.events):
            self._fail("the application was told something that is not true", f"never event {name}", f"event {name}")
        self._anchor = self.now

    def times(self, text: str, *, until: float) -> list[float]:
        """When matching segments are sent, from the last action until `until` seconds from now."""
        pattern = read_pattern(text)
        self._pass(until)
        found = [index for index in self._fresh() if pattern.matches(self.seen[index])]
        self._claimed.update(found)
        return [self.seen[index].at for index in found]

    def waits(self, seconds: float) -> None:
        """Let time pass."""
        self._acting = False
        self._say("tester", f"lets {seconds:g} s pass")
        self._pass(seconds)
        self._anchor = self.now

    def require(self, met: bool, sentence: str, *, expected: str = "", seen: str = "") -> None:
        """Raise Broken with the conversation unless `met`: for what a script cannot express."""
        if not met:
            self._fail(sentence, expected, seen or self._recent())
