"""Stage 3, hidden: timers, repetitions and overlaps, played by hand in virtual time."""

from itertools import pairwise

from harness.testing import Scene, ScriptedPeer

#: Bytes that a send buffer holds at most (rule 0.5).
MOST_UNSENT = 4_194_304


def test_syns_back_off_and_end(lab: Scene) -> None:
    lab.transport.scripted("client").plays("""
        expect SYN !ACK seq=0
        expect SYN !ACK seq=0 after 0.9 within 1.1
        expect SYN !ACK seq=0 after 1.9 within 2.1
        expect SYN !ACK seq=0 after 3.9 within 4.1
        expect SYN !ACK seq=0 after 7.9 within 8.1
        expect SYN !ACK seq=0 after 15.9 within 16.1
        never  SYN for 31
        event  timed out within 2
        send   SYN ACK seq=0 ack=1
        nothing for 100
    """)
    lab.transport.scripted("server").plays("""
        send   SYN seq=0
        expect SYN ACK seq=0 ack=1
        expect SYN ACK seq=0 ack=1 after 0.9 within 1.1
        expect SYN ACK seq=0 ack=1 after 1.9 within 2.1
        send   ACK seq=1 ack=1
        event  connected
        silence for 30
    """)
    lab.transport.scripted("server").plays("""
        send   SYN seq=0
        expect SYN ACK seq=0 ack=1
        expect SYN ACK seq=0 ack=1 after 0.9 within 1.1
        expect SYN ACK seq=0 ack=1 after 1.9 within 2.1
        expect SYN ACK seq=0 ack=1 after 3.9 within 4.1
        expect SYN ACK seq=0 ack=1 after 7.9 within 8.1
        expect SYN ACK seq=0 ack=1 after 15.9 within 16.1
        never  SYN ACK for 31
        event  timed out within 2
        send   ACK seq=1 ack=1
        nothing for 100
    """)


def test_payload_backs_off_and_ends(lab: Scene) -> None:
    lab.transport.scripted("client").plays("""
        open
        app    send 100
        expect bytes 1:101
        expect DATA seq=1 after 0.19 within 1.1
        expect DATA seq=1 after 0.38 within 2.2
        expect DATA seq=1 after 0.76 within 4.4
        expect DATA seq=1 after 1.5 within 8.8
        expect DATA seq=1 after 3 within 17.6
        expect DATA seq=1 after 6 within 35.2
        expect DATA seq=1 after 12 within 60.1
        expect DATA seq=1 after 24 within 60.1
        never  DATA for 40
        event  timed out within 30
        nothing for 100
    """)
    # What was read from the wire stays readable; and a FIN alone is given up like payload, before the peer has ended.
    peer = lab.transport.scripted("client")
    peer.plays("""
        expect SYN !ACK seq=0
        +0.9   send SYN ACK seq=0 ack=1       # a long way: the wait reaches 60 s
        event  connected
        send   ACK seq=1 len=100
        app    send 100
        expect bytes 1:101 within 3.1
        event  timed out within 500
        app    read 1:101
    """)
    doubles(peer)
    lab.transport.scripted("server").plays("""
        open
        app    end
        expect FIN ACK seq=1
        event  timed out within 310
        never  event closed
    """)


def doubles(peer: ScriptedPeer) -> None:
    """The waits between transmissions of the first byte are doubled up to 60 s, and there are 9 of these at most."""
    sent = [seen.at for seen in peer.seen if seen.seq == 1 and seen.seg.payload]
    waits = [after - before for before, after in pairwise(sent)]
    told = ", ".join(f"{wait:.2f}" for wait in waits)
    peer.require(
        all(now >= min(1.8 * before, 59) and now <= 60.2 for before, now in pairwise(waits)),
        "each timeout of a segment doubles the wait, up to 60 s",
        expected="waits that are doubled, up to 60 s",
        seen=f"waits of {told} s",
    )
    peer.require(
        len(sent) <= 9,
        "after 8 retransmissions of a segment comes the end",
        expected="at most 9 transmissions",
        seen=f"{len(sent)}, after waits of {told} s",
    )


def test_talk_is_not_an_answer(lab: Scene) -> None:
    peer = lab.transport.scripted("client")
    peer.plays("""
        open
        app    send 100
        expect bytes 1:101
    """)
    for number in range(500):  # the peer goes on talking, and acknowledges nothing
        peer.plays(f"+1 send ACK seq={1 + number} ack=1 len=1")
        if any(word == "timed out" for _, word in peer.events):
            break
    peer.plays("event timed out")
    doubles(peer)


def test_what_waits_to_be_sent(lab: Scene) -> None:
    for role in ("client", "server"):
        peer = lab.transport.scripted(role)
        if role == "client":
            peer.plays("expect SYN !ACK seq=0")
        peer.plays("app send 65536 takes 65536")  # before it is open
        taken = 65_536
        while taken <= MOST_UNSENT and (more := peer.writes(1 << 20)):
            taken += more
        peer.require(
            taken <= MOST_UNSENT,
            "what waits to be acknowledged is bounded",
            expected=f"at most {MOST_UNSENT:,} bytes",
            seen=f"{taken:,} bytes were taken",
        )
        peer.plays("open" if role == "server" else "send SYN ACK seq=0 ack=1\n event connected")
        peer.plays("""
            expect DATA seq=1
            app    end
            app    send 10 takes 0
            event  send after end
            app    send 10 takes 0
            event  send after end             # each time
        """)


#: An exchange in which nothing is lost: {0} is the number of its first byte, {1} the one after its last.
_CLEAN = """
    app    send 100
    expect bytes {0}:{1} within 1.1
    +0.05  send ACK ack={1}
"""


def _clean_exchanges(first: int, count: int) -> str:
    return "".join(_CLEAN.format(at, at + 100) for at in range(first, first + 100 * count, 100))


def test_the_back_off_ends(lab: Scene) -> None:
    # The rule gives 20 exchanges to go back in; here are 30.
    lost_once = "".join(
        f"""
        app    send 100
        expect DATA seq={at} within 1.1
        expect DATA seq={at} within 61
        +0.05  send ACK ack={at + 100}
        """
        for at in range(101, 501, 100)
    )
    lab.transport.scripted("client").plays(f"""
        open
        app    send 100
        expect bytes 1:101
        expect DATA seq=1 within 1.1
        expect DATA seq=1 within 2.2
        expect DATA seq=1 within 4.4
        expect DATA seq=1 within 8.8
        +0.05  send ACK ack=101
        {lost_once}
        {_clean_exchanges(501, 30)}
        app    send 100
        expect bytes 3501:3601 within 1.1
        expect DATA seq=3501 after 0.19 within 1.1
        send   ACK ack=3601
    """)
    lab.transport.scripted("server").plays(f"""
        send   SYN seq=0
        expect SYN ACK seq=0
        expect SYN ACK seq=0 within 1.1
        expect SYN ACK seq=0 within 2.2
        expect SYN ACK seq=0 within 4.4
        send   ACK seq=1 ack=1
        event  connected
        {_clean_exchanges(1, 30)}
        app    send 100
        expect bytes 3001:3101 within 1.1
        expect DATA seq=3001 after 0.19 within 3.1    # who measures nothing may stay with the 3 s of a repeated SYN
        send   ACK ack=3101
    """)


def test_overlaps_are_delivered_once(lab: Scene) -> None:
    lab.transport.scripted("server").plays("""
        open
        send   ACK seq=1 len=100
        expect ACK ack=101 within 0.2
        app    read 1:101
        send   ACK seq=1 len=100              # all of it again
        expect ACK ack=101
        app    read 100 gives nothing
        send   ACK seq=51 len=100             # a half of it again
        expect ACK ack=151
        app    read 101:151
        send   ACK seq=201 len=100            # a hole
        expect ACK ack=151
        send   ACK seq=101 len=150            # covers the hole, and both its sides
        expect ACK ack>=251
        app    read 151:251
        send   ACK seq=241 len=100
        expect ACK ack=341
        app    read 251:341
    """)


def test_acknowledgements_are_prompt(lab: Scene) -> None:
    lab.transport.scripted("client").plays("""
        open
        send   ACK seq=1 len=1200
        expect ACK ack=1201 within 0.2        # one may be held back
        app    read 1:1201
        send   ACK seq=1201 len=1200
        send   ACK seq=2401 len=1200
        expect ACK ack=3601                   # two may not
        app    read 1201:3601
        send   FIN ACK seq=3601 len=10
        expect ACK ack=3612
        event  end of stream
        app    read 3601:3611
        send   FIN ACK seq=3601 len=10        # our ACK was lost
        expect ACK ack=3612
        send   FIN ACK seq=3611               # the same end, cut otherwise
        expect ACK ack=3612
        app    read 10 gives nothing
    """)


def test_a_fin_alone_and_out_of_order(lab: Scene) -> None:
    lab.transport.scripted("server").plays("""
        open
        send   FIN ACK seq=101                # before its bytes
        expect ACK ack=1
        never  event end of stream
        send   ACK seq=1 len=100
        expect ACK ack>=101 within 0.2        # who keeps nothing sees no gap that is filled
        send   FIN ACK seq=101                # may have been dropped, like a segment before its turn
        expect ACK ack=102
        event  end of stream
        app    read 1:101
        app    send 50
        expect bytes 1:51
    """)


def test_partial_acknowledgements_and_the_same_bytes(lab: Scene) -> None:
    lab.transport.scripted("client").plays("""
        open
        app    send 1200
        expect bytes 1:1201
        +0.1   send ACK ack=601               # the peer took a half
        expect bytes 601:1201 within 3.1
        never  DATA seq<601
        send   ACK ack=1201
        silence for 70
    """)


def test_damage_is_met_with_silence(lab: Scene) -> None:
    lab.transport.scripted("server").plays("""
        open
        send   ACK seq=1 len=100 damaged
        nothing for 3
        send   FIN ACK seq=1 damaged
        nothing for 3
        send   RST seq=1 damaged
        nothing for 3
        send   raw=00
        nothing for 1
        app    read 100 gives nothing
        send   ACK seq=1 len=100
        expect ACK ack=101 within 0.2
        app    read 1:101
    """)


def test_the_timer_is_not_disturbed(lab: Scene) -> None:
    peer = lab.transport.scripted("client")
    peer.plays("""
        open
        app    send 100
        expect bytes 1:101
    """)
    for number in range(12):  # the peer talks on, and acknowledges nothing
        peer.plays(f"+0.15 send ACK seq={1 + 10 * number} ack=1 len=10")
    again = [seen.at for seen in peer.seen if seen.seq == 1 and seen.seg.payload]
    peer.require(
        len(again) > 1 and again[1] <= 1.1,
        "what is not acknowledged is sent again after the RTO, whatever else the peer sends",
        expected="a second time within 1.1 s",
        seen=f"sent at {', '.join(f'{at:.2f}' for at in again)} s",
    )
    peer = lab.transport.scripted("client")
    peer.plays("open\n app send 10")
    for _ in range(12):  # the application goes on writing, and nothing is acknowledged
        peer.plays("+0.15 app send 10")
    again = [seen.at for seen in peer.seen if seen.seq == 1 and seen.seg.payload]
    peer.require(
        len(again) > 1 and again[1] <= 1.1,
        "what is not acknowledged is sent again after the RTO, whatever else is sent",
        expected="a second time within 1.1 s",
        seen=f"sent at {', '.join(f'{at:.2f}' for at in again)} s",
    )
