"""Stage 6: losses are found early, and only they are sent again."""

from harness.testing import Scene


def test_one_hole(lab: Scene) -> None:
    lab.transport.simulations("one hole in a window", alone=True).repair()


def test_the_round_trip_grows(lab: Scene) -> None:
    lab.transport.simulations("RTT step from 20 to 400 ms", alone=True).complete()
