"""One direction of a link, packet by packet."""

from __future__ import annotations

from itertools import pairwise

import pytest

from harness.link.distributions import table
from harness.link.model import SECOND, Link, direction_seeds, taus113
from harness.link.profile import BadProfile, Profile

MS = 1_000_000


def sent(
    profile: Profile, count: int, *, seed: int = 1, apart: int = MS, size: int = 100
) -> list[tuple[int, int, str]]:
    """(number, due, fate) of `count` packets sent `apart` nanoseconds."""
    link = Link(profile, seed=seed)
    out = []
    for number in range(count):
        packet = number.to_bytes(4) + bytes(size - 4)
        out += [
            (int.from_bytes(each.packet[:4]), each.due, each.fate) for each in link.transmit(packet, now=number * apart)
        ]
    return out


def missing(profile: Profile, count: int, **how: int) -> list[int]:
    arrived = {number for number, _, _ in sent(profile, count, **how)}
    return [number for number in range(count) if number not in arrived]


def longest_run(numbers: list[int]) -> int:
    longest = run = 0
    before = None
    for number in numbers:
        run = run + 1 if before is not None and number == before + 1 else 1
        longest, before = max(longest, run), number
    return longest


def test_an_unimpaired_link_gives_the_same_object_at_the_same_time():
    packet = b"as it came"
    ((due, out, fate),) = Link(Profile(), seed=1).transmit(packet, now=77)
    assert (due, fate) == (77, "delivered")
    assert out is packet


def test_the_published_vector_of_the_kernels_seed():
    """Seed 42424242, loss 10 %, 25 packets: the 5th, 12th and 24th are lost (netdev, 15 August 2023)."""
    assert missing(Profile(loss=0.1), 25, seed=42424242) == [4, 11, 23]


def test_the_generator_survives_seeds_that_would_leave_it_at_zero():
    for seed in (0, 1, 2**64 - 1, -1, 2**70):
        draw = taus113(seed)
        assert len({draw() for _ in range(100)}) > 90


def test_the_directions_have_different_seeds():
    seeds = {each for seed in (0, 1, 2**63, 2**80 + 5) for each in direction_seeds(seed)}
    assert len(seeds) == 8


def test_delay_is_added_to_every_packet():
    assert [due - number * MS for number, due, _ in sent(Profile(delay=0.02), 50)] == [20 * MS] * 50


def test_jitter_stays_within_its_width_and_reorders():
    rows = sent(Profile(delay=0.02, jitter=0.005), 2000)
    spread = [due - number * MS for number, due, _ in rows]
    assert 15 * MS <= min(spread) < 16 * MS
    assert 24 * MS < max(spread) < 25 * MS
    assert any(fate == "reordered" for _, _, fate in rows)


def test_jitter_of_a_distribution_is_sigma():
    spread = [due - n * MS for n, due, _ in sent(Profile(delay=0.1, jitter=0.01, distribution="normal"), 4000)]
    mean = sum(spread) / len(spread)
    sigma = (sum((each - mean) ** 2 for each in spread) / len(spread)) ** 0.5
    assert mean == pytest.approx(100 * MS, rel=0.01)
    assert sigma == pytest.approx(10 * MS, rel=0.05)


def test_a_rate_queues_and_keeps_the_order_whatever_the_jitter():
    rows = sent(Profile(delay=0.01, jitter=0.01, rate=800_000), 100, apart=0)
    assert [number for number, _, _ in rows] == list(range(100))
    gaps = [later[1] - earlier[1] for earlier, later in pairwise(rows)]
    assert min(gaps) >= 100 * SECOND // 100_000  # 100 bytes at 100,000 bytes per second


def test_the_overhead_counts_for_the_rate():
    ((_, due, _),) = sent(Profile(rate=8_000, overhead=20), 1, size=80)
    assert due == SECOND // 10


def test_the_limit_loses_what_does_not_fit():
    link = Link(Profile(delay=1, limit=3), seed=1)
    out = [link.transmit(100, now=now) for now in (0, 1, 2, 3, SECOND + 3)]
    assert [len(each) for each in out] == [1, 1, 1, 0, 1]
    assert (link.overflowed, link.lost, link.delivered) == (1, 0, 4)


def test_gap_makes_reordering_exact():
    rows = sent(Profile(delay=0.02, reorder=1, gap=5), 20)
    assert [number for number, due, _ in rows if due == number * MS] == [4, 9, 14, 19]


def test_a_copy_has_a_fate_of_its_own():
    rows = sent(Profile(duplicate=1), 3)
    assert [(number, fate) for number, _, fate in rows] == [
        (0, "duplicated"),
        (0, "delivered"),
        (1, "duplicated"),
        (1, "delivered"),
        (2, "duplicated"),
        (2, "delivered"),
    ]
    assert missing(Profile(duplicate=1, loss=1), 5) == []  # netem: one of the two is left


def test_gilbert_elliott_loses_in_bursts_at_its_stationary_rate():
    lost = missing(Profile(gemodel=(0.02, 0.25)), 20_000)
    assert len(lost) / 20_000 == pytest.approx(0.02 / 0.27, rel=0.15)
    assert longest_run(lost) > 8


def test_the_cap_bounds_bursts():
    for profile in (Profile(loss=0.9, burst_cap=3), Profile(gemodel=(0.5, 0.05), burst_cap=3)):
        assert longest_run(missing(profile, 2000)) == 3


def test_drop_loses_exactly_these():
    assert missing(Profile(drop=(0, 2, 7)), 10) == [0, 2, 7]


def test_packets_can_be_chosen_by_what_they_are():
    """The third acknowledgement, say."""
    packets = [b"ack" if number % 3 else b"data" for number in range(60)]
    chosen: list[int] = []

    def third_ack(number: int, packet: bytes) -> bool:
        chosen.append(number)
        return packet == b"ack" and packets[:number].count(b"ack") == 2

    for profile in (Profile(), Profile(delay=1)):
        chosen.clear()
        link = Link(profile, seed=1, drop_if=third_ack)
        gone = [number for number, packet in enumerate(packets) if not link.transmit(packet, now=number)]
        assert (gone, link.lost, link.why) == ([4], 1, "drop")
        assert chosen == list(range(60))


def test_a_packet_that_does_not_come_out_says_why():
    link = Link(Profile(delay=1, drop=(0,), blackout=((2, 3),), limit=1), seed=1)
    for at, why in ((0, "drop"), (2, "blackout")):
        assert link.transmit(1, now=at * SECOND) == []
        assert link.why == why
    assert link.transmit(1, now=4 * SECOND)
    assert link.transmit(1, now=4 * SECOND) == []
    assert link.why == "limit"
    sure = Link(Profile(loss=1), seed=1)
    assert sure.transmit(1, now=0) == []
    assert sure.why == "loss"


def test_a_blackout_counts_from_when_the_link_was_set():
    link = Link(Profile(blackout=((0.5, 1.0),)), seed=1, start=10 * SECOND)
    times = [10.0, 10.499, 10.5, 10.999, 11.0]
    assert [len(link.transmit(1, now=round(at * SECOND))) for at in times] == [1, 1, 0, 0, 1]


def test_what_netem_does_not_know_takes_no_draws():
    """So a test can lose one packet more without changing what happens to the others."""
    plain = Link(Profile(loss=0.2), seed=1)
    more = Link(Profile(loss=0.2, truncate=0.5, burst_cap=50, blackout=((9, 10),)), seed=1)
    before, after = ([bool(link.transmit(100, now=number)) for number in range(200)] for link in (plain, more))
    assert before == after


def test_corruption_flips_one_bit_of_the_payload():
    link = Link(Profile(corrupt=1), seed=3)
    for _ in range(50):
        (delivery,) = link.transmit(bytes(20), now=0, header=8)
        assert delivery.fate == "corrupted"
        assert delivery.packet[:8] == bytes(8)
        assert int.from_bytes(delivery.packet).bit_count() == 1
    assert link.transmit(b"", now=0)[0].fate == "delivered"


def test_truncation_leaves_a_beginning():
    link = Link(Profile(truncate=1), seed=3)
    lengths = {len(link.transmit(bytes(20), now=0, header=8)[0].packet) for _ in range(300)}
    assert lengths == set(range(8, 20))


def test_lengths_do_for_packets():
    by_bytes, by_length = (Link(Profile(loss=0.3, rate=1_000_000, truncate=0.2), seed=5) for _ in range(2))
    for now in range(0, 100 * MS, MS):
        one, two = by_bytes.transmit(bytes(99), now=now), by_length.transmit(99, now=now)
        assert [(each.due, len(each.packet), each.fate) for each in one] == [tuple(each) for each in two]


def test_counters_account_for_every_packet():
    profile = Profile(delay=0.01, jitter=0.01, loss=0.2, duplicate=0.2, limit=12)
    link = Link(profile, seed=9)
    out = sum(len(link.transmit(1, now=number * MS)) for number in range(2000))
    assert link.packets == 2000
    assert link.delivered == out
    assert link.packets + link.duplicated == link.delivered + link.lost + link.overflowed
    assert min(link.duplicated, link.reordered, link.overflowed) > 0


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"loss": 5}, ["loss", "0 to 1"]),
        ({"loss": "5%"}, ["loss", "not a number"]),
        ({"delay": -1}, ["delay", "0 to 3600"]),
        ({"delay": float("nan")}, ["delay"]),
        ({"jitter": 3}, ["jitter", "2.147"]),
        ({"limit": 0}, ["limit", "1 to"]),
        ({"rate": 1.5}, ["rate", "whole"]),
        ({"distribution": "uniform"}, ["distribution", "normal"]),
        ({"distribution": "normal", "delay": 1}, ["distribution", "jitter"]),
        ({"reorder": 0.1}, ["reorder", "delay"]),
        ({"loss": 0.1, "gemodel": (0.1,)}, ["loss, gemodel, state"]),
        ({"gemodel": ()}, ["gemodel", "1 to 4"]),
        ({"state": (1, 2)}, ["state", "0 to 1"]),
        ({"drop": (-1,)}, ["drop"]),
        ({"blackout": ((2, 1),)}, ["blackout", "ends before"]),
        ({"blackout": (1, 2)}, ["blackout"]),
    ],
)
def test_a_wrong_profile_is_refused_with_field_and_range(fields, words):
    with pytest.raises(BadProfile) as refused:
        Profile(**fields)
    for word in words:
        assert word in str(refused.value)


def test_a_profile_survives_json():
    profile = Profile(delay=0.1, gemodel=(0.1, 0.5), drop=(1, 2), blackout=((0, 1.5),))
    assert profile.as_dict() == {"delay": 0.1, "gemodel": (0.1, 0.5), "drop": (1, 2), "blackout": ((0, 1.5),)}
    assert Profile.from_dict({"drop": [1, 2], "blackout": [[0, 1.5]], "delay": 0.1, "gemodel": [0.1, 0.5]}) == profile
    with pytest.raises(BadProfile, match='Did you mean "delay"'):
        Profile.from_dict({"dealy": 1})


def test_the_tables_are_those_of_iproute2():
    """First, middle and last entries of /usr/lib/tc/*.dist, and their sums."""
    assert table("normal")[:3] == (-32768, -28307, -26871)
    assert table("pareto")[:3] == (-5461, -5460, -5460)
    assert table("paretonormal")[:3] == (-12305, -11171, -10812)
    assert [len(table(name)) for name in ("normal", "pareto", "paretonormal")] == [4096] * 3
