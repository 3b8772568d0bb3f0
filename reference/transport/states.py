"""The states of a connection and what leads from one to the other, as data (RFC 9293, section 3.3.2, figure 5). Pure.

Rule: the table is complete. What stands in it happens; what does not is no transition, whatever arrives.
The diagram in the handout is drawn from it.
"""

from __future__ import annotations

import enum


class State(enum.Enum):
    """RFC 9293, section 3.3.2."""

    #: There is no connection, or no longer one.
    CLOSED = "CLOSED"
    #: Waiting for a SYN from any peer.
    LISTEN = "LISTEN"
    #: Waiting for the peer's SYN, after having sent one.
    SYN_SENT = "SYN-SENT"
    #: Waiting for the acknowledgement of our SYN, after both were sent.
    SYN_RECEIVED = "SYN-RECEIVED"
    #: Open: data goes both ways.
    ESTABLISHED = "ESTABLISHED"
    #: We have ended; waiting for the acknowledgement of our FIN, or for the peer's.
    FIN_WAIT_1 = "FIN-WAIT-1"
    #: We have ended, and the peer knows it; it may still send.
    FIN_WAIT_2 = "FIN-WAIT-2"
    #: The peer has ended; we may still send.
    CLOSE_WAIT = "CLOSE-WAIT"
    #: Both have ended at the same time; waiting for the acknowledgement of our FIN.
    CLOSING = "CLOSING"
    #: The peer has ended first; waiting for the acknowledgement of our FIN.
    LAST_ACK = "LAST-ACK"
    #: Both know of both ends; waiting in case the peer repeats its FIN because our last acknowledgement was lost.
    TIME_WAIT = "TIME-WAIT"


class Cause(enum.Enum):
    """What may lead to another state: a call, a segment, or time. Values are the labels of the diagram's arrows."""

    CONNECT = "role client"
    LISTEN = "role server"
    SYN = "SYN"
    SYN_ACK = "SYN with ACK of our SYN"
    ACK_OF_SYN = "ACK of our SYN"
    END = "our FIN is sent"
    FIN = "FIN"
    ACK_OF_FIN = "ACK of our FIN"
    RST = "RST"
    ABORT = "abort()"
    GAVE_UP = "too many retransmissions"
    TIME_IS_UP = "4 s"


TRANSITIONS: dict[tuple[State, Cause], State] = {}
### BEGIN SOLUTION: stage 4: a row for each arrow of the diagram, and for RST, abort() and giving up in every state
TRANSITIONS |= {
    (State.CLOSED, Cause.CONNECT): State.SYN_SENT,
    (State.CLOSED, Cause.LISTEN): State.LISTEN,
    (State.LISTEN, Cause.SYN): State.SYN_RECEIVED,
    (State.SYN_SENT, Cause.SYN): State.SYN_RECEIVED,  # simultaneous open
    (State.SYN_SENT, Cause.SYN_ACK): State.ESTABLISHED,
    (State.SYN_RECEIVED, Cause.ACK_OF_SYN): State.ESTABLISHED,
    (State.ESTABLISHED, Cause.END): State.FIN_WAIT_1,
    (State.ESTABLISHED, Cause.FIN): State.CLOSE_WAIT,
    (State.FIN_WAIT_1, Cause.ACK_OF_FIN): State.FIN_WAIT_2,
    (State.FIN_WAIT_1, Cause.FIN): State.CLOSING,  # simultaneous close
    (State.FIN_WAIT_2, Cause.FIN): State.TIME_WAIT,
    (State.CLOSING, Cause.ACK_OF_FIN): State.TIME_WAIT,
    (State.CLOSE_WAIT, Cause.END): State.LAST_ACK,
    (State.LAST_ACK, Cause.ACK_OF_FIN): State.CLOSED,
    (State.TIME_WAIT, Cause.FIN): State.TIME_WAIT,  # and the time begins again
    (State.TIME_WAIT, Cause.TIME_IS_UP): State.CLOSED,
}
_OPEN = frozenset(State) - {State.CLOSED}
TRANSITIONS |= {(state, Cause.ABORT): State.CLOSED for state in _OPEN}
#: In TIME-WAIT nothing is left to be reset: an RST is ignored there (RFC 1337), and nothing is repeated.
_WORKING = _OPEN - {State.LISTEN, State.TIME_WAIT}
TRANSITIONS |= {(state, cause): State.CLOSED for state in _WORKING for cause in (Cause.RST, Cause.GAVE_UP)}
### END SOLUTION


def follow(state: State, cause: Cause) -> State:
    """The state after `cause`: another one if the table says so, otherwise the same."""
    return TRANSITIONS.get((state, cause), state)
