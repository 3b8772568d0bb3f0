"""Goodput and queueing delay of the transport reference on a lossy link, beside aioquic and the kernel's TCP.

The link: 10 Mbit/s, 20 ms each way, a queue of one bandwidth-delay product (40 ms), 10 MB to carry. Data is lost at
random, acknowledgements are not. The link draws for a loss before the queue, as netem does: what is lost takes no time
on the link. So it can carry its rate less headers whatever is lost, and that is 1.00 here; each is measured by its own
headers, Ethernet's included. With --after the loss comes behind the queue instead, where the ceiling is (1 - loss) of
that: the simulator only.

- The reference and aioquic run in the simulator (virtual time), over the same links with the same seeds; the mean.
- The kernel's TCP runs over the router, in real time, 20 s at most; the segments have 1,200 bytes as ours.
- Losses begin 0.1 s after the start, when all have shaken hands: the wait for a lost SYN says nothing about the rest.
- Queueing delay, in the simulator: the mean time of a data packet from end to end, less 20 ms. For the kernel: the
  mean of its smoothed round trip times, less 40 ms.
- Share: two flows of each of our controllers over one link without loss for a minute; the index of Jain, Chiu and Hawe.

It takes about two minutes; without root, TUN, or aioquic the rest is measured.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.peers import flows, kernel  # noqa: E402
from harness.link.model import UDP_FRAMING  # noqa: E402
from harness.link.profile import Profile  # noqa: E402
from harness.link.simulator import Endpoint, Simulation  # noqa: E402
from harness.transport.simulation.multiplex import SharedEndpoint  # noqa: E402
from tests.harness.lab.namespaces import missing  # noqa: E402

RATE, DELAY, SIZE = 10_000_000, 0.02, 10_000_000  #: bits per second, seconds each way, bytes
#: What fits into 20 ms under way and 40 ms of queue, in packets of 1,262 bytes: the limit counts both, as netem's does.
LIMIT = 60
LOSSES = (0.0, 0.01, 0.05, 0.1)
SEEDS = (1, 2, 3)
#: When losses begin, and how long is waited for a flow, in the simulator and over the router (seconds).
LOSSES_FROM, PATIENCE, REAL_PATIENCE = 0.1, 900.0, 20.0
#: Of a full datagram: our payload; aioquic's, behind its own headers; the kernel's.
OURS = flows.MOST_PAYLOAD / (flows.MOST_PAYLOAD + flows.HEADER.size + UDP_FRAMING)
QUIC = 1165 / (1200 + UDP_FRAMING)
KERNEL = kernel.PAYLOAD / (kernel.PAYLOAD + kernel.FRAMING)


class Receiver(Endpoint, Protocol):
    """An endpoint that counts."""

    received: int

    @property
    def ended(self) -> bool:
        """Whether all has come."""


@dataclass(frozen=True)
class Figures:
    """What one transfer did."""

    share: float  #: of what the link can carry
    queued: float  #: seconds, the mean


class Lossy:
    """An endpoint that some datagrams do not reach: loss behind the queue."""

    def __init__(self, endpoint: Endpoint, loss: float, seed: int) -> None:
        self._endpoint, self._loss, self._random = endpoint, loss, random.Random(seed)
        self.datagrams_to_send, self.next_timer = endpoint.datagrams_to_send, endpoint.next_timer
        self.handle_timer = endpoint.handle_timer

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        if now < LOSSES_FROM or self._random.random() >= self._loss:
            self._endpoint.receive_datagram(data, now=now)


def link(loss: float = 0.0) -> Profile:
    return Profile(delay=DELAY, rate=RATE, limit=LIMIT, loss=loss)


def simulated(sender: Endpoint, receiver: Receiver, ceiling: float, loss: float, seed: int, after: bool) -> Figures:
    """Until the receiver has all."""
    behind, before = (loss, 0.0) if after else (0.0, loss)
    ends = {"sender": sender, "receiver": Lossy(receiver, behind, seed)}
    simulation = Simulation(ends, up=link(), down=Profile(delay=DELAY), seed=seed, most_events=10_000_000)
    if before:
        simulation.at(LOSSES_FROM, lambda _: simulation.set_links(up=link(before)))
    simulation.run_until(lambda: receiver.ended, within=PATIENCE)
    times = [p.arrived - p.sent for p in simulation.packets if p.direction == "up" and p.arrived is not None]
    capacity = RATE * ceiling * (1 - behind)
    return Figures(receiver.received * 8 / simulation.now / capacity, sum(times) / len(times) - DELAY)


def ours(controller: str | None) -> Callable[[float, int, bool], Figures]:
    return lambda loss, seed, after: simulated(*flows.pair(controller, SIZE), OURS, loss, seed, after)


def aioquic(controller: str) -> Callable[[float, int, bool], Figures] | None:
    """None if it is not installed."""
    try:
        from bench.peers.quic import quic_pair
    except ImportError:
        return None

    def run(loss: float, seed: int, after: bool) -> Figures:
        client, server = quic_pair(controller)
        client.send(bytes(SIZE))
        return simulated(client, server, QUIC, loss, seed, after)

    return run


def print_row(name: str, row: Sequence[Figures], note: str = "") -> None:
    shares = "".join(f"{figures.share:8.3f}" for figures in row)
    queued = "".join(f"{figures.queued * 1000:8.1f}" for figures in row)
    print(f"{name:28}{shares}   {queued}   {note}", flush=True)


def print_head(what: str) -> None:
    losses = "".join(f"{loss * 100:7.0f}%" for loss in LOSSES)
    print(f"\n{what}")
    print(f"{'':28}{'share of the ceiling':>32}   {'mean queueing delay, ms':>32}")
    print(f"{'loss':28}{losses}   {losses}")


def measure_simulated(after: bool) -> None:
    runs = {
        "reference, model": ours("model"),
        "reference, NewReno": ours(None),
        "aioquic, Reno": aioquic("reno"),
        "aioquic, CUBIC": aioquic("cubic"),
    }
    for name, run in runs.items():
        if run is None:
            print(f"{name:28}not measured: it takes .venv/bin/pip install -e '.[bench]'")
            continue
        start, row = time.process_time(), []
        for loss in LOSSES:
            each = [run(loss, seed, after) for seed in SEEDS]
            row.append(
                Figures(
                    *(sum(values) / len(SEEDS) for values in zip(*((f.share, f.queued) for f in each), strict=True))
                )
            )
        print_row(name, row, f"{(time.process_time() - start) / len(SEEDS) / len(LOSSES):.1f} s of computing each")


def measure_kernel() -> None:
    if why := missing():
        print(f"the kernel's TCP            not measured: {why}")
        return
    known = [each for each in ("reno", "cubic", "bbr") if kernel.available(each)]
    rows: dict[str, list[Figures]] = {each: [] for each in known}
    for loss in LOSSES:
        lossy = [(LOSSES_FROM, link(loss))] if loss else []
        runs = kernel.transfer(
            known, up=[(0.0, link()), *lossy], down=Profile(delay=DELAY), size=SIZE, within=REAL_PATIENCE
        )
        for run in runs:
            share = run.received * 8 / run.seconds / (RATE * KERNEL)
            rows[run.controller].append(Figures(share, sum(run.rtts) / len(run.rtts) - 2 * DELAY))
    for name, row in rows.items():
        print_row(f"kernel, {name} (router)", row)
    for name in {"reno", "cubic", "bbr"} - set(known):
        print(f"kernel, {name:20}not measured: this kernel does not have it (modprobe tcp_{name})")


def measure_sharing(seconds: float = 60.0) -> None:
    print(f"\ntwo flows on one such link without loss, {seconds:.0f} s: bytes of each, and Jain's index")
    for name, controller in (("NewReno", None), ("model", "model")):
        for apart in (0.0, 5.0):
            both = [flows.pair(controller, 1 << 40) for _ in range(2)]
            sending, taking = zip(*both, strict=True)
            simulation = Simulation(
                {"senders": SharedEndpoint([sending[0], Late(sending[1], apart)]), "receivers": SharedEndpoint(taking)},
                up=link(),
                down=Profile(delay=DELAY),
                seed=1,
                most_events=10_000_000,
            )
            simulation.run(until=seconds + apart)
            got = [each.received for each in taking]
            index = sum(got) ** 2 / 2 / sum(each**2 for each in got)
            late = f", the second {apart:.0f} s late" if apart else ""
            print(f"reference, {name + late:32} {got[0]:12,} {got[1]:12,}   {index:.3f}")


class Late:
    """An endpoint that begins to speak at a given time (seconds)."""

    def __init__(self, endpoint: Endpoint, start: float) -> None:
        self._endpoint, self._start, self._begun = endpoint, start, False
        self.receive_datagram = endpoint.receive_datagram

    def datagrams_to_send(self, *, now: float) -> list[bytes]:
        self._begun = now >= self._start
        return list(self._endpoint.datagrams_to_send(now=now)) if self._begun else []

    def next_timer(self) -> float | None:
        return self._endpoint.next_timer() if self._begun else self._start

    def handle_timer(self, *, now: float) -> None:
        if self._begun:
            self._endpoint.handle_timer(now=now)
        self._begun = now >= self._start


def main(argv: list[str]) -> None:
    after = argv[1:] == ["--after"]
    where = "behind" if after else "before"
    print_head(f"10 MB at 10 Mbit/s, 40 ms round trip, a queue of 40 ms; losses {where} the queue")
    measure_simulated(after)
    if not after:
        measure_kernel()
        measure_sharing()


if __name__ == "__main__":
    main(sys.argv)
