"""Stage 9, the extension: a controller that measures the path does not take every loss for a full queue."""

from harness.testing import App, Profile, Scenario, Scene

#: 10 Mbit/s, 40 ms: 50,000 bytes are one bandwidth-delay product, 40 packets of 1,262 bytes.
RATE, ONE_WAY, PRODUCT = 10_000_000, 0.02, 40


def test_a_clean_bottleneck(lab: Scene) -> None:
    clean = Scenario(
        name="10 Mbit/s, 40 ms, a deep queue",
        why="the queue is filled to its end, or the link is left empty",
        stage=9,
        client=App(sends=2_000_000),
        server=App(ends="heard"),
        to_server=Profile(delay=ONE_WAY, rate=RATE, limit=5 * PRODUCT),
        to_client=Profile(delay=ONE_WAY),
        buffers={"server": 1 << 20},
    )
    lab.transport.simulations(clean, alone=True, model=True).fill(0.8, queue=2 * ONE_WAY)
