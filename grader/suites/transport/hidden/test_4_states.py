"""Stage 4, hidden: the state table row by row, each as a script of the peer."""

from harness.testing import Scene

#: The last initial sequence number there is, so that the first byte has 0.
LAST = 0xFFFF_FFFF


def test_listen(lab: Scene) -> None:
    lab.transport.scripted("server", isn=LAST).plays("""
        send   RST seq=1
        nothing
        send   RST ACK seq=1 ack=300
        nothing
        send   FIN seq=1
        nothing
        send   ACK seq=77 ack=500
        expect RST seq=500
        send   SYN ACK seq=0 ack=1
        expect RST seq=1
        send   SYN seq=0 damaged
        nothing for 3
        send   SYN seq=0 len=20               # payload on a SYN is ignored
        expect SYN ACK seq=0 ack=1
        send   ACK seq=1 ack=1
        event  connected
        app    read 100 gives nothing
    """)


def test_syn_sent(lab: Scene) -> None:
    for isn in (7000, LAST):
        lab.transport.scripted("client", isn=isn).plays("""
            expect SYN !ACK seq=0
            send   ACK seq=300 ack=50
            expect RST seq=50
            send   SYN ACK seq=0 ack=2
            expect RST seq=2
            send   SYN ACK seq=0 ack=0
            expect RST seq=0
            send   RST seq=0
            nothing
            send   RST ACK seq=0 ack=2
            nothing
            send   FIN seq=1
            nothing
            never  event reset
            send   SYN ACK seq=0 ack=1
            expect ACK seq=1 ack=1
            event  connected
            app    send 10
            expect DATA seq=1 len=10
        """)


def test_a_refused_syn(lab: Scene) -> None:
    lab.transport.scripted("client").plays("""
        expect SYN !ACK seq=0
        send   RST ACK seq=0 ack=1
        event  reset
        send   SYN ACK seq=0 ack=1
        nothing for 100
    """)


def test_simultaneous_open(lab: Scene) -> None:
    for isn in (7000, LAST):
        lab.transport.scripted("client", isn=isn, peer_isn=LAST).plays("""
            expect SYN !ACK seq=0
            send   SYN seq=0
            expect SYN ACK seq=0 ack=1
            send   SYN ACK seq=0 ack=1
            event  connected
            send   ACK seq=1 ack=1 len=10
            expect ACK ack=11 within 0.2
            app    read 1:11
            app    send 10
            expect DATA seq=1 ack=11
        """)


def test_syn_received(lab: Scene) -> None:
    peer = lab.transport.scripted("server")
    peer.plays("""
        send   SYN seq=0
        expect SYN ACK seq=0 ack=1
        send   SYN seq=0                      # it did not hear the answer
        expect ANY ack=1                      # SYN ACK again, or an ACK
        never  RST
        send   ACK seq=1 ack=40
        expect RST seq=40
        never  event connected
        send   ACK seq=1 ack=1 len=10         # what else it carries counts too
        event  connected
        expect ACK ack=11 within 0.2
        app    read 1:11
    """)
    lab.transport.scripted("server").plays("""
        send   SYN seq=0
        expect SYN ACK seq=0 ack=1
        send   FIN ACK seq=1 ack=1 len=5
        event  connected
        expect ACK ack=7
        event  end of stream
        app    read 1:6
    """)
    lab.transport.scripted("server").plays("""
        send   SYN seq=0
        expect SYN ACK seq=0 ack=1
        send   RST seq=1
        event  reset
        nothing for 100
    """)


def test_resets(lab: Scene) -> None:
    lab.transport.scripted("client", peer_isn=LAST).plays("""
        open
        send   ACK seq=1 len=10
        expect ACK ack=11 within 0.2
        send   RST seq=70000                  # beyond the window
        nothing
        send   RST seq=10                     # before it
        nothing
        send   RST ACK seq=500
        expect ACK seq=1 ack=11
        never  event reset
        app    send 10
        expect DATA seq=1 ack=11
        send   RST ACK seq=11 ack=1
        event  reset
        nothing for 30                        # over: nothing is repeated
        app    read 1:11                      # what came in order stays readable
        send   ACK seq=11 ack=11 len=10
        nothing
    """)


def test_resets_in_other_states(lab: Scene) -> None:
    lab.transport.scripted("client").plays("""
        open
        app    end
        expect FIN ACK seq=1
        send   RST seq=3
        expect ACK seq=2 ack=1
        send   RST seq=1
        event  reset
        nothing for 30
    """)
    lab.transport.scripted("server").plays("""
        open
        send   FIN ACK seq=1 ack=1
        expect ACK ack=2
        app    end
        expect FIN ACK seq=1 ack=2
        send   RST seq=2
        event  reset
        nothing for 30
    """)


def test_stale_syns(lab: Scene) -> None:
    for role in ("client", "server"):
        peer = lab.transport.scripted(role)
        peer.plays("""
            open
            send   SYN seq=0
            expect ACK seq=1 ack=1
            never  RST
            send   SYN ACK seq=0 ack=1
            expect ACK seq=1 ack=1
            never  RST
            send   SYN seq=5                  # in the window
            expect ACK seq=1 ack=1
            never  RST
            send   SYN seq=-100000            # of another connection, long ago
            expect ACK seq=1 ack=1
            never  RST
            send   ACK seq=1 ack=1 len=10
            expect ACK ack=11 within 0.2
            app    read 1:11
        """)


def test_segments_that_are_not_acceptable(lab: Scene) -> None:
    lab.transport.scripted("server", peer_isn=LAST - 5).plays("""
        open
        send   ACK seq=1 ack=1 len=100
        expect ACK ack=101 within 0.2
        app    read 1:101
        send   ACK seq=1 ack=1 len=100        # the same again
        expect ACK seq=1 ack=101
        send   ACK seq=50 ack=1               # empty, and of the past
        expect ACK seq=1 ack=101
        send   ACK seq=-90000 ack=1 len=7
        expect ACK seq=1 ack=101
        send   ACK seq=80000 ack=1 len=7      # beyond the window
        expect ACK seq=1 ack=101
        send   ACK seq=90000 ack=1
        expect ACK seq=1 ack=101
        send   FIN ACK seq=80000 ack=1
        expect ACK seq=1 ack=101
        send   seq=101 len=7                  # no ACK: dropped
        app    read 100 gives nothing
        never  event end of stream
        send   ACK seq=51 ack=1 len=100       # one half of it is new
        expect ACK ack=151 within 0.2
        app    read 101:151
    """)


def test_impossible_acknowledgements(lab: Scene) -> None:
    lab.transport.scripted("client", isn=LAST - 3).plays("""
        open
        send   ACK seq=1 ack=5000
        expect ACK seq=1 ack=1
        send   ACK seq=1 ack=2 len=10
        expect ACK seq=1 ack=1
        app    read 10 gives nothing
        app    send 100
        expect DATA seq=1
        send   ACK seq=1 ack=102
        expect ACK seq=101 ack=1
        expect DATA seq=1 within 1.1          # it is not acknowledged
        send   ACK seq=1 ack=101
        send   ACK seq=1 ack=1                # acknowledges nothing
        silence for 70
    """)


def test_abort(lab: Scene) -> None:
    lab.transport.scripted("client").plays("""
        open
        app    send 100
        expect bytes 1:101
        app    abort
        expect RST ACK seq=101
        nothing for 70
        send   ACK seq=1 ack=101 len=5        # the first was lost
        expect RST seq=101
        send   FIN ACK seq=1 ack=1
        expect RST seq=1
        send   RST ACK seq=1 ack=101
        nothing for 70
        app    read 100 gives nothing
        app    send 10 takes 0
        event  send after end
    """)
    lab.transport.scripted("server").plays("""
        send   SYN seq=0
        expect SYN ACK seq=0 ack=1
        app    abort
        expect RST ACK seq=1
        nothing for 70
    """)
    for role in ("client", "server"):
        lab.transport.scripted(role).plays("""
            app    abort
            nothing for 100
        """)
    # The control: without abort() there would be something to hear.
    lab.transport.scripted("client").plays("""
        expect SYN
        expect SYN within 1.1
    """)


def test_segments_of_the_past(lab: Scene) -> None:
    lab.transport.scripted("server", isn=LAST - 500, peer_isn=LAST - 1500).plays("""
        open
        send   ACK seq=1 ack=1 len=1000
        expect ACK ack=1001 within 0.2
        app    read 1:1001
        app    send 600
        expect bytes 1:601
        send   ACK seq=1001 ack=601 len=1000
        expect ACK seq=601 ack=2001 within 0.2
        app    read 1001:2001
        +50    send ACK seq=1 ack=1 len=1000  # a minute old
        expect ACK seq=601 ack=2001
        send   SYN seq=0
        expect ACK seq=601 ack=2001
        send   ACK seq=1001 ack=1
        expect ACK seq=601 ack=2001
        send   RST seq=1001
        nothing
        send   FIN ACK seq=500 ack=1
        expect ACK seq=601 ack=2001
        app    read 10 gives nothing
        never  event end of stream
        app    send 10
        expect DATA seq=601 len=10 ack=2001
    """)
