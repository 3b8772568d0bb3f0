"""What a link did to each packet, kept as events and as packets with their bytes; pictures/ladder.py draws it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.link.model import Fate

Direction = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Event:
    """One packet, or one piece of a TCP stream, on its way through the link."""

    at: float  #: seconds since the link was set, when it entered
    due: float | None  #: seconds since the link was set, when it leaves; None if it never does
    direction: Direction  #: up is from the student to the tester
    protocol: str  #: "udp", "tcp", or what the TCP stream's end is called: "syn", "fin", "rst"
    size: int  #: payload bytes
    fate: Fate  #: what became of it
    why: str = ""  #: the field of the profile that took it, if the driver knows: loss, drop, blackout, limit


@dataclass(frozen=True, slots=True)
class Packet:
    """One datagram on its way through the link, with its bytes; a copy that the link made is a row of its own."""

    number: int  #: 1, 2, ... in the order of sending, both directions together; copies share their number
    sent: float  #: seconds, when it entered the link
    arrived: float | None  #: seconds, when it left the link; None if it never did
    direction: Direction  #: up is from the student to the tester (the first endpoint to the second)
    data: bytes  #: as it was sent
    delivered: bytes  #: as it arrived: other bytes if the link damaged or cut it, none if it was lost
    fate: Fate  #: what became of it
    why: str = ""  #: the field of the profile that took it: loss, drop, blackout, limit
