"""What an arriving segment means: RFC 9293, section 3.10.7, "SEGMENT ARRIVES", with the checks of RFC 5961. Pure.

Rule 1: the steps are in the RFC's order, and the order matters: first where a segment lies, then RST, SYN, ACK,
bytes, FIN. What fails at a step never reaches the next one.
Rule 2: numbers on the wire become positions here, which count from 0 and never wrap (sequence.py); nothing else sees
another number.
Rule 3: which state follows is looked up (states.py), not decided.
"""

# Stage 4: what a segment means, state by state, is yours to write, here or where it suits you.
