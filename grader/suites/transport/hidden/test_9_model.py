"""Stage 9, hidden: losses that mean nothing, and a queue that stays short."""

from dataclasses import replace

from harness.testing import App, Change, Profile, Scenario, Scene

RATE, ONE_WAY, PRODUCT = 10_000_000, 0.02, 40


def bottleneck(name: str, *, loss: float = 0.0, queue: int = PRODUCT) -> Scenario:
    """One narrow link. What is lost is lost in front of its queue, from 0.1 s on: a lost SYN would say nothing."""
    link = Profile(delay=ONE_WAY, rate=RATE, limit=queue + 2 * PRODUCT)
    return Scenario(
        name=name,
        why="loss is taken for congestion, or the queue is filled to its end",
        stage=9,
        client=App(sends=3_000_000),
        server=App(ends="heard"),
        to_server=link,
        to_client=Profile(delay=ONE_WAY),
        changes=(Change(at=0.1, to_server=replace(link, loss=loss)),) if loss else (),
        buffers={"server": 1 << 20},
    )


def test_random_loss(lab: Scene) -> None:
    lab.transport.simulations(
        bottleneck("1 % random loss on 10 Mbit/s", loss=0.01),
        bottleneck("5 % random loss on 10 Mbit/s", loss=0.05),
        model=True,
    ).fill(0.8)


def test_a_short_queue(lab: Scene) -> None:
    lab.transport.simulations(bottleneck("a queue of three products", queue=3 * PRODUCT), model=True).fill(
        0.8, queue=2 * ONE_WAY
    )
