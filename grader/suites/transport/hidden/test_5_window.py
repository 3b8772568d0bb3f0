"""Stage 5, hidden: windows that are far, closed, tiny, or told of by a segment that is lost."""

from harness.testing import Scene


def test_a_full_pipe(lab: Scene) -> None:
    lab.transport.simulations("a window's worth under way", "750 ms links").keep_pace(0.5)


def test_readers_that_sleep(lab: Scene) -> None:
    lab.transport.simulations("a reader that sleeps", "a reader that sleeps a minute", "both read slowly").complete()


def test_lost_updates(lab: Scene) -> None:
    lab.transport.simulations("window update lost").complete()


def test_small_windows(lab: Scene) -> None:
    lab.transport.simulations("tiny windows", "a window of one byte", "a slow reader").complete()


def test_the_fin_waits(lab: Scene) -> None:
    lab.transport.simulations("the FIN waits for the window").complete()
