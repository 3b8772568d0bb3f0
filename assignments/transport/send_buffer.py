"""The stream to be sent, as positions: SYN 0, bytes 1 to n, FIN n + 1. It is kept until acknowledged. Pure."""

# Stage 3: what was not acknowledged yet has to be kept somewhere.
