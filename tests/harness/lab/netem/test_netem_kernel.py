"""A profile in a live kernel: put, read back, replaced, counted, removed, refused."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from harness.lab.interface import LabError
from harness.lab.netem.kernel import NetemQdisc
from harness.lab.node.warden import inside_network
from harness.link.named import load_profiles
from harness.link.netem_wire import BeyondNetem, qdisc_of
from harness.link.netem_words import beyond_netem
from harness.link.profile import Profile
from tests.harness.lab.netem.kernel_wire import Wire, new_namespace, new_wire

pytestmark = pytest.mark.netem


@pytest.fixture
def qdisc() -> Iterator[NetemQdisc]:
    """On the lo of a namespace that nobody else is in."""
    with new_namespace() as namespace, inside_network(namespace), NetemQdisc("lo") as qdisc:
        yield qdisc


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with new_wire() as wire:
        wire.learn(500)
        yield wire


def as_tc_says() -> str:
    return subprocess.run(
        ["tc", "qdisc", "show", "dev", "lo"], capture_output=True, text=True, check=True
    ).stdout.strip()


EVERYTHING = Profile(
    delay=0.1,
    jitter=0.02,
    distribution="normal",
    gemodel=(0.01, 0.2, 0.9, 0.001),
    duplicate=0.1,
    corrupt=0.05,
    reorder=0.25,
    gap=5,
    rate=80_000_000_000,
    overhead=-14,
    limit=77,
)


@pytest.mark.parametrize("seed", [0, 7, 2**64 - 1])
def test_everything_that_netem_has_is_read_back_as_it_was_put(qdisc: NetemQdisc, seed: int):
    assert qdisc.put(EVERYTHING, seed=seed) == qdisc_of(EVERYTHING, seed)
    told = as_tc_says()
    for words in ("limit 77 delay 100ms  20ms", "gemodel p 1% r 20% 1-h 90% 1-k 0.1%", "duplicate 10%", "gap 5"):
        assert words in told
    for words in ("reorder 25%", "corrupt 5%", "rate 80Gbit packetoverhead -14"):
        assert words in told


def test_the_four_states_are_in_the_order_of_the_kernel(qdisc: NetemQdisc):
    qdisc.put(Profile(state=(0.1, 0.2, 0.3, 0.4, 0.05)), seed=1)
    assert "loss state p13 10% p31 20% p32 30% p23 40% p14 5%" in as_tc_says()


def test_a_new_profile_keeps_nothing_of_the_one_before(qdisc: NetemQdisc):
    qdisc.put(EVERYTHING, seed=1)
    assert qdisc.put(Profile(delay=0.01), seed=2) == qdisc_of(Profile(delay=0.01), 2)


def test_what_netem_cannot_express_is_refused_and_changes_nothing(qdisc: NetemQdisc):
    qdisc.put(Profile(loss=0.5), seed=1)
    with pytest.raises(BeyondNetem, match=r"^burst_cap: "):
        qdisc.put(Profile(loss=0.1, burst_cap=3), seed=1)
    assert "loss 50%" in as_tc_says()


OURS = [(named.name, side, getattr(named, side)) for named in load_profiles().values() for side in ("up", "down")]


@pytest.mark.parametrize(("name", "side", "profile"), OURS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_profile_of_ours_is_taken_or_refused_by_name(qdisc: NetemQdisc, name: str, side: str, profile: Profile):
    if beyond := beyond_netem(profile):
        with pytest.raises(BeyondNetem, match=", ".join(beyond)):
            qdisc.put(profile, seed=1)
    else:
        assert qdisc.put(profile, seed=1) == qdisc_of(profile, 1), (name, side)


def test_removed_it_is_gone_and_removing_nothing_is_no_error(qdisc: NetemQdisc):
    qdisc.put(Profile(loss=0.5), seed=1)
    qdisc.remove()
    qdisc.remove()
    assert "netem" not in as_tc_says()
    with pytest.raises(LabError, match="netem on lo is gone"):
        qdisc.counters()


def test_an_interface_that_is_not_there_is_named():
    with pytest.raises(LabError, match="netem on w9: there is no such interface here"):
        NetemQdisc("w9")


def test_the_counters_tell_what_was_done(wire: Wire):
    recording = wire.record(Profile(loss=0.2, duplicate=0.1), 7, [500])
    counters = recording.counters
    assert counters.sent == len(recording.arrivals)
    assert counters.sent_bytes == counters.sent * 110
    assert (counters.queued, counters.backlog) == (0, 0)
    assert counters.dropped > 50
    if counters.impairments is not None:  # from Linux 7.2 on
        assert counters.sent == 500 + counters.impairments["duplicated"] - counters.impairments["dropped"]


def test_the_seed_of_the_patch_that_brought_seeds(wire: Wire):
    """Its cover letter: loss 10 % and seed 42424242 lose the 5th, the 12th and the 24th of 25."""
    recording = wire.record(Profile(loss=0.1), 42_424_242, [25])
    assert set(range(1, 26)) - {arrival.number + 1 for arrival in recording.arrivals} == {5, 12, 24}
