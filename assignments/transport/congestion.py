"""How much may be under way: the policy of congestion control. Pure.

Rule 1: the sender decides *what* is sent and finds out *what* is lost (sender.py, scoreboard.py). A controller decides
*how much*: it answers `window` and `pacing_rate`, and learns everything by the calls below. Neither reads the other.
Rule 2: it counts bytes of sequence numbers, takes time in seconds, and keeps its own state between calls.
Rule 3: `window` bounds the bytes under way: sent, and neither acknowledged nor taken for lost (the "Pipe" of RFC 6675).
So nothing here inflates a window by duplicate acknowledgements: the sender takes what they tell out of the pipe.

NewReno after RFC 5681 and 6582, which is the teaching controller:

    slow start            window < ssthresh: each acknowledged byte adds a byte; it doubles in a round trip
    congestion avoidance  otherwise: each window of acknowledged bytes adds one segment
    fast recovery         duplicate acknowledgements tell of a loss: half the window, until all is repaired
    after a timeout       one segment, and slow start up to half of what was under way
"""

# Stage 7: a congestion window is yours to write.
