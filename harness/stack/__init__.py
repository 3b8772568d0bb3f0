"""Everything composed: a client and a server, TLS between them, and the transport below it. `lab.stack` in a test.

A stack is made of pieces, at each layer the submission's or the reference's. The submission's run in its two nodes, the
reference's with the tester, and bridges that the tester holds join the two worlds: no piece of a submission reaches one
of the reference, or the other node, by anything but the connection it was told to make. May import transport, tls,
actors, lab. Begin with `words.py`.
"""
