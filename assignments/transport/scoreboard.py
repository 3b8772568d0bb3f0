"""What is under way: every segment sent and not acknowledged, and what happened to it, as far as we know. Pure.

Rule 1: this keeps the books: it knows neither when to send nor how much. Positions are plain integers (sequence.py).
Rule 2: what only selective acknowledgements say is a hint: the peer may take it back (RFC 2018, section 8), so nothing
is thrown away before the cumulative acknowledgement covers it, and a timeout forgets all hints.
Rule 3: an acknowledgement costs as much as it tells. Nothing here walks over all that is under way.
"""

# Stages 5 and 6: the books of what is under way are yours to keep.
