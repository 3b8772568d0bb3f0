"""Stage 7, hidden: queues of all sizes, long fat links, large streams, and the window round trip by round trip."""

from harness.testing import Scene

#: Bytes of a segment; seconds of a round trip.
SEGMENT, ROUND_TRIP = 1200, 0.05


def test_queues(lab: Scene) -> None:
    lab.transport.simulations("a queue of 3 packets", "a queue of 64 packets", "a rate that drops tenfold").complete()


def test_long_and_fat(lab: Scene) -> None:
    lab.transport.simulations("a long fat link", alone=True).keep_pace(0.5)


def test_large_streams(lab: Scene) -> None:
    lab.transport.simulations("8 MB", alone=True).complete()
    lab.transport.simulations("1 MB at 2 % loss").complete(seeds=1)


def test_fair_shares(lab: Scene) -> None:
    lab.transport.sharing().is_fair()


def test_one_segment_per_round_trip(lab: Scene) -> None:
    peer = lab.transport.scripted("client")
    peer.plays("open win=1000000")
    for _ in range(20):
        if peer.round_trips(1, lasting=ROUND_TRIP) >= [40 * SEGMENT]:
            break
    peer.acknowledges_the_rest(lasting=ROUND_TRIP)
    first = peer.expected_next
    peer.plays(f"""
        app    send {3 * SEGMENT}
        expect bytes {first}:{first + 3 * SEGMENT} within 0.1
    """)
    again, acknowledged = len(peer.seen), first
    peer.plays(f"expect DATA seq={first} within 3.1")  # all three are lost
    for _ in range(2000):  # they may be repeated together, or one by one
        peer.waits(ROUND_TRIP)
        for seen in peer.seen[again:]:
            if seen.seq <= acknowledged < seen.seq + len(seen.seg.payload):
                acknowledged = seen.seq + len(seen.seg.payload)
                peer.sends(f"ACK ack={acknowledged}")
        if acknowledged == first + 3 * SEGMENT:
            break
    windows = peer.round_trips(13, lasting=ROUND_TRIP)
    # The threshold is two segments. The repair took three round trips at most, and three segments are for rounding
    # and for limited transmit (RFC 3042).
    most = [(2 + 3 + number + 3) * SEGMENT for number in range(len(windows))]
    told = ", ".join(f"{size:,}" for size in windows)
    peer.require(
        all(size <= bound for size, bound in zip(windows, most, strict=True)),
        "after a timeout with 3,600 bytes under way the threshold is 2,400, and above it the window grows by at most "
        "one segment per round trip",
        expected=f"at most {', '.join(f'{size:,}' for size in most)} bytes under way, one round trip after the other",
        seen=told,
    )
    peer.require(
        windows[-1] - windows[0] >= 2 * SEGMENT,
        "above the threshold the window grows as long as nothing is lost",
        expected=f"2 segments more or better after {len(windows) - 1} round trips",
        seen=f"{told} bytes under way, one round trip after the other",
    )
