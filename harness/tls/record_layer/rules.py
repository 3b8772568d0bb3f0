"""What a man in the middle does to one direction of a connection, record by record and byte by byte. Pure.

Rule 1: without a rule about records every byte is passed on at once; with one, whole records are, in order.
Rule 2: a rule counts from when it was given; in a connection that came later, from its beginning.
Records: type (1 byte), version (2), length of the body (2), body (RFC 8446, section 5.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["up", "down"]

HEADER = 5
APPLICATION = 23
_TYPES = range(20, 25)  # change_cipher_spec, alert, handshake, application_data, heartbeat
#: RFC 5246, section 6.2.3: the longest body of a record.
_LONGEST = 2**14 + 2048


@dataclass(frozen=True)
class Point:
    """A place in a direction: the n-th record, the n-th of type application_data (from 1), or after n bytes.

    Under TLS 1.3 the encrypted part of the handshake has that type as well. All None: at once.
    """

    record: int | None = None
    application: int | None = None
    bytes: int | None = None

    def __str__(self) -> str:
        if self.application is not None:
            return f"application record {self.application:,}"
        if self.record is not None:
            return f"record {self.record:,}"
        return "at once" if self.bytes is None else f"{self.bytes:,} bytes"


@dataclass(eq=False)
class Rule:
    """What to do in a direction. `done` counts how often it was done, over all connections."""

    direction: Direction
    what: str  #: for the story: a verb and its object
    at: Point = field(default_factory=Point)
    act: Callable[[bytes], bytes] | None = None  #: what to send for the record at the point
    cuts: bool = False  #: end the stream after the point
    done: int = 0

    @property
    def of_records(self) -> bool:
        """Whether it needs whole records."""
        return self.at.record is not None or self.at.application is not None


class _Active:
    """A rule in one direction of one connection, and where it began to count."""

    def __init__(self, rule: Rule, stream: FilteredStream) -> None:
        self.rule = rule
        self.records, self.applications, self.bytes = stream.records, stream.applications, stream.passed
        self.over = False

    def is_at(self, stream: FilteredStream, application: bool) -> bool:
        at = self.rule.at
        if at.application is not None:
            return application and stream.applications - self.applications == at.application
        return at.record is not None and stream.records - self.records == at.record

    def room(self, stream: FilteredStream) -> int | None:
        """Bytes that may still pass before the cut; None: no limit."""
        if self.over or not self.rule.cuts or self.rule.of_records:
            return None
        return max(0, (self.rule.at.bytes or 0) - (stream.passed - self.bytes))

    def strikes(self) -> None:
        self.over = True
        self.rule.done += 1


class FilteredStream:
    """One direction. Bytes go in by `takes`, an end by `ends`; what comes out is in `out`, until `finished`."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._active: list[_Active] = []
        self._held = bytearray()  # a record that is not whole yet
        self._through = 0  # bytes still to come of a record whose beginning has been passed on
        self._tls = True  # so far it looks like TLS
        self.records = self.applications = 0  #: that came, whole
        self.passed = 0  #: bytes that were passed on
        self.out = bytearray()  #: to be sent on
        self.finished = False  #: a FIN comes after `out`
        self.ended = False  #: no more will come in

    @property
    def backlog(self) -> int:
        """Bytes held here."""
        return len(self.out) + len(self._held)

    def obeys(self, rule: Rule) -> None:
        """Follow a rule from now on. An end at once happens now."""
        self._active.append(_Active(rule, self))
        self._emit(b"")

    def takes(self, data: bytes) -> None:
        """Bytes came in."""
        if not self.finished:
            self._parse(data)

    def ends(self) -> None:
        """The stream that comes in has ended."""
        self.ended = True
        held, self._held = bytes(self._held), bytearray()
        self._emit(held)
        self.finished = True

    # -- records -------------------------------------------------------------------------------------------------

    def _parse(self, data: bytes) -> None:
        self._held += data
        while self._held and not self.finished:
            if self._through:
                self._goes_through()
            elif not self._tls or not self._step():
                break
        if not self._tls or self.finished:
            held, self._held = bytes(self._held), bytearray()
            self._emit(held)

    def _goes_through(self) -> None:
        piece = bytes(self._held[: self._through])
        del self._held[: len(piece)]
        self._through -= len(piece)
        self._emit(piece)

    def _step(self) -> bool:
        """Handle one record; False if more bytes are needed."""
        if len(self._held) < HEADER:
            if self._wants_records():
                return False
            if self._held[0] in _TYPES:  # a header in pieces: wait for all 5 bytes
                return False
            self._tls = False
            return True
        kind, version, length = self._held[0], self._held[1], int.from_bytes(self._held[3:5], "big")
        if kind not in _TYPES or version != 3 or length > _LONGEST:
            self._tls = False
            return True
        whole = HEADER + length
        if len(self._held) < whole and self._wants_records():
            return False
        self.records += 1
        self.applications += kind == APPLICATION
        if not self._wants_records():
            self._through = whole
            return True
        record = bytes(self._held[:whole])
        del self._held[:whole]
        self._whole(record, kind == APPLICATION)
        return True

    def _wants_records(self) -> bool:
        return any(active.rule.of_records and not active.over for active in self._active)

    def _whole(self, record: bytes, application: bool) -> None:
        cut = False
        for active in self._active:
            rule = active.rule
            if active.over or not active.is_at(self, application):
                continue
            active.strikes()
            self._tell(f"{rule.what} ({rule.at})")
            record = record if rule.act is None else rule.act(record)
            cut |= rule.cuts
        self._emit(record)
        self.finished |= cut

    # -- bytes ---------------------------------------------------------------------------------------------------

    def _emit(self, data: bytes) -> None:
        """Pass on bytes, as far as the next point at which something is to happen."""
        if self.finished:
            return
        nearest, room = None, len(data)
        for active in self._active:
            left = active.room(self)
            if left is not None and left <= room:
                nearest, room = active, left
        self.out += data[:room]
        self.passed += room
        if nearest is not None:
            nearest.strikes()
            self._tell(f"{nearest.rule.what} ({nearest.rule.at})")
            self.finished = True


# -- changes of a record ---------------------------------------------------------------------------------------------


def flipped(record: bytes, at: int | None = None) -> bytes:
    """The record with one bit of its body changed: of byte `at`, which may be negative; default: in the middle."""
    length = len(record) - HEADER
    if length < 1:
        return record
    place = HEADER + (length // 2 if at is None else max(-length, min(at, length - 1)) % length)
    return record[:place] + bytes([record[place] ^ 1]) + record[place + 1 :]
