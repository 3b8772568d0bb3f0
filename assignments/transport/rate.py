"""How fast bytes are delivered: delivery-rate sampling after draft-cheng-iccrg-delivery-rate-estimation-02. Pure.

Rule 1: a sample is bytes over seconds: what was delivered between the sending of a segment and its acknowledgement. If
the sender kept the narrowest link busy in between, that is the link's rate.
Rule 2: of the two intervals, between sendings and between acknowledgements, the longer one counts: acknowledgements
that come in a bunch do not make a link faster, nor does a burst that was sent (section 3.2 of the draft).
"""

# Stage 9: measuring what the path delivers is for the extension only.
