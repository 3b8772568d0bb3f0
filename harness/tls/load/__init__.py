"""Many TLS connections at once: `load.py` drives them, `sockets.py` are theirs, `backend.py` stands behind the pipe.

It may import the rest of `harness.tls` but the words, and `actors.load`, whose measures and judgements it uses.
"""
