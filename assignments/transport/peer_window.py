"""The window that the peer offers: how far we may send, and how to ask when it is closed. Pure.

Rule: a window is an edge: the first position that the peer has no room for. It should never move back (RFC 9293,
section 3.8.6), and we tolerate it if it does.
"""

# Stage 5: the peer's window is yours to watch.
