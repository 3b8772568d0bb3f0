"""When a time-out says nothing of a submission: the machine had no processor to give. Pure; seconds throughout."""

from __future__ import annotations

#: BUSY: the share of the time in which the tester was ready and had no processor, from which on it says nothing.
#: LOUD: the share of its allowed processor above which a submission made the machine busy by itself.
BUSY, LOUD = 0.2, 0.5


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
