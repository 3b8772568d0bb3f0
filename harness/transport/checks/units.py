"""The words of stages 1 and 2: a submission's segments and reassemblers, compared with an independent reading.

Rule 1: what is expected is computed here, by harness/transport/segments.py and by a model that stores byte by byte.
Rule 2: only damage that the term's checksum can detect is expected to be refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Protocol

from harness.actors.story import Broken, Story, show
from harness.transport.segments import CHECKSUMS, HEADER, MODULUS, Seg, WireFormat, build, describe_seg, fault

#: Where the checksum is in a header.
_CHECKSUM = slice(4, 8)
#: The fields that `decode` has to give back.
_FIELDS = ("sequence", "acknowledgement", "window", "syn", "ack", "fin", "rst", "sack", "payload")


class SegmentCalls(Protocol):
    """Stage 1, wherever it runs (`harness.transport.calls.calls.RemoteSegments`). All raise Broken."""

    def checksum(self, data: bytes) -> int: ...
    def encode(self, seg: Seg) -> bytes: ...
    def decode(self, data: bytes) -> Seg | None: ...


class Reassembler(Protocol):
    """One of the three answers, wherever it runs."""

    def receive(self, position: int, data: bytes) -> None: ...
    def read(self) -> list[tuple[int, bytes]]: ...
    def missing(self) -> list[tuple[int, int]]: ...


# -- stage 1 -----------------------------------------------------------------------------------------------------


class Segments:
    """A submission's encode, decode and checksum."""

    def __init__(self, calls: SegmentCalls, wire: WireFormat, story: Story) -> None:
        self.wire = wire
        self._calls = calls
        self._story = story

    def encodes(self, seg: Seg) -> None:
        """encode(seg) gives exactly the bytes of the handout."""
        expected, seen = build(seg, self.wire), self._calls.encode(_as_fields(seg))
        if seen != expected:
            raise Broken(
                f"encode gives other bytes for {describe_seg(seg)}: {_first_difference(expected, seen)}",
                expected=show(expected),
                seen=show(seen),
            )
        self._story.add("student", f"encodes {describe_seg(seg)}")

    def decodes(self, seg: Seg) -> None:
        """decode of its bytes gives every field back."""
        seen, expected = self._calls.decode(build(seg, self.wire)), _as_fields(seg)
        if seen is None:
            raise Broken(f"decode gives None for a good segment: {describe_seg(seg)}", expected=str(seg), seen="None")
        wrong = [name for name in _FIELDS if getattr(seen, name) != getattr(expected, name)]
        if wrong:
            raise Broken(
                f"decode misreads {', '.join(wrong)} of {describe_seg(seg)}",
                expected=", ".join(f"{name} = {getattr(expected, name)!r}" for name in wrong),
                seen=", ".join(f"{name} = {getattr(seen, name)!r}" for name in wrong),
            )
        self._story.add("student", f"decodes {describe_seg(seg)}")

    def refuses(self, data: bytes, what: str) -> None:
        """decode(data) gives None. Does nothing if it is a segment by chance."""
        if not (why := fault(data, self.wire)):
            return
        seen = self._calls.decode(data)
        if seen is not None:
            raise Broken(
                f"decode takes what is not a segment ({what}): {why}", expected="None", seen=describe_seg(seen)
            )
        self._story.add("student", f"decode gives None: {what}")

    def sums(self, data: bytes) -> None:
        """checksum(data) is the term's."""
        expected, seen = CHECKSUMS[self.wire.checksum](data), self._calls.checksum(data)
        if seen != expected:
            raise Broken(
                f"the {self.wire.checksum} of {show(data)} is wrong", expected=f"0x{expected:08x}", seen=hex(seen)
            )
        self._story.add("student", f"sums {len(data)} bytes")

    def built(self, seg: Seg, *, magic: int | None = None) -> bytes:
        """The datagram of a segment, with another magic if one is given; its checksum is right."""
        return build(seg, self.wire if magic is None else dataclasses.replace(self.wire, magic=magic))

    def damaged(self, seg: Seg, *bits: int) -> bytes:
        """The datagram of a segment with these bits flipped, counted from the first byte's highest."""
        data = bytearray(build(seg, self.wire))
        for bit in bits:
            data[bit // 8] ^= 0x80 >> bit % 8
        return bytes(data)

    def lying(self, seg: Seg, *, length: int | None = None, blocks: int | None = None) -> bytes:
        """The datagram of a segment whose header names another length or number of blocks; its checksum is right."""
        data = build(seg, self.wire)
        magic, flags, size, _, *numbers = HEADER.unpack_from(data)
        flags = flags if blocks is None else flags & ~0x30 | blocks << 4
        head = HEADER.pack(magic, flags, size if length is None else length, 0, *numbers)
        whole = bytearray(head + data[HEADER.size :])
        whole[_CHECKSUM] = CHECKSUMS[self.wire.checksum](bytes(whole)).to_bytes(4, "big")
        return bytes(whole)


def _as_fields(seg: Seg) -> Seg:
    """A segment as a receiver has it: numbers modulo 2^32, no reserved bits."""
    blocks = tuple((left % MODULUS, right % MODULUS) for left, right in seg.sack)
    numbers = {"sequence": seg.sequence % MODULUS, "acknowledgement": seg.acknowledgement % MODULUS}
    return dataclasses.replace(seg, sack=blocks, reserved=0, **numbers)  # type: ignore[arg-type]


def _first_difference(expected: bytes, seen: bytes) -> str:
    if len(expected) != len(seen):
        return f"{len(seen)} bytes instead of {len(expected)}"
    at = next(n for n, (one, other) in enumerate(zip(expected, seen, strict=True)) if one != other)
    fields = [(0, "magic"), (1, "flags"), (2, "payload length"), (4, "checksum"), (8, "sequence number")]
    fields += [(12, "acknowledgement number"), (16, "window"), (20, "what follows the header")]
    name = [name for start, name in fields if start <= at][-1]
    return f"byte {at} ({name}) is 0x{seen[at]:02x} instead of 0x{expected[at]:02x}"


# -- stage 2 -----------------------------------------------------------------------------------------------------


class Answer:
    """One of a submission's three answers, next to a model of it: every byte by its position."""

    def __init__(self, student: Reassembler, kind: str, capacity: int, story: Story) -> None:
        story.add("tester", f"makes {kind}({capacity})")
        self._student = student
        self._kind, self._capacity, self._story = kind, capacity, story
        self._held: dict[int, int] = {}  # position -> byte, received and kept, handed on or not
        self._waiting: set[int] = set()  # of these, what has not been handed on
        self._pieces: list[list[int]] = []  # the same for NewestOnly: of each piece, as it came, what was new
        self._next = 0  # nothing below it is missing
        self._got: dict[int, int] = {}  # what was handed on

    def receives(self, position: int, data: bytes) -> None:
        """A piece arrives."""
        self._story.add("tester", f"piece at {position}: {show(data, most=20)}")
        self._student.receive(position, data)
        self._keep(position, data)

    def _keep(self, position: int, data: bytes) -> None:
        if self._kind == "NewestOnly":
            new = range(max(position, max(self._held, default=-1) + 1), position + len(data))
            self._pieces.append(list(new))
        else:
            new = range(max(position, self._next), min(position + len(data), self._next + self._capacity))
        fresh = [at for at in new if at not in self._held]
        self._held |= {at: data[at - position] for at in fresh}
        self._waiting |= set(fresh)
        while sum(map(len, self._pieces)) > self._capacity:  # rule 2.3: the oldest pieces go first
            self._waiting -= set(self._pieces.pop(0))

    def agrees(self) -> None:
        """`read` and `missing` give what the model has."""
        self._compare_holes()
        ready = self._ready()
        self._check(self._student.read(), ready)
        self._waiting -= ready.keys()
        self._pieces.clear()
        if self._kind != "NewestOnly":
            while self._next in self._held and self._next not in self._waiting:
                self._next += 1

    def hands_on(self, *pieces: tuple[int, bytes]) -> None:
        """`read` gives these bytes at these positions, and no other. Spells out for readers what `agrees` computes."""
        told = {at: byte for position, data in pieces for at, byte in enumerate(data, position)}
        if told != self._ready():
            raise AssertionError(f"the test expects {pieces}, the model {self._ready()}")  # ours
        self.agrees()

    def misses(self, *holes: tuple[int, int]) -> None:
        """`missing` gives these holes."""
        if list(holes) != self._holes():
            raise AssertionError(f"the test expects {holes}, the model {self._holes()}")  # ours
        self._compare_holes()

    def ends_with(self, stream: bytes | None) -> None:
        """All of the stream was handed on by now."""
        if stream is not None and len(self._got) != len(stream):
            raise AssertionError(f"the test hands over {len(self._got)} of {len(stream)} bytes")  # ours

    def _ready(self) -> dict[int, int]:
        if self._kind != "InOrder":
            return {at: self._held[at] for at in sorted(self._waiting)}
        ready, at = {}, self._next
        while at in self._waiting:
            ready[at] = self._held[at]
            at += 1
        return ready

    def _check(self, pieces: list[tuple[int, bytes]], ready: Mapping[int, int]) -> None:
        seen: dict[int, int] = {}
        end = 0
        for position, data in pieces:
            if self._kind == "InOrder" and seen and position != end:
                raise Broken("InOrder hands on pieces that are not in order", seen=_pieces(pieces))
            end = position + len(data)
            for at, byte in enumerate(data, position):
                if at in seen or at in self._got:
                    raise Broken(f"{self._kind} hands on byte {at} twice", expected="each once", seen=_pieces(pieces))
                seen[at] = byte
        if seen != ready:
            raise Broken(
                f"{self._kind}.read() {_what_differs(ready, seen)}",
                expected=_pieces(_joined(ready)),
                seen=_pieces(pieces),
            )
        self._got.update(seen)
        self._story.add("student", f"hands on {_pieces(pieces)}")

    def _holes(self) -> list[tuple[int, int]]:
        if self._kind == "NewestOnly" or not self._held:
            return []
        absent = [at for at in range(self._next, max(self._held)) if at not in self._held]
        return [(start, start + len(data)) for start, data in _joined(dict.fromkeys(absent, 0))]

    def _compare_holes(self) -> None:
        seen, expected = [tuple(hole) for hole in self._student.missing()], self._holes()
        if seen != expected:
            raise Broken(f"{self._kind}.missing() gives the wrong holes", expected=str(expected), seen=str(seen))


def _joined(bytes_at: Mapping[int, int]) -> list[tuple[int, bytes]]:
    """Neighbouring bytes as pieces, in order."""
    pieces: list[tuple[int, bytearray]] = []
    for at in sorted(bytes_at):
        if pieces and pieces[-1][0] + len(pieces[-1][1]) == at:
            pieces[-1][1].append(bytes_at[at])
        else:
            pieces.append((at, bytearray([bytes_at[at]])))
    return [(position, bytes(data)) for position, data in pieces]


def _pieces(pieces: list[tuple[int, bytes]]) -> str:
    shown = [f"{show(data, most=20)} at {position}" for position, data in pieces[:6]]
    more = f" and {len(pieces) - 6} more" if len(pieces) > 6 else ""
    return ", ".join(shown) + more if shown else "nothing"


def _what_differs(ready: Mapping[int, int], seen: Mapping[int, int]) -> str:
    for what, places in (
        ("does not hand on byte", ready.keys() - seen.keys()),
        ("hands on too early, or what it ought to have dropped: byte", seen.keys() - ready.keys()),
        ("hands on another value for byte", {at for at in ready if ready[at] != seen.get(at)}),
    ):
        if places:
            return f"{what} {min(places)}"
    return "differs"
