"""A run of two connections in virtual time, and the catalogue of what happens to them. Pure.

`scenarios.py` says what a scenario is, `catalogue.py` lists those that are graded by name, `world.py` runs one.
`tamper.py` loses exactly the segment that is meant, `shrink.py` reduces a failure to the fewest misfortunes,
`k_of_n.py` says how many of n seeds have to pass. It may import the oracle, `calls/player.py` and the link.
"""
