"""Stage 4, hidden: what holds in every state, tried in each of them; and what is left of a connection that is over."""

from typing import Literal, NamedTuple

from harness.testing import Scene, ScriptedPeer


class Way(NamedTuple):
    """How a state is reached by hand."""

    role: Literal["client", "server"]
    script: str
    own: int  #: the student's next number
    peer: int  #: the tester's
    reads: bool  #: the tester has not ended: whatever lies in its window still counts


WAYS = {
    "SYN-RECEIVED": Way("server", "send SYN seq=0\n expect SYN ACK seq=0 ack=1", 1, 1, True),
    "ESTABLISHED": Way("client", "open", 1, 1, True),
    "FIN-WAIT-1": Way("server", "open\n app end\n expect FIN ACK seq=1", 2, 1, True),
    "FIN-WAIT-2": Way("client", "open\n app end\n expect FIN ACK seq=1\n send ACK seq=1 ack=2", 2, 1, True),
    "CLOSE-WAIT": Way("client", "open\n send FIN ACK seq=1 ack=1\n expect ACK ack=2", 1, 2, False),
    "CLOSING": Way(
        "client",
        "open\n app end\n expect FIN ACK seq=1\n send FIN ACK seq=1 ack=1\n expect ACK seq=2 ack=2",
        2,
        2,
        False,
    ),
    "LAST-ACK": Way(
        "server",
        "open\n send FIN ACK seq=1 ack=1\n expect ACK ack=2\n app end\n expect FIN ACK seq=1 ack=2",
        2,
        2,
        False,
    ),
}
TIME_WAIT = """
    open
    app    end
    expect FIN ACK seq=1
    send   ACK seq=1 ack=2
    send   ACK seq=1 ack=2 len=10
    expect ACK seq=2 ack=11 within 0.2
    send   FIN ACK seq=11 ack=2
    expect ACK seq=2 ack=12
    event  end of stream
"""


def reaches(lab: Scene, state: str) -> ScriptedPeer:
    """A connection in that state."""
    way = WAYS[state]
    lab.says(f"in {state}")
    peer = lab.transport.scripted(way.role)
    peer.plays(way.script)
    return peer


def test_each_state(lab: Scene) -> None:
    for state, way in WAYS.items():
        peer = reaches(lab, state)
        if way.reads:
            peer.plays(f"""
                send   RST seq={way.peer + 1}       # in the window, and not the next number
                expect ANY ack={way.peer}
            """)
        if state != "SYN-RECEIVED":
            peer.plays(f"""
                send   SYN seq={way.peer + 3}
                expect ACK seq={way.own} ack={way.peer}
                send   ACK seq={way.peer} ack={way.own + 5000}
                expect ACK seq={way.own} ack={way.peer}
            """)
        peer.plays(f"""
            never  RST
            never  event reset
            never  event closed
            send   RST seq={way.peer}
            event  reset
            send   SYN seq=0
            nothing for 30
        """)


def test_abort_in_each_state(lab: Scene) -> None:
    for state in ("SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT"):
        way = WAYS[state]
        peer = reaches(lab, state)
        peer.plays(f"""
            app    abort
            expect RST ACK seq={way.own}
            nothing for 70
            send   ACK seq={way.peer} ack={way.own}
            expect RST seq={way.own}
        """)
        told = [word for _, word in peer.events if word in ("reset", "closed", "timed out")]
        peer.require(not told, "abort gives no event", expected="none", seen=", ".join(told))


def test_time_wait(lab: Scene) -> None:
    lab.says("in TIME-WAIT")
    lab.transport.scripted("client").plays(f"""
        {TIME_WAIT}
        +1     send RST seq=12                # may end it, or not
        never  event reset
        event  closed within 3.2
        never  event reset
        app    read 1:11                      # what came in order stays readable
    """)
    lab.transport.scripted("server").plays(f"""
        {TIME_WAIT}
        +1     send SYN seq=15
        expect ACK seq=2 ack=12
        +2     send ACK seq=1 ack=2 len=10    # old bytes, and not the FIN: the 4 s go on
        expect ACK seq=2 ack=12
        never  event closed for 0.9
        event  closed within 0.3
    """)


def test_syns_that_bring_more(lab: Scene) -> None:
    lab.says("payload and FIN on a SYN are ignored")
    lab.transport.scripted("server").plays("""
        send   SYN RST seq=0
        nothing for 2
        send   SYN FIN seq=0 len=20
        expect SYN ACK seq=0 ack=1
        send   ACK seq=1 ack=1
        event  connected
        never  event end of stream
        never  ANY ack>1 for 1
        app    read 100 gives nothing
    """)
    lab.transport.scripted("client").plays("""
        expect SYN !ACK seq=0
        send   ACK seq=1 ack=1                # the ACK of the SYN, and no SYN
        never  event connected
        send   SYN FIN ACK seq=0 ack=1 len=20
        expect ACK seq=1 ack=1
        event  connected
        never  event end of stream
        never  ANY ack>1 for 1
        app    read 100 gives nothing
        send   SYN ACK seq=0 ack=1            # again: the ACK was lost
        expect ACK seq=1 ack=1
        send   ACK seq=1 ack=1 len=20
        expect ACK ack=21 within 0.2
        app    read 1:21
    """)
    peer = lab.transport.scripted("client")
    peer.plays("open\n send SYN ACK seq=0 ack=1\n send SYN ACK seq=0 ack=1\n expect ACK seq=1 ack=1")
    told = [word for _, word in peer.events]
    peer.require(told.count("connected") == 1, "that it is open is told once", seen=str(told))
    _other_syns(lab)


def _other_syns(lab: Scene) -> None:
    lab.says("another SYN than the peer's, in SYN-RECEIVED")
    for sequence in (5, -50_000):
        reaches(lab, "SYN-RECEIVED").plays(f"""
            send   SYN seq={sequence}
            expect ANY ack=1
            never  RST
            send   ACK seq=1 ack=1
            event  connected
        """)
    lab.says("a simultaneous open, and nobody answers")
    lab.transport.scripted("client").plays("""
        expect SYN !ACK seq=0
        send   SYN seq=0
        expect SYN ACK seq=0 ack=1
        expect SYN ACK seq=0 ack=1 within 2.1
        never  SYN !ACK
        send   ACK seq=1 ack=1
        event  connected
    """)
