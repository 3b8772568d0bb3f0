"""How many packets a second the simulator takes, by profile: endpoints that only send and receive, all in virtual time.

The first column is the link alone, as in link.py; the second is the whole simulation of one packet: asked for,
through the link, into the trace, delivered.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from link import rate_of

from harness.link.named import load_profiles
from harness.link.profile import Profile
from harness.link.simulator import Simulation

COUNT = 50_000


class Sender:
    """A packet every tenth of a millisecond."""

    def __init__(self) -> None:
        self._sent, self._due, self._packet = 0, True, bytes(1200)

    def receive_datagram(self, data: bytes, *, now: float) -> None: ...

    def datagrams_to_send(self, *, now: float) -> Iterable[bytes]:  # noqa: ARG002
        if not self._due:
            return ()
        self._sent, self._due = self._sent + 1, False
        return (self._packet,)

    def next_timer(self) -> float | None:
        return self._sent / 10_000 if self._sent < COUNT else None

    def handle_timer(self, *, now: float) -> None:  # noqa: ARG002
        self._due = True


class Receiver:
    """Takes what comes."""

    def receive_datagram(self, data: bytes, *, now: float) -> None: ...

    def datagrams_to_send(self, *, now: float) -> Iterable[bytes]:  # noqa: ARG002
        return ()

    def next_timer(self) -> float | None:
        return None

    def handle_timer(self, *, now: float) -> None: ...


def simulated(profile: Profile) -> float:
    """Packets a second, the best of two."""
    best = 0.0
    for _ in range(2):
        simulation = Simulation({"sender": Sender(), "receiver": Receiver()}, up=profile, seed=1)
        start = time.perf_counter()
        simulation.run()
        best = max(best, simulation.links["up"].packets / (time.perf_counter() - start))
    return best


def main() -> None:
    print(f"{'profile':14} {'link alone':>14} {'simulation':>14}   packets/s")
    for name, profile in load_profiles().items():
        print(f"{name:14} {rate_of(profile.down):14,.0f} {simulated(profile.down):14,.0f}")


if __name__ == "__main__":
    main()
