"""Stage 4, hidden: endings, by hand and over a link, against the reference in either role."""

from harness.testing import Scene

#: The last initial sequence number there is, so that the first byte has 0.
LAST = 0xFFFF_FFFF


def test_endings(lab: Scene) -> None:
    lab.transport.simulations(
        "half-close", "both close at once", "last ACK lost", "a segment replayed 1.5 s late", "the application aborts"
    ).complete()


def test_everything_at_once(lab: Scene) -> None:
    lab.transport.simulations("everything at once").complete(seeds=4)


def test_closing_first(lab: Scene) -> None:
    lab.transport.scripted("client").plays("""
        open
        app    send 100
        expect bytes 1:101
        send   ACK seq=1 ack=101
        app    end
        expect FIN ACK seq=101
        send   FIN ACK seq=1 ack=102
        expect ACK seq=102 ack=2
        event  end of stream
        +3     send FIN ACK seq=1 ack=102     # our ACK was lost
        expect ACK seq=102 ack=2
        never  event closed for 3.9           # TIME-WAIT began again
        event  closed within 0.2
        send   FIN ACK seq=1 ack=102
        nothing for 10
    """)


def test_closing_second(lab: Scene) -> None:
    lab.transport.scripted("server").plays("""
        open
        send   FIN ACK seq=1 ack=1
        expect ACK seq=1 ack=2
        event  end of stream
        app    end
        expect FIN ACK seq=1 ack=2
        expect FIN ACK seq=1 ack=2 after 0.19 within 1.1      # nobody has heard it
        send   FIN ACK seq=1 ack=1            # nor our ACK
        expect ACK ack=2
        never  event closed
        send   ACK seq=2 ack=2
        event  closed
        nothing for 70
    """)


def test_giving_up_in_last_ack(lab: Scene) -> None:
    lab.transport.scripted("client").plays("""
        open
        app    send 100
        expect bytes 1:101
        send   FIN ACK seq=1 ack=101
        expect ACK ack=2
        app    end
        expect FIN ACK seq=101 ack=2
        event  closed within 310
        never  event timed out
        silence for 100
    """)


def test_fins_that_cross(lab: Scene) -> None:
    lab.transport.scripted("server", isn=LAST).plays("""
        open
        app    end
        expect FIN ACK seq=1 ack=1
        send   FIN ACK seq=1 ack=1
        expect ACK seq=2 ack=2
        event  end of stream
        expect FIN ACK seq=1 ack=2 after 0.19 within 1.1      # CLOSING: not acknowledged yet
        never  event closed
        send   ACK seq=2 ack=2
        never  event closed for 2.5
        event  closed within 2
    """)


def test_half_open_for_long(lab: Scene) -> None:
    lab.transport.scripted("server").plays("""
        open
        app    end
        expect FIN ACK seq=1
        app    send 10 takes 0
        event  send after end
        app    end                            # once more changes nothing
        never  DATA
        send   ACK seq=1 ack=2
        +100   send ACK seq=1 ack=2 len=1200
        expect ACK seq=2 ack=1201 within 0.2
        send   FIN ACK seq=1201 ack=2 len=5
        expect ACK seq=2 ack=1207
        event  end of stream
        app    read 1:1206                    # what was not read is kept
        event  closed within 4.2
    """)


def test_the_end_of_the_stream(lab: Scene) -> None:
    peer = lab.transport.scripted("client")
    peer.plays("""
        open
        send   FIN ACK seq=11 ack=1           # the bytes before it are missing
        expect ACK ack=1
        never  event end of stream
        send   ACK seq=1 ack=1 len=10
        expect ACK ack>=11 within 0.2
        send   FIN ACK seq=11 ack=1           # who keeps nothing out of order needs it again
        expect ACK ack=12
        event  end of stream
        send   FIN ACK seq=11 ack=1
        expect ACK ack=12
        send   ACK seq=12 ack=1 len=10        # nothing comes behind a FIN
        app    read 1:11
        app    read 10 gives nothing
        never  ANY ack>12 for 1
    """)
    told = [word for _, word in peer.events]
    peer.require(told.count("end of stream") == 1, "the end of the stream is told once", seen=str(told))
