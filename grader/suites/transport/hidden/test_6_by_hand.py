"""Stage 6, hidden: round trips, duplicates and blocks played by hand in virtual time."""

from harness.scene import Scene

#: The window grows until four segments at least are under way, whatever it begins with.
_GROWN = """
    open
    app    send 60000
    expect bytes 1:1201
    +0.05  send ACK ack=1201
    expect bytes 1201:3601
    +0.05  send ACK ack=3601
    expect bytes 3601:7201 within 0.3
    +0.05  send ACK ack=7201
    expect bytes 7201:12001 within 0.3
"""


def test_the_third_duplicate(lab: Scene) -> None:
    lab.scripted("client").plays(f"""
        {_GROWN}
        +0.05  send ACK ack=7201
        send   ACK ack=7201
        never  DATA seq<=7201 for 0.01
        send   ACK ack=7201
        expect DATA seq=7201                  # at once
        send   ACK ack=7201
        never  DATA seq=7201
        send   ACK ack=7201
        never  DATA seq=7201 for 0.15         # once in a round trip
        send   ACK ack=12001
        never  DATA seq<12001 for 1
    """)


def test_what_is_no_duplicate(lab: Scene) -> None:
    lab.scripted("client").plays(f"""
        {_GROWN}
        +0.01  send ACK seq=1 ack=7201 len=10          # it brings bytes
        send   ACK seq=11 ack=7201 len=10
        send   ACK seq=21 ack=7201 len=10
        send   ACK seq=31 ack=7201 len=10
        never  DATA seq=7201 for 0.15
        send   ACK ack=12001
        expect DATA seq>=12001 within 1.1
    """)


def test_reneging(lab: Scene) -> None:
    lab.scripted("client").plays(f"""
        {_GROWN}
        +0.05  send ACK ack=7201 sack=8401:9601
        send   ACK ack=7201 sack=8401:10801
        send   ACK ack=7201 sack=8401:12001
        expect DATA seq=7201 within 1.1
        send   ACK ack=8401                   # the rest was thrown away after all
        expect DATA seq=8401 within 6.2
        send   ACK ack=9601
        expect bytes 9601:12001 within 12.4
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
    lab.scripted("client").plays(f"""
        expect SYN seq=0
        +0.5   send SYN ACK seq=0 ack=1
        event  connected
        {rounds}
    """)
