"""Stage 6, hidden: round trips, duplicates and blocks played by hand in virtual time."""

from harness.testing import Scene

#: The window grows whatever it begins with; then five segments are under way.
_GROWN = (
    """
    open
    app    send 12000
    expect DATA seq=1
"""
    + "+0.03 send ACK\n" * 5
    + """
    app    send 6000
    expect bytes 12001:18001
"""
)


def test_the_third_duplicate(lab: Scene) -> None:
    lab.transport.scripted("client").plays(f"""
        {_GROWN}
        +0.05  send ACK ack=12001
        send   ACK ack=12001
        never  DATA seq<=12001 for 0.01
        send   ACK ack=12001
        expect DATA seq=12001                  # at once
        send   ACK ack=12001
        never  DATA seq=12001
        send   ACK ack=12001
        never  DATA seq=12001 for 0.15         # once in a round trip
        send   ACK ack=18001
        never  DATA seq<18001 for 1
    """)


def test_what_is_no_duplicate(lab: Scene) -> None:
    lab.transport.scripted("client").plays(f"""
        {_GROWN}
        +0.01  send ACK seq=1 ack=12001 len=10          # it brings bytes
        send   ACK seq=11 ack=12001 len=10
        send   ACK seq=21 ack=12001 len=10
        send   ACK seq=31 ack=12001 len=10
        never  DATA seq=12001 for 0.15
        expect DATA seq=12001 within 3.1
        send   ACK ack=18001
        silence for 5
    """)
    lab.transport.scripted("client").plays(f"""
        {_GROWN}
        +0.01  send ACK ack=12001 win=66000             # it tells of more room, each time
        send   ACK ack=12001 win=67000
        send   ACK ack=12001 win=68000
        send   ACK ack=12001 win=69000
        never  DATA seq=12001 for 0.15
        expect DATA seq=12001 within 3.1
        send   ACK ack=18001
        silence for 5
    """)


def test_reneging(lab: Scene) -> None:
    lab.transport.scripted("client").plays(f"""
        {_GROWN}
        +0.05  send ACK ack=12001 sack=13201-14401
        send   ACK ack=12001 sack=13201-15601
        send   ACK ack=12001 sack=13201-18001
        expect DATA seq=12001 within 1.1
        send   ACK ack=13201                  # the rest was thrown away after all
        expect DATA seq=13201 within 6.2
        send   ACK ack=14401
        expect DATA seq=14401 within 12.4
    """)


def test_karn(lab: Scene) -> None:
    round_ = """
        app    send 100
        expect DATA seq={0}
        never  DATA seq={0} for 0.49
        expect DATA seq={0} within 61
        +0.01  send ACK ack={1}
    """
    rounds = "".join(round_.format(1 + 100 * n, 101 + 100 * n) for n in range(20))
    lab.transport.scripted("client").plays(f"""
        expect SYN seq=0
        +0.5   send SYN ACK seq=0 ack=1
        event  connected
        {rounds}
    """)


def _exchanges(first: int, count: int, lasting: float) -> str:
    """Exchanges without a loss, one after the other."""
    one = "app send 100\n expect bytes {0}:{1} within 61\n +{2} send ACK ack={1}\n"
    return "".join(one.format(at, at + 100, lasting) for at in range(first, first + 100 * count, 100))


def test_the_timeout_is_the_round_trips(lab: Scene) -> None:
    peer = lab.transport.scripted("client")
    peer.plays(f"""
        expect SYN seq=0
        +0.9   send SYN ACK seq=0 ack=1
        event  connected
        {_exchanges(1, 30, 0.9)}
    """)
    sent = [seen.seq for seen in peer.seen if seen.seg.payload and seen.seq > 2000]
    peer.require(
        len(sent) == len(set(sent)),
        "a round trip of 0.9 s that does not vary is no reason to send anything again",
        expected="the last ten segments once each",
        seen=f"{len(sent) - len(set(sent))} repetitions",
    )
    peer.plays(f"""
        app    send 100
        expect DATA seq=3001
        expect DATA seq=3001 after 0.89 within 1.5      # SRTT, and something for RTTVAR and the clock
        send   ACK ack=3101
        {_exchanges(3101, 60, 0.02)}
        app    send 100
        expect DATA seq=9101
        expect DATA seq=9101 after 0.19 within 1.1
    """)
