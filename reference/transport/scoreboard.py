"""What is under way: every segment sent and not acknowledged, and what happened to it, as far as we know. Pure.

Rule 1: this keeps the books: it knows neither when to send nor how much. Positions are plain integers (sequence.py).
Rule 2: what only selective acknowledgements say is a hint: the peer may take it back (RFC 2018, section 8), so nothing
is thrown away before the cumulative acknowledgement covers it, and a timeout forgets all hints.
Rule 3: an acknowledgement costs as much as it tells. Nothing here walks over all that is under way.
"""

### BEGIN SOLUTION: stages 5 and 6: the books of what is under way are yours to keep
from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterator
from operator import attrgetter

from congestion import SEGMENT
from ranges import Ranges
from rate import Snapshot

#: DupThresh of RFC 6675: three duplicate acknowledgements mean a loss; fewer, that segments changed places.
DUPLICATE_THRESHOLD = 3

_START, _END = attrgetter("start"), attrgetter("end")


class Sent:
    """A segment that was sent: the positions [start, end)."""

    __slots__ = ("counted", "end", "lost", "order", "sacked", "sent_at", "snapshot", "start", "times", "under_way")

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end
        self.times = 0  # how often it was sent
        self.sent_at = 0.0  # seconds, the last time
        self.order = 0  # the number of its last transmission (repetitions.py)
        self.under_way = 0  # copies that are neither acknowledged nor lost, as far as we know
        self.sacked = False  # the peer says that it has it
        self.lost = False  # taken for lost, and not sent again yet
        self.counted = False  # the peer has said at some time that it has it, even if that was forgotten since
        self.snapshot = Snapshot(0, 0.0, 0.0, False)  # for the delivery rate


class Scoreboard:
    """The segments from the first unacknowledged position on, without a hole between them."""

    def __init__(self) -> None:
        self.threshold = DUPLICATE_THRESHOLD  #: so many segments or islands above a hole mean a loss
        self.in_flight = 0  #: bytes under way: "Pipe" of RFC 6675, section 4
        self._segments: list[Sent] = []
        self._sacked = Ranges()
        self._lost: deque[Sent] = deque()  # to be sent again; some may have arrived in the meantime
        self._judged = 0  # segments below this position were looked at for a loss

    def __bool__(self) -> bool:
        """Whether anything is unacknowledged."""
        return bool(self._segments)

    @property
    def first(self) -> Sent:
        """The first unacknowledged segment."""
        return self._segments[0]

    @property
    def has_hints(self) -> bool:
        """Whether the peer said of anything that it has it."""
        return bool(self._sacked)

    def on_sent(self, sent: Sent, snapshot: Snapshot, *, now: float) -> None:
        """A segment leaves, the first time or again."""
        if not sent.times:
            self._segments.append(sent)
        sent.times += 1
        sent.sent_at, sent.snapshot = now, snapshot
        sent.lost = False
        sent.under_way += 1
        self.in_flight += sent.end - sent.start

    def acknowledge(self, position: int) -> list[Sent]:
        """Everything below `position` has arrived; the segments that are done with.

        Of a segment that arrived in part, the rest is kept: a peer with little room may take a part.
        """
        count = bisect_right(self._segments, position, key=_END)
        done = self._segments[:count]
        del self._segments[:count]
        for sent in done:
            self.in_flight -= sent.under_way * (sent.end - sent.start)
        if self._segments and self._segments[0].start < position:
            first = self._segments[0]
            self.in_flight -= first.under_way * (position - first.start)
            first.start = position
        if self._sacked:
            self._sacked.remove_below(position)
        return done

    def hint(self, left: int, right: int) -> list[Sent]:
        """The peer says that it has [left, right); the segments of which it had not said so.

        A block outside of what is under way is an old one, or nonsense.
        """
        if not (self._segments and self._segments[0].start <= left < right <= self._segments[-1].end):
            return []
        found: list[Sent] = []
        for start, end in self._sacked.add(left, right):
            low, high = self._sacked.around(start)
            for sent in self._overlapping(start, end):
                if not sent.sacked and low <= sent.start and sent.end <= high:
                    sent.sacked, sent.lost = True, False
                    self.in_flight -= sent.under_way * (sent.end - sent.start)
                    sent.under_way = 0
                    found.append(sent)
        return found

    def _overlapping(self, start: int, end: int) -> Iterator[Sent]:
        """The segments that have a part in [start, end)."""
        index = bisect_right(self._segments, start, key=_END)
        while index < len(self._segments) and self._segments[index].start < end:
            yield self._segments[index]
            index += 1

    def set_threshold(self, *, early: bool) -> None:
        """RFC 5827, section 2.1: of fewer than four segments, the last ones, never three arrive after a lost one."""
        outstanding = len(self._segments)
        early = early and outstanding <= DUPLICATE_THRESHOLD
        self.threshold = max(1, outstanding - 1) if early else DUPLICATE_THRESHOLD

    def find_lost(self) -> int:
        """Take for lost what enough later segments have overtaken; how many bytes that is.

        IsLost() of RFC 6675, section 4: "either DupThresh discontiguous SACKed sequences have arrived above 'SeqNum'
        or more than (DupThresh - 1) * SMSS bytes with sequence numbers greater than 'SeqNum' have been SACKed".
        """
        bytes_above = 0
        for count, (start, end) in enumerate(reversed(self._sacked), 1):
            bytes_above += end - start
            if count >= self.threshold or bytes_above > (self.threshold - 1) * SEGMENT:
                return self._lose_below(start)
        return 0

    def _lose_below(self, position: int) -> int:
        """Take for lost what lies below `position`, each segment once: one that was sent again is not judged again."""
        lost = 0
        index = bisect_left(self._segments, self._judged, key=_START)
        while index < len(self._segments) and self._segments[index].start < position:
            lost += self.lose(self._segments[index])
            index += 1
        self._judged = max(self._judged, position)
        return lost

    def lose_first(self) -> int:
        """Take the first unacknowledged segment for lost; how many bytes that is."""
        self._judged = max(self._judged, self.first.end)
        return self.lose(self.first)

    def lose(self, sent: Sent) -> int:
        """Take a segment for lost that is under way; how many bytes that is, 0 if it has arrived."""
        if sent.sacked or sent.lost or sent.end <= self.first.start:
            return 0
        size = sent.end - sent.start
        self.in_flight -= sent.under_way * size
        sent.under_way = 0
        sent.lost = True
        if self._lost and self._lost[-1].start > sent.start:  # rare: not in the order of positions
            insort(self._lost, sent, key=_START)
        else:
            self._lost.append(sent)
        return size

    def lose_all(self) -> None:
        """A timeout: everything is taken for lost, and what the peer only hinted at is forgotten.

        RFC 2018, section 8: "the data sender SHOULD turn off all of the SACKed bits, since the timeout might indicate
        that the data receiver has reneged".
        """
        self._sacked.clear()
        self._lost.clear()
        for sent in self._segments:
            sent.sacked = sent.lost = False
            self.lose(sent)
        self._judged = self._segments[-1].end if self._segments else 0

    def next_lost(self) -> Sent | None:
        """The first segment that is lost and was not sent again: NextSeg() of RFC 6675, rule (1)."""
        while self._lost and not self._is_outstanding(self._lost[0]):
            self._lost.popleft()
        return self._lost[0] if self._lost else None

    def _is_outstanding(self, sent: Sent) -> bool:
        return sent.lost and bool(self._segments) and sent.end > self._segments[0].start

    def last_unsacked(self) -> Sent | None:
        """The last segment that the peer did not say it has: rule (4) of NextSeg()."""
        return next((sent for sent in reversed(self._segments) if not sent.sacked), None)

    def split(self, sent: Sent, position: int) -> None:
        """Make two segments of one: only the part below `position` fits into the window now."""
        rest = Sent(position, sent.end)
        rest.times, rest.sent_at, rest.snapshot = sent.times, sent.sent_at, sent.snapshot
        rest.under_way, rest.sacked, rest.lost = sent.under_way, sent.sacked, sent.lost
        rest.order, rest.counted = sent.order, sent.counted
        sent.end = position
        self._segments.insert(bisect_right(self._segments, sent.start, key=_START), rest)
        if sent.lost:
            self._lost.insert(self._lost.index(sent) + 1, rest)


### END SOLUTION
