"""The words of stages 1 and 2 tell right from wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.actors.story import Broken, Story
from harness.transport.checks.units import Answer, Segments
from harness.transport.segments import CHECKSUMS, Seg, WireFormat, build, parse

WIRE = WireFormat(magic=0x5C, checksum="internet-16")
SEG = Seg(1000, 2000, 4096, ack=True, sack=((5, 9),), payload=b"hello")


class Right:
    """Stage 1 done right."""

    def checksum(self, data: bytes) -> int:
        return CHECKSUMS[WIRE.checksum](data)

    def encode(self, seg: Seg) -> bytes:
        return build(seg, WIRE)

    def decode(self, data: bytes) -> Seg | None:
        return parse(data, WIRE)


class Swallows(Right):
    def decode(self, data: bytes) -> Seg | None:  # noqa: ARG002
        return SEG


class LosesBlocks(Right):
    def decode(self, data: bytes) -> Seg | None:
        found = parse(data, WIRE)
        return Seg(found.sequence, found.acknowledgement, found.window, ack=True) if found else None


class LittleEndian(Right):
    def encode(self, seg: Seg) -> bytes:
        return build(seg, WIRE)[::-1]


def words(lent: Right) -> Segments:
    return Segments(lent, WIRE, Story(lambda: 0.0))


def test_right_answers_pass() -> None:
    segments = words(Right())
    segments.encodes(SEG)
    segments.decodes(SEG)
    segments.sums(b"abc")
    segments.refuses(segments.damaged(SEG, 3), "a bit")
    segments.refuses(segments.lying(SEG, length=4), "a length")


@pytest.mark.parametrize(
    ("lent", "ask", "said"),
    [
        (Swallows(), lambda s: s.refuses(s.damaged(SEG, 170), "a bit"), "takes what is not a segment"),
        (LosesBlocks(), lambda s: s.decodes(SEG), "misreads sack, payload"),
        (LittleEndian(), lambda s: s.encodes(SEG), "byte 0 .magic."),
    ],
)
def test_wrong_answers_are_named(lent: Right, ask: Callable[[Segments], None], said: str) -> None:
    with pytest.raises(Broken, match=said):
        ask(words(lent))


def test_damage_that_the_checksum_cannot_see_is_not_asked_about() -> None:
    swapped = bytearray(build(Seg(1, 2, 3, ack=True, payload=b"abcd"), WIRE))
    swapped[20:24] = b"cdab"  # the sum of 16-bit words is the same
    words(Swallows()).refuses(bytes(swapped), "swapped words")


class Naive:
    """Hands everything on as it comes: right for nobody."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, bytes]] = []

    def receive(self, position: int, data: bytes) -> None:
        self.pieces.append((position, data))

    def read(self) -> list[tuple[int, bytes]]:
        pieces, self.pieces = self.pieces, []
        return pieces

    def missing(self) -> list[tuple[int, int]]:
        return []


@pytest.mark.parametrize("kind", ["InOrder", "WithGaps", "NewestOnly"])
def test_a_byte_twice_is_seen(kind: str) -> None:
    answer = Answer(Naive(), kind, 100, Story(lambda: 0.0))
    answer.receives(0, b"abc")
    answer.agrees()
    answer.receives(2, b"cd")
    with pytest.raises(Broken, match="byte 2 twice"):
        answer.agrees()


def test_what_comes_too_early_is_seen() -> None:
    answer = Answer(Naive(), "InOrder", 100, Story(lambda: 0.0))
    answer.receives(5, b"late")
    with pytest.raises(Broken, match="holes"):
        answer.agrees()


def test_late_news_are_seen() -> None:
    answer = Answer(Naive(), "NewestOnly", 100, Story(lambda: 0.0))
    answer.receives(5, b"new")
    answer.agrees()
    answer.receives(0, b"old")
    with pytest.raises(Broken, match="too early, or what it ought to have dropped: byte 0"):
        answer.agrees()
