"""The course's own transport, seen from outside: what is on the wire, what may be there, and simulations of it.

    words        what a test says
    checks       what it gets: simulations, series of them, fairness, unit checks, a peer made by hand
    script       a peer that plays a written script, in virtual time. Pure
    simulation   scenarios, their catalogue, the world they run in, and the fewest misfortunes that fail. Pure
    pictures     a run as a bundle, a ladder, curves, a Wireshark dissector. Pure
    oracle       every packet of a run against the handout's numbered rules. Pure
    calls        a submission's functions and classes, called across the process boundary (docs/guest.md)
    delivered, segments     bytes that arrived in order; the wire format, read independently. Pure

It may import `actors` and what is below, and knows nothing of TLS. Begin with `segments.py`, then
`simulation/scenarios.py`.
"""
