"""When a time-out says nothing of a submission: the machine had no processor to give. Pure; seconds throughout."""

from __future__ import annotations

#: BUSY: the share of the time in which the tester was ready and had no processor, from which on it says nothing.
#: LOUD: the share of its allowed processor above which a submission made the machine busy by itself.
BUSY, LOUD = 0.2, 0.5
#: A submission that sends more packets with data a second than the first, or more bytes in one check than the second,
#: and so many times what it was sent, has made the link late by itself. No check needs a tenth of either.
MOST_SENT, MOST_BYTES, TIMES = 3_000, 32 << 20, 4


def was_starved(seconds: float, *, waited: float, crowded: float, most: float) -> bool:
    """Whether there was too little processor in so many seconds.

    waited: how long the tester was ready and had none; crowded: the share in which anything on the machine had none,
    and `most` the largest that is borne.
    """
    return waited > BUSY * seconds or crowded > most


def is_loud(seconds: float, *, used: float, cpus: float) -> bool:
    """Whether a submission that may use so many processors has used so much of them that it was its own doing.

    used: seconds of processor in one node, the busiest: `cpus` is for one, and an honest pair uses twice as much.
    """
    return used > LOUD * seconds * max(cpus, 0.01)


def floods(seconds: float, *, packets: tuple[int, int], data: tuple[int, int]) -> bool:
    """Whether what a submission has sent in so many seconds is more than anybody asked for.

    packets, data: with payload, and bytes; what it sent, and what it was sent. Bytes are of the whole check, since on a
    busy machine a flood gets no further than the processor that it has.
    """
    (sent, came), (much, little) = packets, data
    return sent > max(MOST_SENT * seconds, TIMES * came) or much > max(MOST_BYTES, TIMES * little)
