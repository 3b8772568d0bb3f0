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
    ### BEGIN SOLUTION: stage 1: the checksum that term.CHECKSUM names, of all of `data`
    return ALGORITHMS[CHECKSUM](data)


def internet_16(data: bytes) -> int:
    """RFC 1071: the ones' complement of the ones' complement sum of all 16-bit words.

    "Add end-around carry": 2**16 is 1 modulo 2**16 - 1, so a carry out of 16 bits comes in again at the right. Read as
    one long number in base 2**16, the data has therefore the same remainder as the sum of its words: that is the sum,
    except for zero, which has two forms. It is 0 if all words are, and 0xffff otherwise.
    """
    remainder = int.from_bytes(_even(data), "big") % 0xFFFF
    total = remainder or (0xFFFF if any(data) else 0)
    return total ^ 0xFFFF


def fletcher_32(data: bytes) -> int:
    """Two sums modulo 65,535 from zero: of the words, and of the first sum after each word; the second one on top."""
    even = _even(data)
    words: tuple[int, ...] = struct.unpack(f"!{len(even) // 2}H", even)
    first = sum(words)  # reduced at the end: Python's numbers do not overflow
    second = sum(itertools.accumulate(words))
    return (second % 0xFFFF) << 16 | first % 0xFFFF


def crc_32(data: bytes) -> int:
    """The CRC of Ethernet: polynomial 0x04C11DB7, bits reflected, begun with ones and inverted at the end."""
    return zlib.crc32(data)


def _even(data: bytes) -> bytes:
    return data + b"\0" if len(data) % 2 else data


#: By the name that term.py uses.
ALGORITHMS = {"internet-16": internet_16, "fletcher-32": fletcher_32, "crc-32": crc_32}
### END SOLUTION
