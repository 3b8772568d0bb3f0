"""The oracle's rules for receivers: what may be acknowledged and offered, and when it has to be sent. Pure.

Rule: an endpoint that stays silent may have ended. An ACK is missing only if something else was sent later.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from harness.transport.oracle.ranges import Ranges
from harness.transport.oracle.verdicts import Verdicts, span
from harness.transport.oracle.view import Heard, Sent, View, Witness
from harness.transport.segments import MODULUS, near

#: Seconds: "at once" on a clock that may be off by this much, and rule 3.4's longest delay with the same allowance.
AT_ONCE, LONGEST_DELAY = 0.001, 0.205


def blocks_of(row: Sent) -> list[tuple[int, int]]:
    """What a segment reports, in numbers that do not wrap: the first one, and the one after the last."""
    begins = [near(left - row.seg.acknowledgement, 0) + row.ack for left, _ in row.seg.sack]
    sizes = [(right - left) % MODULUS for left, right in row.seg.sack]
    return [(begin, begin + size) for begin, size in zip(begins, sizes, strict=True)]


class ReceiverRules:
    """Checks each segment that one side sent, once, in order: acknowledgement, window and blocks."""

    def __init__(self, view: View, verdicts: Verdicts) -> None:
        self._view, self._verdicts = view, verdicts
        self.acknowledged = 0  #: everything below
        self.edge = 0  #: the largest that was offered
        case = verdicts.case
        self._buffer = case.buffers.get(view.direction)
        reads = case.reads.get(view.direction)
        self._read_times = [at for at, _ in reads] if reads is not None else None
        self._read_totals = [total for _, total in reads or ()]

    def look(self, row: Sent, sure: Witness, eager: Witness) -> None:
        """Judge one segment that was sent."""
        self._check_flags(row, sure)
        if row.seg.rst:
            return
        if row.seg.ack and row.ack in eager.strange:
            return  # it answers the SYN of another connection: a server cannot know
        if row.seg.ack:
            self._check_ack(row, eager)
            self._check_blocks(row, eager)
        elif row.seg.sack:
            self._verdicts.sent("6.5", "SACK blocks without ACK", row, should=True, arrival=False)
        if row.seg.ack or row.seg.syn:
            self._check_edge(row, eager)

    def _check_flags(self, row: Sent, sure: Witness) -> None:
        seg = row.seg
        if seg.reserved:
            text = f"flag bits 6 and 7 are {seg.reserved >> 6:02b}"
            self._verdicts.sent("1.2", text, row, should=True, arrival=False)
        if seg.payload and (seg.syn or seg.rst):
            self._verdicts.sent("3.3", "payload on a SYN or RST", row, arrival=False)
        if not seg.ack and not seg.rst:
            server = self._view.direction in self._verdicts.case.servers
            if not seg.syn:
                self._verdicts.sent("3.2", "no ACK flag", row, arrival=False)
            elif server or sure.next > 1:
                self._verdicts.sent("3.2", "a SYN without ACK after the peer's SYN", row, arrival=not server)

    def _check_ack(self, row: Sent, eager: Witness) -> None:
        if row.ack > eager.next:
            text = f"it acknowledges everything below {row.ack}, and only what is below {eager.next} had arrived whole"
            self._verdicts.sent("3.1", text, row)
        elif row.ack < self.acknowledged:
            text = f"it acknowledges everything below {row.ack}, an earlier one everything below {self.acknowledged}"
            self._verdicts.sent("3.1", text, row, should=row.again, arrival=False)
        else:
            self.acknowledged = row.ack

    def _check_edge(self, row: Sent, eager: Witness) -> None:
        """5.3: the edge never moves back, and lies within the buffer."""
        if row.edge < self.edge and eager.fin is None:
            text = f"it offers room up to {row.edge - 1}, an earlier one up to {self.edge - 1}"
            self._verdicts.sent("5.3", text, row, should=row.again, arrival=False)
        self.edge = max(self.edge, row.edge)
        if self._buffer is None:
            return
        if row.seg.window > self._buffer:
            text = f"a window of {row.seg.window:,} bytes, the buffer has {self._buffer:,}"
            self._verdicts.sent("5.3", text, row, arrival=False)
        elif self._read_times is not None and eager.fin is None:
            index = bisect_right(self._read_times, row.at)
            read = self._read_totals[index - 1] if index else 0
            if row.edge - 1 > read + self._buffer:
                text = f"room up to byte {row.edge - 1:,}; {read:,} were read, {self._buffer:,} fit in"
                self._verdicts.sent("5.3", text, row)

    def _check_blocks(self, row: Sent, eager: Witness) -> None:
        """6.5: only what arrived, above the acknowledgement, the newest first."""
        blocks = blocks_of(row)
        for begin, end in blocks:
            if begin == end or end - begin > MODULUS // 2:
                self._verdicts.sent("6.5", "a SACK block without a single number", row, arrival=False)
            elif begin < row.ack:
                text = f"a SACK block begins at {begin}, below the ACK, {row.ack}"
                self._verdicts.sent("6.5", text, row, arrival=False)
            elif not eager.got.covers(begin, end):
                self._verdicts.sent("6.5", f"it reports {span(begin, end)}, which did not all arrive", row)
            elif begin == row.ack:
                text = f"a SACK block begins at the ACK, {row.ack}: that should be acknowledged"
                self._verdicts.sent("6.5", text, row, should=True, arrival=False)
        if len(blocks) > 1 and not self._begins_with_newest(row, blocks):
            self._verdicts.sent("6.5", "the first SACK block is not the one with the newest segment", row, should=True)

    def _begins_with_newest(self, row: Sent, blocks: Sequence[tuple[int, int]]) -> bool:
        """False if one segment came at this instant, for the first time, and is not in the first block."""
        heard = self._view.heard
        first = bisect_left(heard, row.at, key=lambda h: h.at)
        last = bisect_right(heard, row.at, key=lambda h: h.at)
        fresh = [h.origin.seq for h in heard[first:last] if h.origin and h.origin.seg.payload]
        earlier = {h.origin.seq for h in heard[max(0, first - 200) : first] if h.origin}
        if len(fresh) != 1 or fresh[0] in earlier:
            return True
        return not any(left <= fresh[0] < right for left, right in blocks[1:])


class Promptness:
    """3.4, 4.4 and 5.6: looks at each arrival, and for the ACK that it calls for."""

    def __init__(self, view: View, verdicts: Verdicts) -> None:
        self._view, self._verdicts = view, verdicts
        self._acks = [row for row in view.sent if row.seg.ack and not row.seg.rst]
        self._times = [row.at for row in self._acks]
        resets = [row.at for row in view.sent if row.seg.rst]
        self._reset = min(resets, default=float("inf"))
        self._waiting: list[Heard] = []  # in order, not acknowledged
        self._done = 0  # sendings that were looked at

    def look(self, arrivals: Sequence[Heard]) -> None:
        """Everything that arrived, in order."""
        witness = Witness(sure=False)
        low = edge = 0
        index = 0
        while index < len(arrivals):
            now = arrivals[index].at
            together = [arrivals[index]]
            while index + len(together) < len(arrivals) and arrivals[index + len(together)].at == now:
                together.append(arrivals[index + len(together)])
            index += len(together)
            low, edge = self._said_before(now, low, edge)
            if witness.rst:
                return
            before, top = witness.next, witness.got.top
            for heard in together:
                witness.hear(heard, sent=1 << 62)
            if low >= 1 and now < self._reset:
                reach = self._edge_at(now, edge)
                for heard in together:
                    self._judge(heard, low, reach, before, witness, held=top > before)

    def _said_before(self, now: float, low: int, edge: int) -> tuple[int, int]:
        """The largest acknowledgement and edge that were sent before an instant."""
        while self._done < len(self._acks) and self._times[self._done] < now:
            low = max(low, self._acks[self._done].ack)
            edge = max(edge, self._acks[self._done].edge)
            self._done += 1
        return low, edge

    def _edge_at(self, now: float, edge: int) -> int:
        """The largest edge that may have been offered when something arrived at that instant."""
        for row in self._acks[self._done : self._done + 100]:
            if row.at > now:
                break
            edge = max(edge, row.edge)
        return edge

    def _judge(self, heard: Heard, low: int, edge: int, before: int, witness: Witness, *, held: bool) -> None:
        row = heard.origin
        if row is None or row.seg.rst or row.seg.syn or not row.seg.ack:
            return
        if row.seg.size == 0:
            if row.seq < low or row.seq > max(edge, witness.next):
                self._at_once(heard, "4.4", f"it is not acceptable: {span(low, edge)} were expected")
            return
        if row.end <= low:
            self._at_once(heard, "3.4", "it brings what was acknowledged before")
        elif row.seq >= edge:
            probe = row.seq <= before and len(row.seg.payload) <= 1
            self._at_once(heard, "5.6" if probe else "4.4", "it lies beyond the window")
        elif row.seq > witness.next:
            self._at_once(heard, "3.4", f"it is out of order: {witness.next} is the next number")
        elif row.seg.fin:
            self._at_once(heard, "3.4", "it has the FIN")
        elif row.seq <= before < row.end:
            if held:
                self._at_once(heard, "3.4", "it fills a gap", should=not self._kept(heard, before))
            else:
                self._in_time(heard)

    def _at_once(self, heard: Heard, rule: str, why: str, *, should: bool = False) -> None:
        self._answered(heard, rule, AT_ONCE, f"no ACK at once for a segment: {why}", should=should)

    def _in_time(self, heard: Heard) -> None:
        self._answered(heard, "3.4", LONGEST_DELAY, "no ACK within 0.2 s for a segment in order")
        earlier = self._waiting[-1] if self._waiting else None
        if earlier is not None and self._first_after(earlier.at) >= heard.at and earlier.at < heard.at:
            self._answered(heard, "3.4", AT_ONCE, "no ACK at once for the second segment in order")
            self._waiting.clear()
        else:
            self._waiting = [heard]

    def _kept(self, heard: Heard, before: int) -> bool:
        """Whether the next ACK tells of something that came before this arrival, and out of order.

        Only then it is certain that there was a gap for it. Who goes back, or has no place left (RFC 9293, section
        3.10.7.4: out of order segments MAY be kept; RFC 2018, section 8), sees a segment in order, which may wait.
        """
        index = bisect_left(self._times, heard.at)
        if index == len(self._acks):
            return False
        answer = self._acks[index]
        there = Ranges()
        there.add(0, before)
        rows = self._view.heard
        for one in rows[bisect_left(rows, heard.at, key=lambda h: h.at) :]:
            if one.at > answer.at:
                break
            if one.origin is not None and not one.origin.seg.rst:
                there.add(one.origin.seq, one.origin.end)
        return answer.ack > there.reached_from(0) or any(not there.covers(*block) for block in blocks_of(answer))

    def _first_after(self, at: float) -> float:
        """When the first ACK was sent from then on."""
        index = bisect_left(self._times, at)
        return self._times[index] if index < len(self._times) else float("inf")

    def _answered(self, heard: Heard, rule: str, within: float, text: str, *, should: bool = False) -> None:
        assert heard.origin is not None
        answer = self._first_after(heard.at)
        if answer <= heard.at + within or self._reset <= heard.at + within:
            return
        if answer == float("inf"):  # it may have ended: nothing comes that it would have to answer
            return
        self._verdicts.add(
            rule,
            f"{text} (the next one came after {answer - heard.at:.3f} s)",
            heard.origin.number,
            heard.at,
            should=should,
        )


class Silences:
    """3.9 and 4.4: what must not be answered."""

    def __init__(self, view: View, verdicts: Verdicts) -> None:
        self._view, self._verdicts = view, verdicts

    def look(self, arrivals: Sequence[Heard]) -> None:
        """Check each instant at which only things came that must not be answered."""
        times = [row.at for row in self._view.sent]
        index = 0
        while index < len(arrivals):
            now, end = arrivals[index].at, index + 1
            while end < len(arrivals) and arrivals[end].at == now:
                end += 1
            together = arrivals[index:end]
            index = end
            first = bisect_left(times, now)
            sent = self._view.sent[first : bisect_right(times, now)]
            if not sent:
                continue
            if all(heard.origin is None for heard in together):
                self._check_damaged(sent[0], self._view.sent[first - 1] if first else None)
            elif all(heard.origin is not None and heard.origin.seg.rst for heard in together):
                self._check_reset(sent[0])

    def _check_damaged(self, row: Sent, last: Sent | None) -> None:
        """An ACK that repeats the one before, at the instant of a damaged datagram."""
        if self._verdicts.case.buffers.get(self._view.direction) == 1:
            return  # half of such a buffer is 0: rounding down announces the window at each read (5.4)
        if last is None or not (row.seg.is_pure_ack and last.seg.ack):
            return
        same = (row.seq, row.ack, row.seg.window) == (last.end, last.ack, last.seg.window)
        if same:  # so it is not a delayed ACK that has just become due
            self._verdicts.sent("3.9", "an ACK in answer to a datagram that is not a segment", row)

    def _check_reset(self, row: Sent) -> None:
        if row.seg.rst:
            self._verdicts.sent("4.4", "an RST in answer to an RST", row)
