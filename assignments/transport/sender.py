"""The sending half of a connection: a sliding window over a stream, and a timer for what is not answered. Pure.

Rule 1: the stream is SYN, bytes, FIN, and each takes one position from 0 on: one mechanism sends and repeats them all.
Rule 2: what is sent the first time lies below the right edge of the peer's window (RFC 9293, section 3.8.6). The only
exception is one byte that asks whether a closed window is still closed.
Rule 3: time is told by the calls that transmit, hear or wait; the application's calls take none.

    una ----- acknowledged up to here          edge ----- the peer has room up to here
     |  under way (scoreboard.py)  |  may be sent  |  has to wait  |
                                  nxt ----- sent up to here        end of the buffer
"""

# Stages 3 and 5: the sending half is yours to write; this is how the course's own is divided.
