"""The bytes that netem takes, against the layout in linux/pkt_sched.h; no kernel needed."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from harness.link.distributions import table
from harness.link.netem_wire import BeyondNetem, Qdisc, decode, difference, encode, qdisc_of
from harness.link.profile import Profile


def attribute(kind: int, *numbers: int, layout: str) -> bytes:
    data = struct.pack("=" + layout, *numbers)
    return struct.pack("=HH", 4 + len(data), kind) + data


def test_the_layout_of_a_profile_with_everything():
    profile = Profile(
        delay=0.1,
        jitter=0.0125,
        gemodel=(0.01, 0.2, 0.9, 0.001),
        duplicate=0.005,
        corrupt=0.001,
        reorder=0.25,
        gap=5,
        rate=1_000_000,
        overhead=-14,
        limit=500,
    )
    qopt = struct.pack("=IIIIII", 1_562_500, 500, 0, 5, 21_474_836, 195_312)
    p, r, h, k1 = 42_949_673, 858_993_459, 0xFFFF_FFFF - 3_865_470_566, 4_294_967
    assert encode(qdisc_of(profile, 7)) == qopt + b"".join(
        (
            attribute(10, 100_000_000, layout="q"),  # TCA_NETEM_LATENCY64
            attribute(11, 12_500_000, layout="q"),  # TCA_NETEM_JITTER64
            attribute(3, 1_073_741_824, 0, layout="II"),  # TCA_NETEM_REORDER: probability, correlation
            attribute(4, 4_294_967, 0, layout="II"),  # TCA_NETEM_CORRUPT
            struct.pack("=HH", 24, 5) + attribute(2, p, r, h, k1, layout="IIII"),  # TCA_NETEM_LOSS, NETEM_LOSS_GE
            attribute(6, 125_000, -14, 0, 0, layout="IiIi"),  # TCA_NETEM_RATE
            attribute(14, 7, layout="Q"),  # TCA_NETEM_PRNG_SEED
        )
    )


def test_the_kernel_has_the_states_in_another_order_than_people():
    """p13, p31, p32, p23, p14 in a profile and for tc; p13, p31, p32, p14, p23 in struct tc_netem_gimodel."""
    packed = encode(qdisc_of(Profile(state=(0.1, 0.2, 0.3, 0.4, 0.5)), 0))
    tenths = [round(tenth / 10 * 0xFFFF_FFFF) for tenth in (1, 2, 3, 5, 4)]
    assert struct.pack("=HH", 28, 5) + attribute(1, *tenths, layout="IIIII") in packed


def test_the_models_have_the_defaults_of_tc():
    assert qdisc_of(Profile(gemodel=(0.25,)), 0) == qdisc_of(Profile(gemodel=(0.25, 0.75, 1.0, 0.0)), 0)
    assert qdisc_of(Profile(state=(0.25,)), 0) == qdisc_of(Profile(state=(0.25, 0.75, 0.0, 1.0, 0.0)), 0)


def test_a_distribution_is_its_table_of_16_bit_numbers():
    profile = Profile(delay=0.1, jitter=0.01, distribution="pareto")
    packed = encode(qdisc_of(profile, 0), profile.distribution)
    assert attribute(2, *table("pareto"), layout="4096h") in packed


def test_a_rate_of_more_than_32_bits_has_an_attribute_of_its_own():
    packed = encode(qdisc_of(Profile(rate=80_000_000_000), 0))
    assert attribute(8, 10_000_000_000, layout="Q") in packed
    assert attribute(6, 0xFFFF_FFFF, 0, 0, 0, layout="IiIi") in packed
    assert decode(packed).rate == 10_000_000_000


probabilities = some.floats(0, 1)
profiles = some.builds(
    Profile,
    delay=some.floats(0.001, 3600),
    jitter=some.floats(0, 2.147),
    gemodel=some.none() | some.lists(probabilities, min_size=1, max_size=4),
    duplicate=probabilities,
    corrupt=probabilities,
    reorder=probabilities,
    gap=some.integers(1, 1_000_000),
    rate=some.integers(0, 100_000_000_000),
    overhead=some.integers(-1500, 1500),
    limit=some.integers(1, 10_000_000),
)


@given(profile=profiles, seed=some.integers(0, 2**64 - 1))
def test_what_is_encoded_is_read_again(profile: Profile, seed: int):
    qdisc = qdisc_of(profile, seed)
    assert decode(encode(qdisc)) == qdisc
    assert difference(qdisc, decode(encode(qdisc))) is None


def test_what_netem_cannot_express_is_refused_by_name():
    with pytest.raises(
        BeyondNetem, match=r"^drop, truncate: the kernel's netem has no such thing; use the engine router"
    ):
        qdisc_of(Profile(loss=0.1, drop=(1,), truncate=0.1), 0)


def test_a_difference_names_the_field_and_both_values():
    wanted = qdisc_of(Profile(loss=1.0, limit=5), 7)
    assert difference(wanted, replace(wanted, limit=1000)) == "limit is 1000 and not 5"
    assert "takes no seed" in str(difference(wanted, replace(wanted, seed=None)))


def test_an_old_kernel_without_64_bit_times_is_understood():
    assert decode(struct.pack("=IIIIII", 1_562_500, 7, 0, 0, 0, 0)) == Qdisc(latency=100_000_000, limit=7)


@pytest.mark.parametrize("data", [b"", bytes(23), bytes(24) + b"\xff\xff\x05\x00", bytes(24) + b"\x00\x00\x05\x00"])
def test_bytes_that_are_not_netems_are_refused(data: bytes):
    with pytest.raises(ValueError):
        decode(data)
