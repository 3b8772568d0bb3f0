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
