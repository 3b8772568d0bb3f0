"""Stage 4, hidden: endings over a link, against the reference in either role."""

from harness.scene import Scene


def test_endings(lab: Scene) -> None:
    lab.simulations(
        "half-close",
        "both close at once",
        "last ACK lost",
        "a segment replayed 1.5 s late",
        "the application aborts",
    ).complete()


def test_everything_at_once(lab: Scene) -> None:
    lab.simulations("everything at once").complete(seeds=4)
