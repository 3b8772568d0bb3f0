"""The world a submission meets: nodes, programs, an impaired link, and the tester that judges. Public: it travels with
the starters.

Ten rooms; each knows those below it and none above, neighbours do not know each other (`make check`):

    cli          what is typed: `lab check`, `lab link`, `lab sim`, ...
    tester       one job: suites, pytest plugin, the fixture `lab`
    transport | tls     the two protocols: what tests say about them, judges, simulators
    actors       who plays in a test: programs, peers, listeners, clients by the thousand, and the story they tell
    lab          a network with a student's node on it: in Docker, or on this machine
    pictures     packets as ladders, plots and captures
    link | course       the link's pure model | assignment.toml, addresses, forbidden names
    text         what may be printed, lines out of bytes, TOML read with errors that name the line

Above all of them `testing.py`, the one page that tests import; below all of them `errors.py`, whose fault it is. Begin
with `testing.py`, then with `tester/scene.py`.
"""
