"""When is something lost? Fast retransmit and fast recovery (RFC 5681, 6582, 6675). Pure.

Rule 1: a loss is seen in two ways: later segments arrive, which acknowledgements tell (recovery); or nothing comes
until the timer runs out (timeout). What happens to the window is the controller's business (congestion.py).
Rule 2: a peer that sends blocks is believed by its blocks (RFC 6675); one that does not, by counting duplicate
acknowledgements (RFC 5681 and 6582). The difference is in what a duplicate acknowledgement is, and in nothing behind.
Rule 3: recovery is one event, however many segments it has to repair: it lasts until all is acknowledged that was under
way when it began (`point`), and the controller is told once.
"""

# Stage 6: fast retransmission is yours to write.
