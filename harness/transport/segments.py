"""The course's segments read and written independently of any solution: parse, build, checksums. Pure.

Rule 1: nothing of a solution is imported here: this file is a second opinion on the wire format.
Rule 2: `parse` returns None for what a receiver has to ignore, and `fault` says why.

     0                   1                   2                   3
    +-------+-------+-----------------------------------------------+
    | magic | flags |  payload length  |          checksum (32)     ...   network order
    | sequence (32) | acknowledgement (32) | window (32) | SACK blocks [left, right) of 8 bytes | payload

Flags: SYN 1, ACK 2, FIN 4, RST 8, number of SACK blocks in bits 4 and 5; bits 6 and 7 are sent zero and ignored.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Literal

from harness.errors import SetupError
from harness.text.toml_rows import TomlFile, TomlMistake

HEADER = struct.Struct("!BBHIIII")
BLOCK = struct.Struct("!II")
SYN, ACK, FIN, RST = 1, 2, 4, 8
MOST_PAYLOAD = 1200  #: bytes
MODULUS = 1 << 32


class BadWire(SetupError):
    """A term.toml without a usable wire format; the message names the file and the field."""


def _internet(data: bytes) -> int:
    """RFC 1071, zero-extended to 32 bits. A sum of 16-bit words and one of 32-bit words fold to the same number."""
    total = sum(_words(data))
    while total >= 1 << 16:
        total = total % (1 << 16) + total // (1 << 16)
    return 65535 - total


def _fletcher(data: bytes) -> int:
    """Two sums over big-endian 16-bit words, both modulo 65535 and from 0: the second one in the upper half."""
    sums = list(accumulate(_words(data)))
    return (sum(sums) % 65535) * 65536 + (sums[-1] if sums else 0) % 65535


def _words(data: bytes) -> tuple[int, ...]:
    """Big-endian 16-bit words; an odd end is padded with a zero byte."""
    even = data + b"\0" if len(data) % 2 else data
    return struct.unpack(f"!{len(even) // 2}H", even)


#: The checksums that a term can choose, over header, blocks and payload with the field itself zero.
CHECKSUMS: dict[str, Callable[[bytes], int]] = {
    "internet-16": _internet,
    "fletcher-32": _fletcher,
    "crc-32": zlib.crc32,
}


@dataclass(frozen=True, slots=True)
class WireFormat:
    """The parts of the wire format that differ from term to term."""

    magic: int = 0x5C  #: first byte of every segment
    checksum: str = "crc-32"  #: a name in CHECKSUMS

    def __post_init__(self) -> None:
        if not isinstance(self.magic, int) or not 0 <= self.magic <= 255:
            raise BadWire(f"magic: {self.magic!r} is not a number from 0 to 255")
        if self.checksum not in CHECKSUMS:
            raise BadWire(f"checksum: {self.checksum!r} is none of {', '.join(CHECKSUMS)}")


def load_wire(path: Path) -> WireFormat:
    """The wire of a term.toml. Raises BadWire."""
    try:
        row = TomlFile.read(path).row("term")
        magic, checksum = row.whole("magic", example="0x5C"), row.text("checksum", example='"crc-32"')
        if magic > 255:
            row.wrong("magic", f"magic is {magic}", "Write a number from 1 to 255, such as magic = 0x5C.")
        if checksum not in CHECKSUMS:
            row.wrong("checksum", f"checksum is {checksum!r}", f"Write one of {', '.join(CHECKSUMS)}.")
    except TomlMistake as mistake:
        raise BadWire(str(mistake)) from None
    return WireFormat(magic, checksum)


@dataclass(frozen=True, slots=True)
class Seg:
    """One segment. Numbers are those on the wire, modulo 2^32."""

    sequence: int  #: of the SYN, else of the first byte, else of the FIN, else the next to be used
    acknowledgement: int = 0  #: the next number expected; counts if `ack`
    window: int = 0  #: bytes accepted from `acknowledgement` on
    syn: bool = False
    ack: bool = False
    fin: bool = False
    rst: bool = False
    sack: tuple[tuple[int, int], ...] = ()  #: received beyond a gap: [left, right)
    payload: bytes = b""
    reserved: int = 0  #: flag bits 6 and 7, in place

    @property
    def size(self) -> int:
        """How many sequence numbers it takes: SYN and FIN count, payload on a SYN does not."""
        return self.syn + (0 if self.syn else len(self.payload)) + self.fin

    @property
    def is_pure_ack(self) -> bool:
        """Whether it only acknowledges and offers a window."""
        return self.ack and not (self.syn or self.fin or self.rst or self.payload)


def build(seg: Seg, wire: WireFormat) -> bytes:
    """The datagram. Also builds what a receiver has to refuse, as far as the fields can hold it."""
    flags = SYN * seg.syn | ACK * seg.ack | FIN * seg.fin | RST * seg.rst | len(seg.sack) << 4 | seg.reserved
    rest = b"".join(BLOCK.pack(left % MODULUS, right % MODULUS) for left, right in seg.sack) + seg.payload
    numbers = (seg.sequence % MODULUS, seg.acknowledgement % MODULUS, seg.window)
    head = HEADER.pack(wire.magic, flags & 0xFF, len(seg.payload), 0, *numbers)
    value = CHECKSUMS[wire.checksum](head + rest)
    return head[:4] + value.to_bytes(4, "big") + head[8:] + rest


@dataclass(frozen=True, slots=True)
class SegmentFault:
    """Why bytes are not a segment."""

    kind: Literal["short", "magic", "size", "payload", "checksum"]  #: what is wrong: the first of these that is
    text: str  #: the same as a clause

    def __str__(self) -> str:
        return self.text


def fault(data: bytes, wire: WireFormat) -> SegmentFault | None:
    """Why a receiver has to ignore these bytes; None if they are a segment."""
    if len(data) < HEADER.size:
        return SegmentFault("short", f"it has {len(data)} bytes, a header has {HEADER.size}")
    magic, flags, length, checksum = HEADER.unpack_from(data)[:4]
    if magic != wire.magic:
        return SegmentFault("magic", f"its first byte is 0x{magic:02x}, the magic is 0x{wire.magic:02x}")
    size = HEADER.size + BLOCK.size * (flags >> 4 & 3) + length
    if len(data) != size:
        return SegmentFault("size", f"it has {len(data)} bytes, its header says {size}")
    if length > MOST_PAYLOAD:
        return SegmentFault("payload", f"its payload has {length} bytes, at most {MOST_PAYLOAD} are allowed")
    expected = CHECKSUMS[wire.checksum](data[:4] + bytes(4) + data[8:])
    if checksum != expected:
        return SegmentFault("checksum", f"its checksum is {checksum:08x}, {wire.checksum} gives {expected:08x}")
    return None


def parse(data: bytes, wire: WireFormat) -> Seg | None:
    """The segment, or None if it is damaged, cut, too long or garbage."""
    if fault(data, wire):
        return None
    _, flags, _, _, sequence, acknowledgement, window = HEADER.unpack_from(data)
    end = HEADER.size + BLOCK.size * (flags >> 4 & 3)
    syn, ack, fin, rst = (flags & bit != 0 for bit in (SYN, ACK, FIN, RST))
    blocks = tuple(BLOCK.iter_unpack(data[HEADER.size : end]))
    return Seg(sequence, acknowledgement, window, syn, ack, fin, rst, blocks, data[end:], flags & 0xC0)


def near(number: int, reference: int) -> int:
    """The unbounded number that equals `number` modulo 2^32 and is nearest to `reference`.

    >>> near(5, 0xFFFFFFFF) == 0x100000005
    True
    """
    return reference + (number - reference + MODULUS // 2) % MODULUS - MODULUS // 2


def describe(data: bytes, wire: WireFormat, *, sequence_base: int = 0, acknowledgement_base: int = 0) -> str:
    """One line for traces: "SYN ACK seq=0 ack=1 win=4096"; the bases make its numbers relative."""
    seg = parse(data, wire)
    if seg is None:
        return f"not a segment ({len(data)} bytes)"
    return describe_seg(seg, sequence_base=sequence_base, acknowledgement_base=acknowledgement_base)


def describe_seg(seg: Seg, *, sequence_base: int = 0, acknowledgement_base: int = 0) -> str:
    """The same for a segment that has been parsed."""
    flags = [name for name in ("SYN", "FIN", "RST", "ACK") if getattr(seg, name.lower())]
    words = [*(flags or ["(no flags)"]), f"seq={(seg.sequence - sequence_base) % MODULUS}"]
    if seg.ack:
        words.append(f"ack={(seg.acknowledgement - acknowledgement_base) % MODULUS}")
    words.append(f"win={seg.window}")
    if seg.payload:
        words.append(f"len={len(seg.payload)}")
    if seg.sack:
        words.append("sack=" + ",".join(_block(block, acknowledgement_base) for block in seg.sack))
    return " ".join(words)


def _block(block: tuple[int, int], base: int) -> str:
    left, right = ((edge - base) % MODULUS for edge in block)
    return f"{left}-{right}"
