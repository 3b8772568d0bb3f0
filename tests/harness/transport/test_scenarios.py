"""The list of scenarios, what is in it, and how many seeds a correct program has to pass."""

from __future__ import annotations

import pytest

from harness.link.profile import Profile
from harness.transport.simulation import k_of_n as kofn
from harness.transport.simulation.catalogue import CATALOGUE, scenario
from harness.transport.simulation.scenarios import ROLES, App, Lose, Scenario

#: What the assignment lists, with a word of a scenario's name.
PROMISED = """
empty stream|empty stream
sizes around the segment size|1199 bytes, 1200 bytes, 1201 bytes, 2400 bytes, 2401 bytes
8 MB|8 MB
one byte every 100 ms|one byte every 100 ms
both directions|both directions
ping-pong|ping-pong
first SYN, SYN-ACK, last ACK|first SYN lost, SYN-ACK lost, last ACK lost
first and last data segment, FIN each lost|first data segment lost, last data segment lost, FIN lost
same segment lost four times|a segment lost four times
one and two holes in a window|one hole in a window, two holes in a window
2 %, 10 %, 20 % loss on data|2 % loss on data, 10 % loss on data, 20 % loss on data
on ACKs|2 % loss on ACKs, 10 % loss on ACKs, 20 % loss on ACKs
on both|2 % loss on both, 10 % loss on both, 20 % loss on both
20 % duplicates|20 % duplicates
jitter that reorders|jitter that reorders
5 % and 20 % damage anywhere|5 % damage, 20 % damage
truncated datagrams|truncated datagrams
garbage from the peer's address|garbage from the peer
everything at once|everything at once
sequence wrap|sequence wrap
a segment replayed 1.5 s late|a segment replayed 1.5 s late
a reader that sleeps|a reader that sleeps
a lost window update|window update lost
tiny windows|tiny windows, a window of one byte
RTT step from 20 to 400 ms|RTT step from 20 to 400 ms
a 2 s blackhole|a 2 s blackhole
750 ms links|750 ms links
long fat links|a long fat link
queues of 3 and 64 packets|a queue of 3 packets, a queue of 64 packets
a rate that drops tenfold|a rate that drops tenfold
"""


@pytest.mark.parametrize("row", PROMISED.strip().splitlines())
def test_what_is_promised_is_there(row: str):
    for name in row.split("|")[1].split(", "):
        assert scenario(name).why


@pytest.mark.parametrize("row", CATALOGUE.values(), ids=list(CATALOGUE))
def test_a_scenario_can_be_run(row: Scenario):
    assert 3 <= row.stage <= 7
    assert row.limit > max(change.at for change in row.changes) if row.changes else row.limit > 0
    assert (row.flaky > 0) == row.random, "only dice make a correct program fail"
    if row.random:
        assert row.flaky <= 0.01
        losses = [p for p in (row.to_server, row.to_client) if p.loss]
        assert all(p.burst_cap for p in losses), "bad luck is bounded"
    for lose in row.lose:
        assert lose.sender in ROLES
    assert row.app("client").sends <= 10_000_000


def test_most_streams_are_32_kib_and_one_has_8_mb():
    sizes = [row.client.sends for row in CATALOGUE.values()]
    assert sizes.count(32_768) > len(sizes) / 2
    assert sizes.count(8_000_000) == 1


def test_a_scenario_can_be_changed_by_name():
    row = scenario("32 KiB", to_server=Profile(delay=1.0), client=App(sends=5))
    assert (row.to_server.delay, row.client.sends) == (1.0, 5)
    assert scenario("32 KiB").client.sends == 32_768


def test_the_other_way_round_changes_everything():
    row = scenario("window update lost", lose=(Lose(sender="server", what="window update"),)).reversed()
    assert row.lose[0].sender == "client"
    assert row.buffer("client") == 8192
    assert row.client.sleeps is not None
    assert scenario("nobody there").reversed().watched == ("server",)


# -- k of n --------------------------------------------------------------------------------------------------------


def test_the_tail_is_that_of_the_binomial():
    assert kofn.false_fail(3, 3, 0.5) == pytest.approx(7 / 8)
    assert kofn.false_fail(2, 3, 0.5) == pytest.approx(4 / 8)
    assert kofn.false_fail(0, 3, 0.5) == 0
    assert kofn.false_fail(3, 3, 0.0) == 0


@pytest.mark.parametrize("seeds", [1, 3, 10, 50])
@pytest.mark.parametrize("flaky", [0.0, 1e-5, 0.002, 0.05])
def test_as_many_are_asked_for_as_the_bound_allows(seeds: int, flaky: float):
    count = kofn.needed(seeds, flaky)
    assert kofn.false_fail(count, seeds, flaky) <= kofn.BOUND
    assert count == seeds or kofn.false_fail(count + 1, seeds, flaky) > kofn.BOUND


def test_the_bound_is_told():
    text = kofn.sentence(2, 3, 0.01)
    assert "2 of 3 seeds have to pass" in text
    assert "1 of 3,355" in text
    assert "never" in kofn.sentence(3, 3, 0.0)
