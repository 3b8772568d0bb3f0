"""Stage 1, hidden: every field at its edges, every bit damaged, sizes that lie with a right checksum."""

import dataclasses
import struct

from harness.testing import Scene, Seg


def test_any_segment_there_and_back(lab: Scene) -> None:
    segments, rng = lab.transport.segments(), lab.rng
    edges = (0, 1, 255, 256, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1)
    for _ in range(60):
        flags = {name: rng.random() < 0.5 for name in ("syn", "ack", "fin", "rst")}
        blocks = tuple((rng.choice(edges), rng.getrandbits(32)) for _ in range(rng.randrange(4)))
        payload = rng.randbytes(rng.choice((0, 1, 2, 3, 100, 1199, 1200)))
        seg = Seg(rng.choice(edges), rng.getrandbits(32), rng.choice(edges), sack=blocks, payload=payload, **flags)
        segments.encodes(seg)
        segments.decodes(seg)


def test_reserved_bits_are_ignored(lab: Scene) -> None:
    segments = lab.transport.segments()
    for reserved in (0x40, 0x80, 0xC0):
        segments.decodes(Seg(9, 8, 7, ack=True, payload=b"abc", reserved=reserved))


def test_every_part_is_covered_by_the_checksum(lab: Scene) -> None:
    segments, rng = lab.transport.segments(), lab.rng
    seg = Seg(rng.getrandbits(32), rng.getrandbits(32), 4096, ack=True, sack=((5, 9),), payload=rng.randbytes(31))
    segments.decodes(seg)
    for bit in range(8 * len(segments.built(seg))):
        segments.refuses(segments.damaged(seg, bit), f"bit {bit} flipped")
    for _ in range(100):
        bits = [rng.randrange(8 * len(segments.built(seg))) for _ in range(rng.randrange(2, 30))]
        segments.refuses(segments.damaged(seg, *bits), f"{len(bits)} bits flipped")


def test_sizes_that_lie(lab: Scene) -> None:
    segments = lab.transport.segments()
    whole = Seg(1, 2, 3, ack=True, sack=((5, 9),), payload=b"x" * 50)
    segments.decodes(whole)
    for length in (0, 1, 42, 49, 51, 58, 1200, 1201, 65_535):
        segments.refuses(segments.lying(whole, length=length), f"the header says {length} bytes of payload")
    for blocks in (0, 2, 3):
        segments.refuses(segments.lying(whole, blocks=blocks), f"the header says {blocks} blocks")
    segments.refuses(segments.built(dataclasses.replace(whole, payload=b"x" * 1201)), "1,201 bytes of payload")
    segments.decodes(dataclasses.replace(whole, payload=b"x" * 1200))


def test_garbage_is_no_segment(lab: Scene) -> None:
    segments, rng = lab.transport.segments(), lab.rng
    magic = segments.wire.magic
    segments.decodes(Seg(1, payload=b"", syn=True))
    for _ in range(150):
        segments.refuses(rng.randbytes(rng.randrange(0, 90)), "random bytes")
        segments.refuses(bytes([magic]) + rng.randbytes(rng.randrange(0, 90)), "random bytes behind the magic")
    segments.refuses(b"\xff" * 65_507, "the largest datagram that UDP carries")
    segments.refuses(struct.pack("!BBHIIII", magic, 0, 0, 0, 0, 0, 0), "a header with a checksum of zero")


def test_another_magic_is_no_segment(lab: Scene) -> None:
    segments = lab.transport.segments()
    seg = Seg(1000, 2000, 4096, ack=True, payload=b"last term")
    for magic in {(segments.wire.magic + n) % 256 for n in (1, 2, 128, 255)}:
        segments.refuses(segments.built(seg, magic=magic), f"magic 0x{magic:02x}, with its right checksum")
    segments.decodes(seg)


def test_the_checksum_alone(lab: Scene) -> None:
    segments, rng = lab.transport.segments(), lab.rng
    for size in (0, 1, 2, 3, 20, 21, 1219, 1220):
        segments.sums(rng.randbytes(size))
    segments.sums(b"\xff" * 64)
    segments.sums(bytes(64))
