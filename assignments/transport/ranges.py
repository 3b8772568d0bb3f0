"""A set of positions kept as ranges [start, end): what has arrived, or what the peer says has arrived. Pure.

Rule: ranges are sorted, not empty, and neither overlap nor touch, so there are only as many as there are islands.
"""

# Stages 2 and 6: a set of ranges serves both; whether you want one is up to you.
