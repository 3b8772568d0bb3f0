"""The retransmission timer: when it runs, and how often in vain (RFC 6298, section 5). Pure."""

# Stage 3: the timer is yours to write.
