"""What the link carried in this test, by its captures: on a busy machine they are written a little later."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from harness.actors.cast import Cast
from harness.lab.interface import LabError
from harness.link.trace import Packet

#: Seconds that a capture may be behind the link.
CATCH_UP = 3.0


def carried(cast: Cast, enough: Callable[[Sequence[Packet]], bool] = lambda _: True) -> list[Packet]:
    """The datagrams as soon as they are enough, or those that there are after CATCH_UP seconds. Raises LabError."""
    deadline = time.monotonic() + CATCH_UP
    while True:
        packets = cast.network.packets(cast.since, time.time())
        if packets is None:
            raise LabError("there is no account of what the link carried")
        if enough(packets) or time.monotonic() > deadline:
            return packets
        time.sleep(0.02)


def account_for_all(cast: Cast) -> None:
    """Raises LabError if the link has carried what no capture holds: a capture that ended says nothing."""
    if missed := cast.network.missed(cast.since):
        raise LabError(f"{missed:,} packets of the link were not captured, so nothing can be concluded")
