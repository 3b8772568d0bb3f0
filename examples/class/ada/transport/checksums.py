"""The checksum of a segment: a number that damage is unlikely to leave as it was. Pure.

Three are known here, one is the term's (term.py). What each of them sees:

    internet-16  RFC 1071: ones' complement sum of the words. Misses words that changed places, and 0x0000 for 0xffff.
    fletcher-32  two sums, of which the second weighs words by their place. Misses 0x0000 for 0xffff.
    crc-32       IEEE 802.3: a remainder of polynomials over GF(2). Sees every run of damage up to 32 bits.

All take 16-bit words most significant byte first, an odd last byte as if a zero byte followed (RFC 1071, section 4.1).
A 16-bit sum stands in the 32-bit field with zeros in front. Zero is a checksum like any other.
"""

from __future__ import annotations

import itertools
import struct
import zlib

from term import CHECKSUM


def checksum(data: bytes) -> int:
    """The term's checksum of `data`, from 0 to 2**32 - 1. The field that will hold it has to be zero in `data`."""
    if CHECKSUM == "crc-32":
        return zlib.crc32(data)
    words = struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2))
    if CHECKSUM == "internet-16":
        total = sum(words)
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        return total ^ 0xFFFF
    first = second = 0
    for word in words:
        first = (first + word) % 65535
        second = (second + first) % 65535
    return second << 16 | first
