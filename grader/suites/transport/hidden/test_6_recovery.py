"""Stage 6, hidden: holes and round trips, in either role."""

from harness.testing import Scene


def test_holes(lab: Scene) -> None:
    lab.transport.simulations("one hole in a window", "two holes in a window", "a hole, and another one later").repair()


def test_the_timeout_follows(lab: Scene) -> None:
    lab.transport.simulations("RTT step from 20 to 400 ms", "a 2 s blackhole").complete()
