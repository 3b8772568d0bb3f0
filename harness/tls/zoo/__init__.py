"""Certificates made anew for each run, each wrong for one reason only; `zoo.py` is the door.

The tables are `names.py` (whose certificate is it?), `chains.py` (is it to be believed?) and `clients.py`; `drafts.py`
is what they are written with, `certificates.py` signs anything.
"""
