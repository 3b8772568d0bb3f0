"""Is a repetition lost, too? Told by what was sent later and has arrived, after RACK (RFC 8985). Pure.

Rule 1: RFC 6675 judges each segment once, by what stands above it in the stream. A repetition was sent later than much
that stands above it, so that says nothing about it, and if it is lost as well, only the timer is left.
Rule 2: so transmissions are put in the order of time (section 3.1 of RFC 8985): what was sent before something that has
arrived, and did not arrive, is lost, if it is before by more than packets change places.
"""

# Stage 6: better than the rules ask for; leave it out, if you like.
