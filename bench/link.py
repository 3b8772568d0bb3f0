"""How many packets a second the pure link takes, by profile; and the generator alone."""

from __future__ import annotations

import time

from harness.link.model import Link, taus113
from harness.link.named import load_profiles
from harness.link.profile import Profile

COUNT = 100_000
APART = 100_000  # nanoseconds: 10,000 packets a second of the link's own time


def rate_of(profile: Profile) -> float:
    """Packets a second, the best of three."""
    packet, best = bytes(1200), 0.0
    for _ in range(3):
        transmit = Link(profile, seed=1).transmit
        start = time.perf_counter()
        for now in range(0, COUNT * APART, APART):
            transmit(packet, now=now)
        best = max(best, COUNT / (time.perf_counter() - start))
    return best


def main() -> None:
    draw = taus113(1)
    start = time.perf_counter()
    for _ in range(COUNT):
        draw()
    print(f"{'one draw':24} {(time.perf_counter() - start) / COUNT * 1e6:10.2f} us")
    cases = {
        "delay only": Profile(delay=0.02),
        "loss only": Profile(loss=0.01),
        "delay, jitter, loss": Profile(delay=0.02, jitter=0.005, loss=0.01),
        "gemodel": Profile(gemodel=(0.01, 0.2)),
        "rate": Profile(rate=200_000_000),
    } | {name: profile.down for name, profile in load_profiles().items()}
    for name, profile in cases.items():
        print(f"{name:24} {rate_of(profile):10,.0f} packets/s")


if __name__ == "__main__":
    main()
