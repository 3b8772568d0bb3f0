"""What a test about the transport holds: each check runs something, tells it as a story, and raises `Broken`.

It may import all of the transport but `words`. Begin with `simulation.py`; `series.py` is several of them,
`fairness.py` two flows on one bottleneck, `units.py` single functions, `by_hand.py` a peer on a real socket.
"""
