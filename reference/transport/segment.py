"""A segment as it is in a datagram: encode and decode. Pure.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------+---------------+-------------------------------+
    |     magic     | . . n n R F A S |     length of the payload     |
    +---------------+---------------+-------------------------------+
    |                           checksum                            |
    +---------------------------------------------------------------+
    |                       sequence number                         |
    +---------------------------------------------------------------+
    |                    acknowledgement number                     |
    +---------------------------------------------------------------+
    |                            window                             |
    +---------------------------------------------------------------+
    |    n times: left edge, right edge of a block (SACK)           |
    +---------------------------------------------------------------+
    |    payload, up to 1,200 bytes                                 |
    +---------------------------------------------------------------+

After RFC 9293, section 3.1, with blocks after RFC 2018, section 3. Where we differ: there are no ports (UDP has them),
no data offset (the number of blocks n says it), no options, and windows count bytes in 32 bits.

Rule 1: nothing of a datagram is believed before its checksum was right, and its size has to be exactly what it says.
Rule 2: what is wrong is no segment, and nobody answers it: who knows who sent it, and to whom?
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from checksums import checksum
from term import MAGIC

#: magic, flags, length, checksum, sequence, acknowledgement, window: network order, no padding.
HEADER = struct.Struct("!BBHIIII")
#: One block: left edge, right edge.
BLOCK = struct.Struct("!II")
#: Bytes of payload in a segment, at most: at most 1,292 with all headers over IPv6, so Ethernet takes it.
MOST_PAYLOAD = 1200
#: Blocks in a segment, at most: two bits count them.
MOST_BLOCKS = 3

SYN, ACK, FIN, RST = 1, 2, 4, 8
BLOCKS_SHIFT = 4


class Segment(NamedTuple):
    """One segment. Numbers are those on the wire, 32 bits (sequence.py)."""

    sequence: int  #: of the first byte of the payload; of the SYN if there is one
    acknowledgement: int = 0  #: the next number that is expected; counts only with `ack`
    window: int = 0  #: bytes from `acknowledgement` on that the sender of this has room for
    syn: bool = False  #: begins the stream; takes one sequence number, in front of the payload
    ack: bool = False  #: `acknowledgement` counts
    fin: bool = False  #: ends the stream; takes one sequence number, after the payload
    rst: bool = False  #: there is no such connection, or no longer
    sack: tuple[tuple[int, int], ...] = ()  #: ranges [left, right) that arrived out of order, newest first, at most 3
    payload: bytes = b""

    @property
    def length(self) -> int:
        """Sequence numbers that it takes: SEG.LEN of RFC 9293."""
        return self.syn + len(self.payload) + self.fin


def encode(segment: Segment) -> bytes:
    """The datagram of a segment. Raises ValueError if it has too many blocks or bytes."""
    ### BEGIN SOLUTION: stage 1: header with a zero checksum, blocks, payload; then put the checksum in
    if len(segment.sack) > MOST_BLOCKS or len(segment.payload) > MOST_PAYLOAD:
        raise ValueError(f"{len(segment.sack)} blocks and {len(segment.payload)} bytes do not fit into a segment")
    flags = segment.syn * SYN | segment.ack * ACK | segment.fin * FIN | segment.rst * RST
    first = (MAGIC, flags | len(segment.sack) << BLOCKS_SHIFT, len(segment.payload))
    last = (segment.sequence, segment.acknowledgement, segment.window)
    blocks = b"".join(BLOCK.pack(*block) for block in segment.sack) if segment.sack else b""
    rest = blocks + segment.payload
    return HEADER.pack(*first, checksum(HEADER.pack(*first, 0, *last) + rest), *last) + rest
    ### END SOLUTION


def decode(data: bytes) -> Segment | None:
    """The segment of a datagram; None if it is damaged, cut short, or something else."""
    ### BEGIN SOLUTION: stage 1: check the size, magic and checksum before anything else is trusted
    if len(data) < HEADER.size:
        return None
    magic, flags, length, expected, sequence, acknowledgement, window = HEADER.unpack_from(data)
    if magic != MAGIC:
        return None
    if checksum(data[:4] + bytes(4) + data[8:]) != expected:
        return None
    count = flags >> BLOCKS_SHIFT & MOST_BLOCKS
    start = HEADER.size + count * BLOCK.size
    if length > MOST_PAYLOAD or len(data) != start + length:
        return None
    return Segment(
        sequence,
        acknowledgement,
        window,
        syn=bool(flags & SYN),
        ack=bool(flags & ACK),
        fin=bool(flags & FIN),
        rst=bool(flags & RST),
        sack=tuple(BLOCK.iter_unpack(data[HEADER.size : start])) if count else (),
        payload=data[start:],
    )
    ### END SOLUTION
