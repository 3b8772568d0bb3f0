"""A submission's functions and classes, called from the tester: one line of JSON out, one line back.

`guest.py` runs in the student's node and stands alone there. On this side `remote.py` asks, within bounds, `calls.py`
believes nothing that comes back, `meter.py` takes the time. `player.py` is one instant of a connection, the same for a
submission behind a guest and for the reference in this process (`reference.py`).
"""
