"""A model of the path instead of a reaction to losses: a controller after BBR. Pure.

After Cardwell, Cheng, Gunn, Yeganeh, Jacobson, "BBR: Congestion-Based Congestion Control", ACM Queue 14(5), 2016, and
draft-cardwell-iccrg-bbr-congestion-control-00 (July 2017), whose sections stand beside the lines as "4.1.2".

Rule 1: two numbers describe a path: how many bytes a second come through (BtlBw, the largest delivery rate of the last
ten round trips) and how long the way is without a queue (RTprop, the shortest round trip of the last ten seconds).
Rule 2: what is sent is paced at BtlBw, so no queue grows; BtlBw * RTprop (BDP) is what has to be under way.
Rule 3: they cannot be measured at the same time: more than the BDP has to be under way to see BtlBw grow, less to see
RTprop. So it probes in turns:

    STARTUP    twice as fast in each round trip, until three of them have brought no quarter more
    DRAIN      as much slower, until the queue is gone that this has made
    PROBE_BW   again and again: a round trip a quarter faster, one a quarter slower, six even ones
    PROBE_RTT  if ten seconds have shown no round trip as short: 0.2 s with four segments
"""

# Stage 9: a model of the path is for the extension only.
