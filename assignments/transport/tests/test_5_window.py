"""Stage 5: many segments under way, and a receiver that says how many."""

from harness.testing import Scene


def test_several_segments_under_way(lab: Scene) -> None:
    lab.transport.simulations("a window's worth under way", alone=True).complete()


def test_a_reader_that_sleeps(lab: Scene) -> None:
    lab.transport.simulations("a reader that sleeps", alone=True).complete()


def test_a_lost_window_update(lab: Scene) -> None:
    lab.transport.simulations("window update lost", alone=True).complete()


def test_tiny_windows(lab: Scene) -> None:
    lab.transport.simulations("tiny windows", alone=True).complete()
