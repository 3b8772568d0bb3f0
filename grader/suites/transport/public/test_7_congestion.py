"""Stage 7: a bottleneck is used and shared."""

from harness.testing import Scene


def test_a_queue_overflows(lab: Scene) -> None:
    lab.transport.simulations("a queue of 64 packets", alone=True).complete()


def test_two_flows_share(lab: Scene) -> None:
    lab.transport.sharing().is_fair()
