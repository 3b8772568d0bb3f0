"""Stage 5, hidden: windows played by hand in virtual time."""

from harness.testing import Scene


def test_the_window_bounds_what_is_sent(lab: Scene) -> None:
    lab.transport.scripted("client").plays("""
        open win=1000
        app    send 5000
        expect bytes 1:1001 within 1.1
        never  DATA seq>1000 for 0.1
        send   ACK ack=1001 win=0
        never  DATA seq>1001 for 0.15
        expect bytes 1001:1002 within 3.1     # a probe
        send   ACK ack=1001 win=0             # its byte was dropped
        expect bytes 1001:1002 within 6.2
        send   ACK ack=1002 win=0             # and this time taken
        expect bytes 1002:1003 within 12.4
        send   ACK ack=1002 win=2400
        expect bytes 1002:3402 within 1.1
        never  DATA seq>3401 for 0.1
    """)


def test_the_fin_waits_for_the_window(lab: Scene) -> None:
    lab.transport.scripted("server").plays("""
        open win=100
        app    send 100
        app    end
        expect bytes 1:101 within 1.1
        never  FIN ACK for 0.15
        send   ACK ack=101 win=0
        never  FIN ACK for 0.15
        send   ACK ack=101 win=10
        expect FIN ACK seq=101 within 1.1
        send   ACK ack=102
        never  event timed out for 10
    """)


def test_what_is_offered_is_kept(lab: Scene) -> None:
    lab.transport.scripted("server", receive_buffer=4000).plays("""
        send   SYN seq=0
        expect SYN ACK win=4000
        send   ACK seq=1 ack=1
        event  connected
        send   ACK seq=1 len=1200
        send   ACK seq=1201 len=1200
        expect ACK ack=2401 win=1600
        send   ACK seq=2401 len=1200
        send   ACK seq=3601 len=400
        expect ACK ack=4001 win=0
        send   ACK seq=4001 len=100           # not invited
        expect ACK ack=4001 win=0
        app    read 4000 gives 1:4001
        expect ACK ack=4001 win>=2000         # there is room again: tell
        send   ACK seq=4001 len=100
        expect ACK ack=4101 within 0.2
        app    read 4001:4101
    """)

    full = [(at, 1200) for at in range(1201, 12001, 1200)]
    small = [(at, 10) for at in range(1201, 4201, 10)]
    for early, end in ((full, 12001), (small, 4201)):  # all there is room for, and many of them, before the first
        out_of_order = "\n".join(f"send ACK seq={at} len={size}\n expect ACK ack=1" for at, size in early)
        peer = lab.transport.scripted("server", receive_buffer=12_000)
        peer.plays(f"""
            open
            {out_of_order}
            send   ACK seq=1 len=1200             # what was missing always has a place
            expect ACK ack>=1201 within 0.2
        """)
        for at in range(1201, end, 1200):  # who kept nothing gets the rest again
            size = min(1200, end - at)
            peer.plays(f"send ACK seq={at} len={size}\n expect ACK ack>={at + size} within 0.2")
        peer.plays(f"app read 1:{end}")


def test_old_news_of_the_window(lab: Scene) -> None:
    lab.transport.scripted("client").plays("""
        open win=20000
        send   ACK seq=1 len=100 win=2400
        expect ACK ack=101 within 0.2
        send   ACK seq=1 len=100 win=30000    # an old segment again: its window is old as well
        expect ACK ack=101
        app    send 6000
        expect bytes 1:2401 within 1.1
        never  DATA seq>2400 for 0.15
    """)


def test_probes_never_end_while_they_are_answered(lab: Scene) -> None:
    answered = "expect bytes 101:102 within 61\n send ACK ack=101 win=0\n" * 20
    lab.transport.scripted("client").plays(f"""
        open win=100
        app    send 200
        expect bytes 1:101 within 1.1
        send   ACK ack=101 win=0
        {answered}
        never  event timed out
        send   ACK ack=101 win=500
        expect bytes 101:201 within 61
    """)


def test_a_window_that_closes_again(lab: Scene) -> None:
    answered = "expect bytes 101:102 within 61\n send ACK ack=101 win=0\n" * 6
    exchanges = "".join(
        f"""
        expect bytes {at}:{at + 100} within 1.1
        +0.05  send ACK ack={at + 100} win=100
        app    send 100
        """
        for at in range(201, 2201, 100)
    )
    lab.transport.scripted("client").plays(f"""
        open win=100
        app    send 200
        expect bytes 1:101 within 1.1
        send   ACK ack=101 win=0
        {answered}
        send   ACK ack=101 win=100
        expect bytes 101:201 within 61        # the probe's byte may count as sent
        send   ACK ack=201 win=100
        app    send 100
        {exchanges}
        expect bytes 2201:2301 within 1.1
        send   ACK ack=2301 win=0
        app    send 100
        expect bytes 2301:2302 within 1.1     # one RTO again, whatever the wait was the last time
        send   ACK ack=2301 win=0
        expect bytes 2301:2302 within 2.2
        send   ACK ack=2301 win=0
        expect bytes 2301:2302 within 4.4
        send   ACK ack=2301 win=1000
        expect bytes 2301:2401 within 61
    """)


def test_probes_end_when_nobody_answers(lab: Scene) -> None:
    lab.transport.scripted("client").plays("""
        open win=100
        app    send 200
        expect bytes 1:101 within 1.1
        send   ACK ack=101 win=0
        expect bytes 101:102 within 1.1
        event  timed out within 500
    """)


def test_a_window_that_shrinks(lab: Scene) -> None:
    acknowledged = "+0.1 send ACK\n" * 12
    lab.transport.scripted("client").plays(f"""
        open win=3600
        app    send 10000
        expect DATA seq=1 within 1.1
        send   ACK ack=1201 win=600           # it offered more before
        never  DATA seq>3600 for 2
        send   ACK ack=1201 win=20000
        expect DATA seq=1201 within 10
        {acknowledged}
        app    end
        expect FIN ACK within 10
    """)
