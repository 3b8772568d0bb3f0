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
    raise NotImplementedError(
        "stage 1: header with a zero checksum, blocks, payload; then put the checksum in"
    )


def decode(data: bytes) -> Segment | None:
    """The segment of a datagram; None if it is damaged, cut short, or something else."""
    raise NotImplementedError("stage 1: check the size, magic and checksum before anything else is trusted")
