"""Making something reliable out of mail: damage, order, acknowledgements, timers. In virtual time."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import replace

from harness.link.model import UDP_FRAMING, Link
from harness.link.profile import Profile
from harness.pictures.ladder import rungs_of
from harness.show.curves import bars
from harness.show.telling import Telling, page
from harness.show.virtual import Congestion, Transfer, describe, transfer
from harness.transport.segments import CHECKSUMS

_SECOND = 1_000_000_000


@page(
    asks="""a message is damaged in three ways: one bit flipped, two 16-bit words swapped, one word a little
    larger and another as much smaller. Which of three checksums notices which?""",
    seen="""every one of them saw the flipped bit. A plain sum does not depend on the order of what it adds up,
    so the Internet checksum (RFC 1071), which IP, UDP and TCP use, missed the swap and the balanced change.
    Fletcher adds up the sums as well, so that place matters; a CRC is a remainder of a division, and sees
    almost anything. None of them is against somebody who means it: whoever can change the data can change the
    sum. That takes a key.""",
)
def checksum(tell: Telling) -> None:
    """The network may damage what it carries. A sender adds a number computed from the data; a receiver
    computes it again and throws away what does not fit.
    """
    message = b"pay 0010 to Ada."
    flipped = bytes([message[0] ^ 1]) + message[1:]
    words = list(struct.unpack("!8H", message))
    swapped = struct.pack("!8H", words[0], words[1], words[3], words[2], *words[4:])
    balanced = struct.pack("!8H", words[0] + 1, words[1] - 1, *words[2:])
    rows = []
    seen: dict[str, list[bool]] = {}
    for name, compute in CHECKSUMS.items():
        seen[name] = [compute(other) != compute(message) for other in (flipped, swapped, balanced)]
        rows.append([name, f"{compute(message):08x}", *("noticed" if one else "NOT noticed" for one in seen[name])])
    tell.note(f"The message: {message!r}; swapped: {swapped!r}; balanced: {balanced!r}")
    tell.table(["checksum", "of the message", "one bit flipped", "words swapped", "balanced change"], rows)
    tell.keeps(noticed=seen)


#: A chat: ten messages, one each 20 ms, over a link whose delay varies.
_SPOKEN, _APART = 10, 0.02


def _arrivals() -> list[tuple[float, int]]:
    """When which message comes, in order of arrival; the fourth is lost and comes again 0.2 s later."""
    link = Link(Profile(delay=0.05, jitter=0.045, drop=(3,)), seed=5, framing=UDP_FRAMING)
    came = []
    for number in range(1, _SPOKEN + 1):
        sent = round((number - 1) * _APART * _SECOND)
        out = link.transmit(b"x", now=sent) or link.transmit(b"x", now=sent + round(0.2 * _SECOND))
        came += [(due / _SECOND, number) for due, _, _ in out]
    return sorted(came)


@page(
    asks="""ten messages arrive out of order, and number 4 comes late, after it was sent again. Somebody waits
    for what is missing; somebody hands on everything at once; somebody drops what is late. Who hands on what,
    and when?""",
    seen="""all three are right, for somebody. A file needs every byte in order, so TCP waits, and one lost
    packet holds up all that came after it. A download from many sources can fill gaps in any order. A game or a
    call wants the newest: a late position is a useless one, so it is dropped. The choice belongs to the
    application; whoever uses TCP has chosen the first.""",
)
def three_answers(tell: Telling) -> None:
    """Packets overtake each other. The receiver has numbers, sees a hole, and has three answers: wait until it
    is filled; leave it open and fill it later; or go on, and never look back.
    """
    came = _arrivals()
    kept: set[int] = set()
    due, newest = 1, 0
    rows = []
    handed: dict[str, list[int]] = {"wait": [], "fill": [], "newest": []}
    for at, number in came:
        kept.add(number)
        ready = []
        while due in kept:
            ready.append(due)
            due += 1
        forward = [number] if number > newest else []
        newest = max(newest, number)
        for name, what in (("wait", ready), ("fill", [number]), ("newest", forward)):
            handed[name] += what
        rows.append(
            [f"{at * 1000:.0f} ms", number, _listed(ready) or "(waits)", number, _listed(forward) or "(drops it)"]
        )
    tell.table(["at", "arrives", "in order", "every piece at once", "only what is newer"], rows)
    tell.keeps(arrivals=[number for _, number in came], handed=handed, times=[at for at, _ in came])


def _listed(numbers: Iterable[int]) -> str:
    return " ".join(map(str, numbers))


#: A link with 20 ms each way.
_ROUND_TRIP = 0.04


def _carried(count: int, loss: float, *, seed: int, window: int = 1, timeout: float = 0.2) -> Transfer:
    """A transfer over it that loses so much in each direction."""
    one_way = Profile(delay=_ROUND_TRIP / 2, loss=loss)
    return transfer(count, up=one_way, down=one_way, window=window, timeout=timeout, seed=seed)


@page(
    asks="""one packet at a time, a round trip of 40 ms, a timeout of 0.2 s. 100 packets without loss take 4 s.
    How long with 10 % loss each way: 10 % more, or more than that?""",
    seen="""each loss costs a whole timeout, five round trips here, and an acknowledgement can be lost as well
    as a packet: at 10 % each way, nearly every fifth try fails. Twice as much time and more for a tenth of the
    packets. When only the acknowledgement was lost, the receiver got the packet twice: it needs the number to
    notice, and has to acknowledge again, or the sender never stops.""",
)
def stop_and_wait(tell: Telling) -> None:
    """The simplest way to make mail reliable: send one packet, wait for its acknowledgement, and send it again
    when none comes in time.
    """
    small = _carried(6, 0.2, seed=3)
    tell.ladder(rungs_of(small.packets, describe=describe), ("sender", "receiver"))
    rows, times = [], {}
    for loss in (0.0, 0.01, 0.05, 0.1, 0.2):
        run = _carried(100, loss, seed=11)
        times[f"{loss:g}"] = run.seconds
        rows.append([f"{loss:.0%}", run.seconds, run.sent, run.timeouts, run.needless])
    tell.note("100 packets, the same link, more and more loss each way:")
    tell.table(["loss", "seconds", "packets sent", "timeouts", "came twice"], rows)
    tell.keeps(times=times)


@page(
    asks="""the round trip takes 40 ms and a packet holds 1,000 bytes. How fast can a sender be that has one
    packet under way? And with 10? Does a faster line help?""",
    seen="""a window of one packet gives one packet per round trip, 0.2 Mbit/s, on any line however fast. Ten
    under way give ten times that, until the line is full: on 10 Mbit/s from 50 packets on, since 10 Mbit/s
    times 40 ms is 50,000 bytes. That product of rate and round trip is what has to be under way to use a path,
    and what the receiver has to have room for.""",
)
def sliding_window(tell: Telling) -> None:
    """Nothing forces a sender to wait after each packet. It may have a window of several under way, and moves
    it on as acknowledgements come in.
    """
    rows = []
    for window in (1, 2, 5, 10, 20, 50, 100):
        up, down = Profile(delay=_ROUND_TRIP / 2, rate=10_000_000), Profile(delay=_ROUND_TRIP / 2)
        run = transfer(1000, up=up, down=down, window=window, timeout=1.0)
        rows.append((f"{window} under way", 1000 * 8000 / run.seconds / 1e6))
    tell.picture(bars(rows, unit="Mbit/s"))
    tell.keeps(speeds={int(name.split()[0]): speed for name, speed in rows})


@page(
    asks="""eight packets are under way and the third is lost. Its timeout comes after 1 s. Can the sender know
    sooner, and from what?""",
    seen="""from what arrives: packets 4, 5 and 6 were acknowledged and 3 was not. One that is missing may have been
    overtaken; with three later ones it is taken for lost and sent again at once, a round trip after its loss
    instead of a timeout. (TCP's acknowledgements say only what is next, so the sender counts repeated ones, RFC
    5681; with SACK they say what came as well.) It needs packets behind the lost one: the last of a stream, or
    the only one under way, still has to wait for its timer.""",
)
def fast_retransmission(tell: Telling) -> None:
    """A timeout is a slow messenger. When several packets are under way, those behind a lost one bring the news."""
    one_way, loses = Profile(delay=_ROUND_TRIP / 2), Profile(delay=_ROUND_TRIP / 2, drop=(2,))
    fast = transfer(8, up=loses, down=one_way, timeout=1.0, congestion=Congestion(window=8.0))
    tell.ladder(rungs_of(fast.packets, describe=describe), ("sender", "receiver"))
    slow = transfer(8, up=loses, down=one_way, timeout=1.0, window=8)
    last = transfer(8, up=replace(loses, drop=(7,)), down=one_way, timeout=1.0, congestion=Congestion(window=8.0))
    rows = [
        ["three later ones count", "the 3rd of 8", fast.seconds, fast.timeouts],
        ["only the timer", "the 3rd of 8", slow.seconds, slow.timeouts],
        ["three later ones count", "the last of 8", last.seconds, last.timeouts],
    ]
    tell.table(["the sender's sign", "lost", "seconds", "timeouts"], rows)
    tell.keeps(fast=fast.seconds, slow=slow.seconds, last=last.seconds, repeated=fast.repeated)


@page(
    asks="""the round trip takes 40 ms. Which retransmission timeout is best: 30 ms, 60 ms, or 1 s? 10 % of the
    packets are lost.""",
    seen="""too short a timeout repeats packets that were not lost, only not yet answered: nearly every one came
    twice. Here that was even a little faster, since nobody else was on the road; with everybody doing it half
    of the network carries copies. Too long a one turns each loss into a long silence. It has to lie above the
    round trip and near it, and the round trip is not known and changes. So TCP measures: RTO = SRTT + 4 RTTVAR
    (RFC 6298), never from a packet that was sent twice (which of the two was answered? Karn), and doubled at
    each timeout.""",
)
def rto(tell: Telling) -> None:
    """The retransmission timeout (RTO) says how long a sender waits before it takes a packet for lost. The
    round-trip time (RTT) is how long an answer takes.
    """
    rows, kept = [], {}
    for timeout in (0.03, 0.06, 0.2, 1.0):
        run = _carried(200, 0.1, seed=2, window=5, timeout=timeout)
        rows.append([f"{timeout * 1000:g} ms", run.seconds, run.sent, run.needless])
        kept[f"{timeout:g}"] = (run.seconds, run.needless)
    tell.table(["timeout", "seconds for 200 packets", "packets sent", "came twice"], rows)
    _kernels_own(tell)
    tell.keeps(runs=kept)


def _kernels_own(tell: Telling) -> None:
    """What this machine's TCP has measured on loopback."""
    from harness.show.kernel import Untold, tcp_info
    from harness.show.sockets import Sockets

    with Sockets() as made:
        _, client, server = made.connected()
        for _ in range(20):
            client.sendall(b"ping")
            server.recv(10)
            server.sendall(b"pong")
            client.recv(10)
        try:
            info = tcp_info(client)
        except Untold as error:
            tell.note(f"(What the kernel has measured: {error}.)")
            return
    trip, variation, timeout = info.round_trip * 1000, info.variation * 1000, info.retransmission_timeout * 1000
    tell.step("kernel", "TCP_INFO of a connection on loopback", f"SRTT {trip:.3f} ms, RTTVAR {variation:.3f} ms")
    tell.note(
        f"Its RTO: {timeout:.0f} ms. Not much below 200 ms, however short the round trip: Linux puts a floor under it."
    )


@page(
    asks="""a chat sends a message every 20 ms over a link that takes 30 ms and loses 5 %. One half of the users
    reads a stream (nothing is lost, everything in order), the other half reads datagrams as they come. Who
    waits longer?""",
    seen="""the datagrams that came took 30 ms, and the lost ones are gone. In the stream nothing is missing,
    but a lost packet is repeated a timeout later, and everything behind it waits, though it has arrived:
    head-of-line blocking. So one loss in twenty delays many messages by far. For a file that is no price at
    all; for a voice it is worse than the gap.""",
)
def head_of_line(tell: Telling) -> None:
    """Reliable and in order costs time when something is lost. How much, and for whom?"""
    link = Link(Profile(delay=0.03, loss=0.05), seed=8, framing=UDP_FRAMING)
    spoken = 400
    datagrams: list[float] = []
    stream: list[float] = []
    front = 0.0
    for number in range(spoken):
        sent = at = number * _APART
        tries = 0
        while not (out := link.transmit(b"x", now=round(at * _SECOND))):
            at, tries = at + 0.2, tries + 1
        arrived = out[0][0] / _SECOND
        if not tries:
            datagrams.append(arrived - sent)
        front = max(front, arrived)
        stream.append(front - sent)
    rows = []
    for name, delays in (("datagrams", datagrams), ("a stream", stream)):
        ordered = [round(delay * 1000) for delay in sorted(delays)]
        late = sum(delay > 0.05 for delay in delays)
        figures = [ordered[len(ordered) // 2], ordered[len(ordered) * 95 // 100], ordered[-1]]
        rows.append([name, spoken - len(delays), *figures, late])
    tell.table(["400 messages by", "lost", "median ms", "95 of 100 within ms", "slowest ms", "later than 50 ms"], rows)
    tell.keeps(lost=rows[0][1], datagrams=datagrams, stream=stream, late=rows[1][5])
