"""Stage 1: segments as they stand in a datagram, and what is no segment."""

from harness.testing import Scene, Seg


def test_a_segment_is_encoded(lab: Scene) -> None:
    segments = lab.transport.segments()
    segments.encodes(Seg(1000, 2000, 65536, ack=True, payload=b"hello, world"))
    segments.encodes(Seg(4_294_967_295, 0, 1, syn=True))


def test_a_segment_is_decoded(lab: Scene) -> None:
    segments = lab.transport.segments()
    segments.decodes(Seg(1000, 2000, 65536, ack=True, payload=b"hello, world"))
    segments.decodes(Seg(7, 8, 0, ack=True, fin=True))
    segments.decodes(Seg(7, 8, 0, ack=True, rst=True))


def test_blocks_stand_between_header_and_payload(lab: Scene) -> None:
    segments = lab.transport.segments()
    for blocks in (((5, 9),), ((20, 30), (5, 9)), ((40, 50), (20, 30), (4_294_967_290, 4))):
        seg = Seg(1, 2, 3, ack=True, sack=blocks, payload=b"\n\0\r\n")
        segments.encodes(seg)
        segments.decodes(seg)


def test_a_damaged_segment_is_no_segment(lab: Scene) -> None:
    segments = lab.transport.segments()
    seg = Seg(1000, 2000, 4096, ack=True, payload=lab.random_bytes(40))
    for bit in range(0, 8 * 60, 7):
        segments.refuses(segments.damaged(seg, bit), f"bit {bit} flipped")
    segments.decodes(seg)


def test_what_is_too_short_or_too_long_is_no_segment(lab: Scene) -> None:
    segments = lab.transport.segments()
    seg = Seg(1000, 2000, 4096, ack=True, payload=b"0123456789")
    data = segments.built(seg)
    for size in (0, 1, 19, 20, len(data) - 1):
        segments.refuses(data[:size], f"cut to {size} bytes")
    segments.refuses(data + b"\0", "a byte too long")
    segments.decodes(seg)
