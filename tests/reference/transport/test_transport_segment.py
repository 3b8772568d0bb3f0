"""Segments and checksums: what goes in comes out, and what is damaged does not."""

from __future__ import annotations

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference.transport.pairs import Segment, decode, encode, module

checksums, segment_module = module("checksums"), module("segment")

NUMBERS = st.integers(0, 2**32 - 1)
SEGMENTS = st.builds(
    Segment,
    sequence=NUMBERS,
    acknowledgement=NUMBERS,
    window=NUMBERS,
    syn=st.booleans(),
    ack=st.booleans(),
    fin=st.booleans(),
    rst=st.booleans(),
    sack=st.lists(st.tuples(NUMBERS, NUMBERS), max_size=3).map(tuple),
    payload=st.binary(max_size=1200),
)


@given(SEGMENTS)
def test_what_goes_in_comes_out(segment: object) -> None:
    assert decode(encode(segment)) == segment


@given(SEGMENTS, st.integers(min_value=0), st.integers(1, 255))
def test_no_damaged_byte_gets_through(segment: object, place: int, damage: int) -> None:
    data = bytearray(encode(segment))
    data[place % len(data)] ^= damage
    assert decode(bytes(data)) is None


@given(SEGMENTS, st.integers(min_value=0))
def test_nothing_that_was_cut_gets_through(segment: object, place: int) -> None:
    data = encode(segment)
    assert decode(data[: place % len(data)]) is None
    assert decode(data + b"\0") is None


@given(st.binary(max_size=1300))
def test_garbage_is_no_segment(data: bytes) -> None:
    assert decode(data) is None


def test_the_layout_is_that_of_the_specification() -> None:
    segment = Segment(0x01020304, 0x05060708, 0x090A0B0C, ack=True, fin=True, sack=((1, 2),), payload=b"hi")
    data = encode(segment)
    without = data[:4] + bytes(4) + data[8:]
    assert without == bytes.fromhex("5c160002 00000000 01020304 05060708 090a0b0c 00000001 00000002") + b"hi"
    assert int.from_bytes(data[4:8], "big") == zlib.crc32(without)


def sealed(data: bytes) -> bytes:
    """With the right checksum."""
    without = data[:4] + bytes(4) + data[8:]
    return data[:4] + checksums.checksum(without).to_bytes(4, "big") + data[8:]


def test_a_right_checksum_saves_nothing_else() -> None:
    good = encode(Segment(1, payload=b"x" * 100))
    assert decode(sealed(good)) is not None  # the control
    assert decode(sealed(b"\x5d" + good[1:])) is None  # magic
    assert decode(sealed(good + b"y")) is None  # longer than it says
    assert decode(sealed(good[:-1])) is None  # shorter
    assert decode(sealed(good[:1] + b"\x10" + good[2:])) is None  # a block that was payload
    assert decode(sealed(encode(Segment(1))[:2] + (1201).to_bytes(2, "big") + bytes(16 + 1201))) is None


def test_the_two_upper_bits_are_ignored() -> None:
    good = encode(Segment(1, syn=True))
    assert decode(sealed(good[:1] + bytes([good[1] | 0xC0]) + good[2:])) == Segment(1, syn=True)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError):
        encode(Segment(1, payload=b"x" * 1201))
    with pytest.raises(ValueError):
        encode(Segment(1, sack=((1, 2),) * 4))


def slow_internet(data: bytes) -> int:
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def slow_fletcher(data: bytes) -> int:
    first = second = 0
    for at in range(0, len(data), 2):
        first = (first + int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")) % 65535
        second = (second + first) % 65535
    return second << 16 | first


def test_the_sums_are_what_their_definitions_say() -> None:
    source = random.Random(3)
    for length in (0, 1, 2, 3, 20, 21, 1220):
        for data in (source.randbytes(length), bytes(length), b"\xff" * length):
            assert checksums.internet_16(data) == slow_internet(data)
            assert checksums.fletcher_32(data) == slow_fletcher(data)
            assert checksums.crc_32(data) == zlib.crc32(data)


def test_known_values() -> None:
    assert checksums.internet_16(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF ^ 0xDDF2  # RFC 1071, section 3
    assert checksums.fletcher_32(b"abcdef") == slow_fletcher(b"abcdef")
    assert checksums.crc_32(b"123456789") == 0xCBF43926
