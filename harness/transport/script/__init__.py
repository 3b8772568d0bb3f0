"""A peer that sends this segment and expects that one, in virtual time. Pure; docs/script.md is for its users.

`text.py` reads a script, `conversation.py` steps the connection and hears it, `peer.py` is both, `run.py` runs one
line.
"""
