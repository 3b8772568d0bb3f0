"""Segments of the simplest solution that works: what the tests of the harness talk to."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from checksums import checksum

MAGIC = 0x5C
HEADER = struct.Struct("!BBHIIII")


@dataclass(frozen=True)
class Segment:
    sequence: int
    acknowledgement: int = 0
    window: int = 0
    syn: bool = False
    ack: bool = False
    fin: bool = False
    rst: bool = False
    sack: tuple[tuple[int, int], ...] = ()
    payload: bytes = b""


def encode(segment: Segment) -> bytes:
    flags = segment.syn | segment.ack << 1 | segment.fin << 2 | segment.rst << 3 | len(segment.sack) << 4
    numbers = segment.sequence, segment.acknowledgement, segment.window
    blocks = b"".join(struct.pack("!II", *block) for block in segment.sack)
    rest = blocks + segment.payload
    blank = HEADER.pack(MAGIC, flags, len(segment.payload), 0, *numbers) + rest
    return HEADER.pack(MAGIC, flags, len(segment.payload), checksum(blank), *numbers) + rest


def decode(data: bytes) -> Segment | None:
    if len(data) < HEADER.size:
        return None
    magic, flags, length, told, *numbers = HEADER.unpack_from(data)
    start = HEADER.size + (flags >> 4 & 3) * 8
    if magic != MAGIC or length > 1200 or len(data) != start + length:
        return None
    if checksum(data[:4] + bytes(4) + data[8:]) != told:
        return None
    syn, ack, fin, rst = (bool(flags & 1 << bit) for bit in range(4))
    sack = tuple(struct.iter_unpack("!II", data[HEADER.size : start]))
    return Segment(*numbers, syn, ack, fin, rst, sack, data[start:])
