"""The receiving half of a connection: bytes into order, a bounded buffer, and when to acknowledge. Pure.

Rule 1: everything below `nxt` has arrived, is acknowledged, and is never taken back.
Rule 2: the right edge of the window never moves to the left (RFC 9293, section 3.8.6.2.2), so no byte that was invited
is turned away for want of room: what waits for the application and what waits for its turn fit in together.
Rule 3: an acknowledgement is owed at once when it is news to the sender (a hole, a filled hole, a repetition, the end),
and with every second segment otherwise, or after 0.2 s (RFC 9293, section 3.8.6.3; RFC 5681, section 4.2).
"""

# Stages 3 and 5: the receiving half is yours to write.
