"""Who plays in a test, each told as a story: the submission's programs, and the tester's peers, listeners and clients.

Rules for all of them: bytes are believed and nothing else; every wait has a bound; what the submission does wrong is
`Broken`, what the lab does is `LabError`. They may import `lab` and what is below. Begin with `story.py`, `program.py`
and `peer.py`; `cast.py` makes them, `clients.py` are many at once (`load/`) and `misbehaving.py` those nobody wants,
`measure.py` is what the kernel says.
"""
