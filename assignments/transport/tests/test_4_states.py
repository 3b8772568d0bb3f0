"""Stage 4: the connection. A script plays the peer; its numbers count from the SYNs, 1 is the first byte."""

from harness.testing import Scene


def test_opening(lab: Scene) -> None:
    lab.transport.scripted("client").plays("""
        expect SYN !ACK seq=0
        send   SYN ACK seq=0 ack=1
        expect ACK seq=1 ack=1
        event  connected
        app    send 100
        expect DATA seq=1 len=100
    """)
    lab.transport.scripted("server").plays("""
        nothing for 5
        send   SYN seq=0
        expect SYN ACK seq=0 ack=1
        send   ACK seq=1 ack=1
        event  connected
        send   ACK seq=1 len=100
        expect ACK ack=101 within 0.2
        app    read 1:101
    """)


def test_half_close(lab: Scene) -> None:
    lab.transport.scripted("client").plays("""
        open
        app    end
        expect FIN ACK seq=1
        send   ACK seq=1 ack=2                  # who has ended still reads, for as long as the peer likes
        +60    send ACK seq=1 ack=2 len=1000
        expect ACK seq=2 ack=1001 within 0.2
        app    read 1:1001
        send   FIN ACK seq=1001 ack=2
        expect ACK seq=2 ack=1002
        event  end of stream
        never  event closed for 3.9             # TIME-WAIT
        event  closed within 0.2
    """)
    lab.transport.scripted("server").plays("""
        open
        send   FIN ACK seq=1 ack=1
        expect ACK ack=2
        event  end of stream
        +60    app send 1000                    # who has read the end still sends
        expect bytes 1:1001
        send   ACK seq=2 ack=1001
        app    end
        expect FIN ACK seq=1001 ack=2
        send   ACK seq=2 ack=1002
        event  closed
    """)


def test_a_reset_and_a_challenge(lab: Scene) -> None:
    lab.transport.scripted("client").plays("""
        open
        send   RST seq=2                        # in the window, but not the next number
        expect ACK seq=1 ack=1
        never  event reset
        send   RST seq=1
        event  reset
        nothing for 10
    """)


def test_simultaneous_close(lab: Scene) -> None:
    lab.transport.scripted("client").plays("""
        open
        app    end
        expect FIN ACK seq=1 ack=1
        send   FIN ACK seq=1 ack=1              # it has not seen ours
        expect ACK seq=2 ack=2
        event  end of stream
        send   ACK seq=2 ack=2
        never  event closed for 3.9
        event  closed within 0.2
    """)


def test_endings_over_a_link(lab: Scene) -> None:
    lab.transport.simulations("half-close", "both close at once", "last ACK lost", alone=True).complete()
