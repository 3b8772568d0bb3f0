"""`lab show CONCEPT`: the course's vocabulary as short pages, each with a demonstration that runs when it is read.

`index.py` lists the concepts and the rules they belong to (pure); `telling.py` is how a demonstration speaks and what
a page is (pure); `pages.py` finds one. The demonstrations stand in modules by subject (`connections.py`, `streams.py`,
`endings.py`, `datagrams.py`, `waiting.py`, `many.py`, `delivery.py`, `congestion.py`, `privacy.py`, `identity.py`):
real sockets on loopback, or the link's model in virtual time. `kernel.py` asks the operating system. The notebooks run
the same ones through `notebook.py`. It may import everything below the tester; no submission is run here.
"""
