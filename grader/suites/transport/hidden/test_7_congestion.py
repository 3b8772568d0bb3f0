"""Stage 7, hidden: queues of all sizes, long fat links, large streams."""

from harness.testing import Scene


def test_queues(lab: Scene) -> None:
    lab.transport.simulations("a queue of 3 packets", "a queue of 64 packets", "a rate that drops tenfold").complete()


def test_long_and_fat(lab: Scene) -> None:
    lab.transport.simulations("a long fat link", alone=True).keep_pace(0.5)


def test_large_streams(lab: Scene) -> None:
    lab.transport.simulations("8 MB", alone=True).complete()
    lab.transport.simulations("1 MB at 2 % loss").complete(seeds=1)


def test_fair_shares(lab: Scene) -> None:
    lab.transport.sharing().is_fair()
