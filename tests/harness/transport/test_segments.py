"""Segments as the harness reads them: known bytes, checksums against published values, everything else refused."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path

import pytest

from harness.transport.segments import (
    CHECKSUMS,
    BadWire,
    Seg,
    WireFormat,
    build,
    describe,
    fault,
    load_wire,
    near,
    parse,
)

WIRES = [WireFormat(0x5C, name) for name in CHECKSUMS]
FULL = Seg(0xFFFFFFF0, 7, 4096, ack=True, fin=True, sack=((100, 200), (300, 0x1_0000_0000 - 1)), payload=b"hello")


def test_the_bytes_are_those_of_the_header_in_the_handout() -> None:
    data = build(FULL, WireFormat(0x5C, "crc-32"))
    head = bytes.fromhex("5c 26 0005") + data[4:8] + bytes.fromhex("fffffff0 00000007 00001000")
    assert data == head + bytes.fromhex("00000064 000000c8 0000012c ffffffff") + b"hello"
    assert data[4:8] == struct.pack("!I", zlib.crc32(data[:4] + bytes(4) + data[8:]))


def test_checksums_have_their_published_values() -> None:
    # RFC 1071, section 3: the words sum up to ddf2.
    assert CHECKSUMS["internet-16"](bytes.fromhex("0001 f203 f4f5 f6f7")) == 0xDDF2 ^ 0xFFFF
    assert CHECKSUMS["internet-16"](b"\x01") == 0x0100 ^ 0xFFFF, "an odd end is padded behind"
    # Worked by hand: words 0x6162 0x6364 0x6500.
    first = 0x6162 + 0x6364 + 0x6500
    second = 0x6162 * 3 + 0x6364 * 2 + 0x6500
    assert CHECKSUMS["fletcher-32"](b"abcde") == second % 65535 << 16 | first % 65535
    assert CHECKSUMS["fletcher-32"](b"") == 0
    assert CHECKSUMS["crc-32"](b"123456789") == 0xCBF43926


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.checksum)
def test_what_is_built_is_parsed(wire: WireFormat) -> None:
    for seg in (FULL, Seg(1, syn=True), Seg(0, rst=True), Seg(5, 6, 7, ack=True, payload=bytes(1200))):
        assert parse(build(seg, wire), wire) == seg
        assert fault(build(seg, wire), wire) is None


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.checksum)
def test_every_flipped_bit_is_seen(wire: WireFormat) -> None:
    data = build(FULL, wire)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        assert parse(bytes(damaged), wire) is None, f"bit {bit}"


def test_cut_long_and_foreign_datagrams_are_refused() -> None:
    wire = WIRES[0]
    data = build(FULL, wire)
    assert all(parse(data[:size], wire) is None for size in range(len(data)))
    assert parse(data + b"\0", wire) is None
    assert parse(data, WireFormat(0x5D, wire.checksum)) is None
    assert parse(data, WireFormat(0x5C, "fletcher-32")) is None
    rng = random.Random(1)
    assert all(parse(b"\x5c" + rng.randbytes(rng.randrange(60)), wire) is None for _ in range(500))
    assert parse(build(Seg(1, ack=True, payload=bytes(1201)), wire), wire) is None


def test_a_fault_is_said_in_words() -> None:
    wire = WIRES[2]
    data = build(FULL, wire)
    assert str(fault(b"", wire)) == "it has 0 bytes, a header has 20"
    assert "first byte is 0x00" in str(fault(b"\0" + data[1:], wire))
    assert str(fault(data[:-1], wire)) == "it has 40 bytes, its header says 41"
    assert "its checksum is" in str(fault(data[:-1] + b"!", wire))


def test_reserved_bits_are_ignored_but_seen() -> None:
    seg = Seg(1, 2, 3, ack=True, reserved=0x80)
    assert parse(build(seg, WIRES[0]), WIRES[0]) == seg


def test_sequence_numbers_it_takes() -> None:
    assert Seg(0, syn=True).size == 1
    assert Seg(0, syn=True, payload=b"ignored").size == 1
    assert Seg(0, fin=True, payload=b"abc").size == 4
    assert Seg(0, ack=True).size == 0


def test_numbers_are_unwrapped_near_a_reference() -> None:
    assert near(5, 0xFFFFFFFF) == 0x100000005
    assert near(0xFFFFFFFF, 0x100000005) == 0xFFFFFFFF
    assert near(7, 7) == 7
    assert near(0xFFFFFFFF, 0) == -1


def test_a_segment_is_described_in_one_line() -> None:
    wire = WIRES[0]
    assert describe(build(FULL, wire), wire, sequence_base=0xFFFFFFF0, acknowledgement_base=5) == (
        "FIN ACK seq=0 ack=2 win=4096 len=5 sack=95-195,295-4294967290"
    )
    assert describe(build(Seg(9, syn=True), wire), wire) == "SYN seq=9 win=0"
    assert describe(b"junk", wire) == "not a segment (4 bytes)"


def test_the_wire_comes_from_term_toml(tmp_path: Path) -> None:
    term = tmp_path / "term.toml"
    term.write_text('[term]\nname = "2026 autumn"\nmagic = 0x5C\nchecksum = "crc-32"\n')
    assert load_wire(term) == WireFormat(0x5C, "crc-32")
    for text, word in (
        ("[term]\nmagic = 300\nchecksum = 'crc-32'", "magic"),
        ("[term]\nmagic = 3\nchecksum = 'md5'", "md5"),
        ("[term]\nmagic = 3", '"checksum" is missing'),
        ("", '"magic" is missing in .term.'),
        ("term = 3", "term.toml, line 1"),
        ("[", "term.toml, line 1"),
    ):
        term.write_text(text)
        with pytest.raises(BadWire, match=word):
            load_wire(term)
