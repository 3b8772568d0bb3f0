"""A share of the road: what a window does that grows until something is lost. In virtual time."""

from __future__ import annotations

import socket
from itertools import pairwise

from harness.link.profile import Profile
from harness.show.curves import text_plot
from harness.show.kernel import Row, Untold, tcp_table, wait_until
from harness.show.sockets import Sockets, fill, port, shows_table
from harness.show.telling import Telling, page
from harness.show.virtual import Congestion, Transfer, transfer


def saw(
    *, rate: int = 4_000_000, round_trip: float = 0.04, queue: int = 20, count: int = 6000, seed: int = 1
) -> Transfer:
    """A transfer over a bottleneck whose window follows AIMD.

    rate: bits per second; round_trip: seconds without a queue; queue: packets that the bottleneck holds, those on
    their way included; count: packets of 1,000 bytes.
    """
    on_the_way = round(rate * round_trip / 2 / 8000)  # the model's limit counts them, too
    up = Profile(delay=round_trip / 2, rate=rate, limit=queue + on_the_way)
    return transfer(
        count, up=up, down=Profile(delay=round_trip / 2), timeout=1.0, congestion=Congestion(threshold=16.0), seed=seed
    )


@page(
    asks="""nobody tells a sender how much the path can carry. It may only raise its window until something is
    lost. Draw the window over time.""",
    seen="""up in a line, down by half, again and again: additive increase, multiplicative decrease. At first
    the window doubles each round trip (slow start, which is anything but slow). Then it grows by one packet per
    round trip until the queue at the bottleneck is full and a packet is lost; that is the only news the sender
    has of the queue. Half, and up again. It is fair, too: of two such senders the larger one gives up more at
    each loss, so their shares draw together.""",
)
def aimd(tell: Telling) -> None:
    """Congestion control decides how many packets may be under way so that everybody's share of the path is
    fair and the queue does not overflow for long. TCP's classic answer is AIMD (RFC 5681).
    """
    run = saw()
    tell.picture(text_plot(run.history, across="seconds", up="congestion window, packets"))
    windows = [size for _, size in run.history]
    cuts = [(before, after) for before, after in pairwise(windows) if after < before - 0.5]
    falls, halves = [before for before, _ in cuts], [after / before for before, after in cuts]
    lost = sum(packet.arrived is None for packet in run.packets)
    tell.note(
        f"{run.seconds:.1f} s, {lost} packets lost of {run.sent:,}, each time at about {max(falls):.0f} under way."
    )
    tell.keeps(falls=falls, halves=halves, lost=lost, seconds=run.seconds, history=run.history)


@page(
    asks="""the receiver's program stops reading. Who tells the sender to stop: the program, the receiver's
    kernel, or nobody?""",
    seen="""the receiver's kernel: every acknowledgement says how many bytes there is room for (the window), and
    here that went down to zero. The sender's kernel kept the rest, then its buffer was full, too, and send()
    took no more. When the reader read, its kernel told of the new room, and the bytes moved on without anybody
    calling send(). That is flow control: it protects the receiver. Congestion control is the same idea for the
    network in between, which cannot say how much room it has.""",
)
def window(tell: Telling) -> None:
    """A receiver has a bounded buffer. In each acknowledgement it says how much is free, and the sender never
    has more under way than that.
    """
    with Sockets() as made:
        _, client, server = made.connected(buffers=16_384)
        taken = fill(client)
        names = {port(client): "sender", port(server): "receiver"}
        tell.step("sender", "send() until it is refused", f"{taken:,} bytes taken")
        before = _unsent(shows_table(tell, [port(server)], names), port(client))
        read = len(server.recv(1_000_000))
        tell.step("receiver", "recv() of all that is there", f"{read:,} bytes")
        wait_until(lambda: _nothing_unsent(client, server), within=0.5)
        after = _unsent(shows_table(tell, [port(server)], names), port(client))
    tell.keeps(taken=taken, read=read, unsent_before=before, unsent_after=after)


def _nothing_unsent(sender: socket.socket, receiver: socket.socket) -> bool:
    try:
        return not _unsent(tcp_table([port(receiver)]), port(sender))
    except Untold:
        return True


def _unsent(rows: list[Row], sender: int) -> int | None:
    """What the kernel still holds for the socket on that port; None if it does not say."""
    return next((row.unsent for row in rows if row.local[1] == sender and row.state != "LISTEN"), None)
