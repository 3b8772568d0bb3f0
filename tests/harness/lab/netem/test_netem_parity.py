"""The link against the netem of the kernel that runs this: the same packets lost, doubled, overtaken and damaged.

49 profiles, five seeds each, 2,000 datagrams each. Delays are longer than a burst of datagrams takes to be sent, so
that no decision depends on how punctual a timer is: all that is compared is exact. Exceptions, stated in the table:
- with jitter two datagrams that are due within 0.5 ms of each other may come in either order, since when exactly a
  datagram entered netem is known to some microseconds only;
- which bit is flipped is not seeded: it has to be uniform over the frame (chi-square), as ours is over the payload
  (Kolmogorov-Smirnov), both at alpha = 0.001.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from harness.link.model import Link, Profile
from harness.link.netem_words import netem_words
from tests.harness.lab.netem.kernel_wire import FRAMING, HEADERS, PAYLOAD, Recording, Wire, new_wire
from tests.harness.significance import chi_square, kolmogorov_smirnov

pytestmark = [pytest.mark.netem, pytest.mark.slow]

SEEDS = (1, 7, 42_424_242, 0x1234_5678_9ABC_DEF0, 2**64 - 1)
ALPHA = 0.001
NEAR = 500_000  #: nanoseconds between two dues that a recorded order may have the other way round
WHOLE, PARTS = (2000,), (500, 500, 500, 500)
MBIT = 1_000_000

PROFILES = [
    Profile(loss=0.001),
    Profile(loss=0.01),
    Profile(loss=0.1),
    Profile(loss=0.5),
    Profile(loss=0.99),
    Profile(gemodel=(0.01,)),
    Profile(gemodel=(0.01, 0.2)),
    Profile(gemodel=(0.05, 0.3, 0.8)),
    Profile(gemodel=(0.05, 0.3, 0.8, 0.01)),
    Profile(gemodel=(0.3, 0.3, 1.0, 0.1)),
    Profile(state=(0.02,)),
    Profile(state=(0.02, 0.4)),
    Profile(state=(0.05, 0.3, 0.2)),
    Profile(state=(0.05, 0.3, 0.2, 0.6)),
    Profile(state=(0.05, 0.3, 0.2, 0.6, 0.03)),
    Profile(duplicate=0.05),
    Profile(duplicate=0.5),
    Profile(duplicate=1.0),
    Profile(duplicate=0.2, loss=0.2),
    Profile(duplicate=0.3, gemodel=(0.05, 0.3)),
    Profile(duplicate=0.1, state=(0.05, 0.3)),
    Profile(delay=0.4, reorder=0.25),
    Profile(delay=0.4, reorder=0.25, gap=5),
    Profile(delay=0.4, reorder=1.0, gap=3),
    Profile(delay=0.4, reorder=0.5, gap=10, loss=0.05),
    Profile(delay=0.4, reorder=0.25, gap=2, duplicate=0.2),
    Profile(delay=0.4, reorder=0.25, gap=3, duplicate=0.2, gemodel=(0.05, 0.3)),
    Profile(delay=0.4, limit=300),
    Profile(delay=0.4, limit=300, loss=0.2),
    Profile(delay=0.4, limit=300, duplicate=0.5),
    Profile(delay=0.4, limit=300, duplicate=0.3, gemodel=(0.05, 0.3)),
    Profile(delay=0.4, limit=200, reorder=0.2, gap=3),
    Profile(delay=0.4, limit=200, reorder=0.2, gap=3, duplicate=0.2, state=(0.05, 0.3)),
    Profile(rate=100 * MBIT),
    Profile(rate=20 * MBIT, overhead=-14),
    Profile(rate=20 * MBIT, delay=0.4, loss=0.1),
    Profile(rate=20 * MBIT, delay=0.4, limit=300),
    Profile(rate=20 * MBIT, delay=0.4, limit=300, duplicate=0.2, gemodel=(0.05, 0.3)),
    Profile(rate=20 * MBIT, delay=0.4, reorder=0.1, gap=4),
    Profile(rate=20 * MBIT, delay=0.4, jitter=0.05),
    Profile(delay=0.4, jitter=0.02),
    Profile(delay=0.4, jitter=0.02, distribution="normal"),
    Profile(delay=0.4, jitter=0.02, distribution="pareto", duplicate=0.2),
    Profile(delay=0.4, jitter=0.02, distribution="paretonormal", gemodel=(0.05, 0.3)),
    Profile(delay=0.4, jitter=0.02, reorder=0.2, gap=3, loss=0.05, duplicate=0.05),
    Profile(corrupt=0.1),
    Profile(corrupt=1.0),
    Profile(corrupt=0.05, loss=0.05, duplicate=0.1),
    Profile(delay=0.4, corrupt=0.2, reorder=0.2, gap=3, limit=400, duplicate=0.1, gemodel=(0.02, 0.3)),
]


@dataclass
class Row:
    """A profile's line of the table, all seeds together."""

    words: str
    packets: int = 0
    lost: int = 0  #: did not arrive, for whatever reason
    doubled: int = 0
    overtaken: int = 0  #: arrived after one that was sent later
    damaged: int = 0
    other: int = 0  #: packets whose fate is another one in the kernel, or which came in another order
    swapped: int = 0  #: nanoseconds between the dues of the two farthest that came in the other order
    late: list[int] = field(default_factory=list)  #: nanoseconds between due and arrival

    def __str__(self) -> str:
        self.late.sort()
        median, most = (self.late[len(self.late) * part // 100] / 1000 for part in (50, 99))
        near = f"{self.swapped / 1000:.0f} µs" if self.swapped else ""
        counts = (self.packets, self.lost, self.doubled, self.overtaken, self.damaged, self.other)
        return f"| `{self.words}` | {' | '.join(map(str, counts))} | {near} | {median:.0f} | {most:.0f} |"


HEAD = """| profile (`limit` 100000 unless it is named) | sent | lost | doubled | overtaken | damaged | other in the kernel | swapped, due within | late, µs: median | p99 |
|---|---|---|---|---|---|---|---|---|---|"""  # noqa: E501

ROWS: list[Row] = []
FLIPPED: list[int] = []  # bits of the frame, by the kernel
OURS: list[int] = []  # bits of the payload, by the link


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with new_wire() as wire:
        wire.learn(sum(WHOLE))
        yield wire


def recorded(wire: Wire, profile: Profile, seed: int) -> Recording:
    """With every burst sent before the first of it is due; a machine that is kept busy may need some attempts."""
    for _ in range(5):
        recording = wire.record(profile, seed, PARTS if profile.limit < 2000 else WHOLE)
        if not profile.delay or recording.longest_burst < (profile.delay - profile.jitter * 4.1) * 900_000_000:
            return recording
    pytest.fail("this machine is too busy: a burst took longer to send than the delay", pytrace=False)


def replayed(profile: Profile, seed: int, sent: list[int]) -> list[tuple[int, int, str]]:
    """(due, number, fate) of what the link delivers, in order."""
    link = Link(profile, seed=seed, framing=FRAMING)
    out = []
    for number, now in enumerate(sent):
        for delivery in link.transmit(PAYLOAD + HEADERS, now=now):
            out.append((max(now, delivery.due), number, delivery.fate))
    return sorted(out, key=lambda each: each[0])


def overtaken(numbers: list[int]) -> int:
    """How many came after one that was sent later."""
    highest, count = -1, 0
    for number in numbers:
        count += number < highest
        highest = max(highest, number)
    return count


def farthest_swap(ours: list[tuple[int, int, str]], theirs: list[int]) -> int:
    """Of two packets that the kernel delivered against the order of our dues, how far these are apart at most."""
    dues: dict[int, list[int]] = {}
    for due, number, _ in reversed(ours):
        dues.setdefault(number, []).append(due)
    latest, most = 0, 0
    for number in theirs:
        due = dues[number].pop()
        latest, most = max(latest, due), max(most, latest - due)
    return most


def compare(row: Row, profile: Profile, seed: int, recording: Recording) -> None:
    """Add a recording to a row."""
    ours = replayed(profile, seed, recording.sent)
    mine, theirs = [number for _, number, _ in ours], [arrival.number for arrival in recording.arrivals]
    copies = Counter(mine)
    row.packets += len(recording.sent)
    row.lost += len(recording.sent) - len(copies)
    row.doubled += sum(count == 2 for count in copies.values())
    row.overtaken += overtaken(mine)
    damaged = Counter(number for _, number, fate in ours if fate == "corrupted")
    row.damaged += damaged.total()
    seen = Counter(arrival.number for arrival in recording.arrivals if arrival.flipped is not None)
    different = (Counter(theirs) - copies) + (copies - Counter(theirs)) + (damaged - seen) + (seen - damaged)
    row.other += different.total()
    if different:
        return
    if profile.jitter and not profile.rate:
        row.swapped = max(row.swapped, farthest_swap(ours, theirs))
    else:
        row.other += sum(mine != their for mine, their in zip(mine, theirs, strict=True))
    due = sorted((number, at) for at, number, _ in ours)
    came = sorted((arrival.number, arrival.at) for arrival in recording.arrivals)
    row.late += [their - our for (_, our), (_, their) in zip(due, came, strict=True)]
    FLIPPED.extend(arrival.flipped for arrival in recording.arrivals if arrival.flipped is not None)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: " ".join(netem_words(profile).words))
def test_the_kernel_picks_the_same_packets(wire: Wire, profile: Profile):
    row = Row(" ".join(netem_words(profile).words).replace(" limit 100000", ""))
    for seed in SEEDS:
        recording = recorded(wire, profile, seed)
        compare(row, profile, seed, recording)
        assert recording.counters.sent == len(recording.arrivals)
    ROWS.append(row)
    assert row.other == 0
    assert row.swapped < NEAR
    assert row.packets == 10_000


def test_the_flipped_bits_are_spread_as_they_should_be(capsys: pytest.CaptureFixture[str]):
    """Over the whole frame in the kernel, over the payload in the link; and the two alike where both flip."""
    if not FLIPPED:
        pytest.skip("no damaged packet was recorded before")
    size = FRAMING + HEADERS + PAYLOAD
    bytes_seen, bits_seen = Counter(bit // 8 for bit in FLIPPED), Counter(bit % 8 for bit in FLIPPED)
    link = Link(Profile(corrupt=1.0), seed=SEEDS[0])
    for _ in range(len(FLIPPED)):
        ((_, damaged, _),) = link.transmit(bytes(PAYLOAD), now=0)
        OURS.append(int.from_bytes(damaged, "little").bit_length() - 1)
    before = (FRAMING + HEADERS) * 8
    found = {
        "kernel: which byte of the frame (chi-square)": chi_square(
            [bytes_seen[byte] for byte in range(size)], [len(FLIPPED) / size] * size
        ),
        "kernel: which bit of the byte (chi-square)": chi_square(
            [bits_seen[bit] for bit in range(8)], [len(FLIPPED) / 8] * 8
        ),
        "kernel and link: place in the payload (Kolmogorov-Smirnov)": kolmogorov_smirnov(
            [bit - before for bit in FLIPPED if bit >= before], OURS
        ),
    }
    with capsys.disabled():
        print(f"\n\n{len(FLIPPED)} flipped bits, alpha = {ALPHA}:")
        for what, probability in found.items():
            print(f"- {what}: p = {probability:.3f}")
    assert min(found.values()) > ALPHA


def test_the_table(capsys: pytest.CaptureFixture[str]):
    """Prints it; docker/guest/README.md has a copy."""
    if not ROWS:
        pytest.skip("nothing was recorded before")
    with capsys.disabled():
        print(f"\n{HEAD}")
        for row in ROWS:
            print(row)
    assert sum(row.other for row in ROWS) == 0
