"""Stage 5, hidden: windows played by hand in virtual time."""

from itertools import pairwise

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
        expect FIN ACK seq=101 within 3.1     # a probe: nothing else is left
        send   ACK ack=101 win=0              # it was dropped
        expect FIN ACK seq=101 within 6.2
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
        send   FIN ACK seq=4001               # nor is an end
        expect ACK ack=4001 win=0
        never  event end of stream
        app    read 4000 gives 1:4001
        expect ACK ack=4001 win>=2000         # there is room again: tell
        send   ACK seq=4001 len=100
        expect ACK ack=4101 within 0.2
        app    read 4001:4101
    """)
    _an_rst_counts(lab)

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


def _an_rst_counts(lab: Scene) -> None:
    lab.transport.scripted("client", receive_buffer=1200).plays("""
        open
        send   ACK seq=1 len=1200
        expect ACK ack=1201 win=0 within 0.2
        send   RST seq=1202                   # beyond the window
        never  event reset
        send   RST seq=1201                   # the next number counts, though nothing else has room
        event  reset
        app    read 1:1201
    """)


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
    peer = lab.transport.scripted("client")
    peer.plays(f"""
        open win=100
        app    send 200
        expect bytes 1:101 within 1.1
        send   ACK ack=101 win=0
        {answered}
        never  event timed out
        send   ACK ack=101 win=500
        expect bytes 101:201 within 61
    """)
    probes = [seen.at for seen in peer.seen if seen.seq == 101 and len(seen.seg.payload) == 1]
    waits = [after - before for before, after in pairwise(probes)]
    peer.require(
        all(now >= min(1.8 * before, 59) for before, now in pairwise(waits)),
        "the waits between probes are doubled, up to 60 s",
        expected="waits that are doubled, up to 60 s",
        seen=f"waits of {', '.join(f'{wait:.2f}' for wait in waits[:10])} s",
    )


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
    peer = lab.transport.scripted("client")
    peer.plays("""
        open win=100
        app    send 200
        expect bytes 1:101 within 1.1
        send   ACK ack=101 win=0
        expect bytes 101:102 within 1.1
        event  timed out within 500
    """)
    probes = sum(seen.seq == 101 and bool(seen.seg.payload) for seen in peer.seen)
    peer.require(
        probes in (8, 9), "eight probes in a row without an answer are the end", expected="8 probes", seen=f"{probes}"
    )


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
    unanswered = "expect DATA within 61\n send ACK ack=1201 win=0\n" * 14
    lab.transport.scripted("client").plays(f"""
        open win=3600
        app    send 3600
        expect bytes 1:3601 within 3.1
        send   ACK ack=1201 win=0             # it drops what it has no room for any more, and goes on answering
        {unanswered}
        never  event timed out
        send   ACK ack=1201 win=20000
        expect DATA len>1 within 61
    """)
    _nothing_beyond_the_new_edge(lab)


def _nothing_beyond_the_new_edge(lab: Scene) -> None:
    peer = lab.transport.scripted("client")
    peer.plays("""
        open win=10000
        app    send 1200
        expect bytes 1:1201
        send   ACK ack=1201 win=600           # 10,000 before: what was not sent has no room any more
        app    send 5000
        expect bytes 1201:1801 within 1.1
        wait   0.2
    """)
    most = max(seen.seq + len(seen.seg.payload) for seen in peer.seen)
    peer.require(
        most <= 1801,
        "nothing that was not sent before goes beyond an edge that has moved back",
        expected="nothing from number 1801 on",
        seen=f"bytes up to number {most - 1}",
    )


def test_room_is_told(lab: Scene) -> None:
    lab.transport.scripted("client", receive_buffer=4000).plays("""
        open
        send   ACK seq=1 len=1200
        send   ACK seq=1201 len=1200
        expect ACK ack=2401 win=1600
        app    read 2400 gives 1:2401         # the window was small, and not closed
        expect ACK ack=2401 win>=2801
    """)
    lab.transport.scripted("server", receive_buffer=1000).plays("""
        open
        send   ACK seq=1 len=900
        expect ACK ack=901 within 0.2
        app    read 900 gives 1:901           # half of the buffer is enough
        expect ACK ack=901 win>500
    """)
