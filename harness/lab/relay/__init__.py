"""The link on loopback, without privilege: sockets in the middle that delay, lose and cut what passes.

`loop.py` is the door and `core.py` the clockwork; `udp.py`, `tcp.py` and `stream.py` are what passes, `mangle.py` how
bytes of a stream are cut.
"""
