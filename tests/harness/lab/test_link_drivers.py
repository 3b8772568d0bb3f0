"""One profile and one seed through every driver: the simulator, the relay, the router.

What a packet meets does not depend on the clock: the same packets are lost, doubled, damaged (in the same bit) and
overtaken, and each has drawn the same delay. So a driver is compared with the pure link packet for packet; only how
late a packet is differs, never early, and the quantiles of the delays agree within `TOLERANCE` in one of `TRIES`.
"""

from __future__ import annotations

import select
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from harness.course.address import Address
from harness.lab.relay.loop import RelayLoop
from harness.link.model import SECOND, UDP_FRAMING, Link, direction_seeds
from harness.link.named import find_profile
from harness.link.profile import Profile
from harness.link.simulator import Simulation
from tests.harness.lab.namespaces import Star

#: Seconds that the 10th, 50th and 90th percentile of the delays may differ, and how often to try: whoever is late
#: by itself is late every time, whatever else the machine does.
TOLERANCE, TRIES = 0.002, 12
#: Packets; with real sockets as many as a receive buffer holds.
COUNT = 200
#: What arrived: the payload, and seconds since it was sent.
Arrival = tuple[bytes, float]


class Driver(Protocol):
    """Sends payloads up through a link, one every `apart` seconds, and answers what arrives, in that order."""

    def run(self, profile: Profile, seed: int, payloads: list[bytes], apart: float) -> list[Arrival]: ...

    def counted(self) -> tuple[int, int, int]:
        """Packets, lost, duplicated, as the driver counts them."""
        ...


class PureLink:
    """The model itself, which the others are compared with."""

    def run(self, profile: Profile, seed: int, payloads: list[bytes], apart: float) -> list[Arrival]:
        self.link = Link(profile, seed=direction_seeds(seed)[0], framing=UDP_FRAMING)
        found = []
        for number, payload in enumerate(payloads):
            now = round(number * apart * SECOND)
            for due, packet, _ in self.link.transmit(payload, now=now):
                found.append((due, len(found), packet, (due - now) / SECOND))
        return [(packet, delay) for _, _, packet, delay in sorted(found)]

    def counted(self) -> tuple[int, int, int]:
        return self.link.packets, self.link.lost, self.link.duplicated


class Hand:
    """An endpoint that does nothing of its own."""

    def __init__(self) -> None:
        self.queue: list[bytes] = []
        self.arrived: list[Arrival] = []

    def receive_datagram(self, data: bytes, *, now: float) -> None:
        self.arrived.append((data, now))

    def datagrams_to_send(self, *, now: float) -> list[bytes]:  # noqa: ARG002
        queue, self.queue = self.queue, []
        return queue

    def next_timer(self) -> None:
        return None

    def handle_timer(self, *, now: float) -> None: ...


class Simulated:
    """The simulator."""

    def run(self, profile: Profile, seed: int, payloads: list[bytes], apart: float) -> list[Arrival]:
        student, tester = Hand(), Hand()
        simulation = Simulation({"student": student, "tester": tester}, up=profile, seed=seed)
        for number, payload in enumerate(payloads):
            simulation.at(number * apart, lambda _now, payload=payload: student.queue.append(payload))
        simulation.run()
        self.link = simulation.links["up"]
        sent = {packet: number * apart for number, packet in enumerate(payloads)}
        return [(packet, now - sent.get(packet, now)) for packet, now in tester.arrived]

    def counted(self) -> tuple[int, int, int]:
        return self.link.packets, self.link.lost, self.link.duplicated


def exchange(
    sender: socket.socket, receiver: socket.socket, to: tuple, payloads: list[bytes], apart: float, expected: int
) -> list[Arrival]:
    """Send on time and receive meanwhile, until as many as expected have come or five seconds passed without any."""
    sent: dict[bytes, float] = {}
    found: list[Arrival] = []
    waiting = list(reversed(payloads))
    start = time.perf_counter()
    while waiting or len(found) < expected:
        timeout = 5.0
        if waiting:
            timeout = max(0.0, start + len(sent) * apart - time.perf_counter())
        if select.select([receiver], [], [], timeout)[0]:
            packet = receiver.recv(65_536)
            found.append((packet, time.perf_counter() - sent.get(packet, 0.0)))
        elif waiting:
            payload = waiting.pop()
            sent[payload] = time.perf_counter()
            sender.sendto(payload, to)
        else:
            break
    return found


class Relayed:
    """The relay on loopback."""

    def __init__(self) -> None:
        self.relay = RelayLoop()
        self.server, self.client = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for sock in (self.server, self.client):
            sock.bind(("127.0.0.1", 0))
        host, port = self.server.getsockname()
        self.via = self.relay.add_udp(to=Address("udp", host=host, port=port), towards="tester")

    def run(self, profile: Profile, seed: int, payloads: list[bytes], apart: float) -> list[Arrival]:
        expected = len(PureLink().run(profile, seed, payloads, apart))
        self.relay.shape(up=profile, down=Profile(), seed=seed)
        return exchange(self.client, self.server, self.via.pair, payloads, apart, expected)

    def counted(self) -> tuple[int, int, int]:
        counters = self.relay.counters()
        return counters.packets, counters.lost, counters.duplicated

    def close(self) -> None:
        self.relay.close()
        self.server.close()
        self.client.close()


class Routed:
    """The router between network namespaces."""

    def __init__(self, folder: Path) -> None:
        self.star = Star(folder)
        self.tester, self.student = self.star.bound(4, socket.SOCK_DGRAM)

    def run(self, profile: Profile, seed: int, payloads: list[bytes], apart: float) -> list[Arrival]:
        expected = len(PureLink().run(profile, seed, payloads, apart))
        self.star.shape(up=profile, seed=seed)
        return exchange(self.student, self.tester, self.tester.getsockname(), payloads, apart, expected)

    def counted(self) -> tuple[int, int, int]:
        counters = self.star.ask(op="counters")
        return counters["packets"], counters["lost"], counters["duplicated"]

    def close(self) -> None:
        self.tester.close()
        self.student.close()
        self.star.close()


@pytest.fixture(scope="module")
def simulator() -> Simulated:
    return Simulated()


@pytest.fixture(scope="module")
def relay() -> Iterator[Relayed]:
    driver = Relayed()
    yield driver
    driver.close()


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Routed]:
    driver = Routed(tmp_path_factory.mktemp("router"))
    yield driver
    driver.close()


@pytest.fixture
def driver(request: pytest.FixtureRequest) -> Driver:
    return request.getfixturevalue(request.param)


every_driver = pytest.mark.parametrize(
    "driver", ["simulator", "relay", pytest.param("router", marks=pytest.mark.tun)], indirect=True
)


def numbered(count: int = COUNT) -> list[bytes]:
    """Payloads that can be told apart."""
    return [number.to_bytes(4) * 8 for number in range(count)]


def percentiles(arrivals: list[Arrival]) -> list[float]:
    delays = sorted(delay for _, delay in arrivals)
    return [delays[len(delays) * percent // 100] for percent in (10, 50, 90)]


PROFILES = {name: find_profile(name).up for name in ("wifi-lossy", "bursty", "reordering", "awful")} | {
    "4-state": Profile(state=(0.1, 0.4, 0.2, 0.5, 0.05), duplicate=0.1),
    "exact": Profile(drop=(0, 3, 199), gemodel=(0.05, 0.3, 0.8, 0.1)),
    "damage": Profile(corrupt=0.5, truncate=0.3),
}


@every_driver
@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("seed", [1, 2**63 + 5])
def test_the_same_packets_arrive_with_the_same_bytes(driver, name, seed):
    """Packet for packet: what is lost, doubled, shortened, and which bit is flipped."""
    expected = PureLink()
    wanted = Counter(packet for packet, _ in expected.run(PROFILES[name], seed, numbered(), 0.0001))
    arrived = Counter(packet for packet, _ in driver.run(PROFILES[name], seed, numbered(), 0.0001))
    assert arrived == wanted
    assert driver.counted() == expected.counted()


@every_driver
def test_the_same_packets_overtake(driver):
    """One in ten skips the delay, which is so long that no busy machine is taken for it."""
    profile = Profile(delay=1.0, reorder=0.1)
    early = []
    for each in (PureLink(), driver):
        arrivals = each.run(profile, 5, numbered(100), 0.0005)
        early.append([packet for packet, delay in arrivals if delay < 0.5])
    assert early[0] == early[1]
    assert 4 < len(early[0]) < 20


@every_driver
@pytest.mark.slow
@pytest.mark.parametrize(
    "profile",
    [
        Profile(delay=0.02),
        Profile(delay=0.02, jitter=0.015),
        Profile(delay=0.03, jitter=0.008, distribution="normal", loss=0.1),
        Profile(delay=0.03, jitter=0.008, distribution="paretonormal"),
    ],
    ids=lambda profile: str(profile.as_dict()),
)
def test_the_delays_agree(driver, profile):
    """No packet comes earlier than it drew, and the quantiles agree."""
    payloads = numbered()
    for seed in range(1, TRIES + 1):
        model = PureLink().run(profile, seed, payloads, 0.001)
        arrivals = driver.run(profile, seed, payloads, 0.001)
        drawn = dict(model)
        assert {packet for packet, _ in arrivals} == drawn.keys()
        assert min(delay - drawn[packet] for packet, delay in arrivals) > -1e-8
        off = [abs(ours - theirs) for ours, theirs in zip(percentiles(arrivals), percentiles(model), strict=True)]
        if max(off) < TOLERANCE:
            return
    pytest.fail(f"percentiles 10, 50, 90 of the delay are {off} s off, {TRIES} times")


@every_driver
def test_a_rate_spaces_packets_the_same(driver):
    """At 800 kbit/s a datagram with its headers takes 0.74 ms: the queue builds up to the same length."""
    profile = Profile(rate=800_000, delay=0.005)
    wanted = PureLink().run(profile, 1, numbered(100), 0.0)
    off = 0.0
    for _ in range(TRIES):
        arrivals = driver.run(profile, 1, numbered(100), 0.0)
        assert [packet for packet, _ in arrivals] == [packet for packet, _ in wanted]
        off = arrivals[-1][1] - wanted[-1][1]
        assert off > -0.02
        if off < 0.02:
            return
    pytest.fail(f"the last packet is {off} s late, {TRIES} times")
