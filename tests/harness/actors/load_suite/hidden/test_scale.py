"""Load and measurement in the Docker lab: as many clients as when graded, over the router."""

import pytest

from harness.testing import Broken


def test_eleven_thousand_clients(lab):
    server = lab.serves("server")
    before = lab.kernel.usage()
    load = lab.clients.load(server, idle=10_000, active=1_000)
    assert load.count == 11_004
    assert 0 < load.memory_per_client(before) < 4_000
    lab.kernel.finds_idle(server, for_=0.5)
    with lab.kernel.measures() as seen:
        load.drives(seconds=1.5).stays_fair(at_most=0.25)
    seen.one_thread(server)
    load.all_answer()
    load.closes()
    lab.kernel.finds_all_given_back(before)


@pytest.mark.parametrize("fault", ["busy", "polling"])
def test_a_busy_loop_is_found(lab, fault):
    server = lab.serves("server", fault)
    with pytest.raises(Broken, match="busy while there is nothing to do"):
        lab.kernel.finds_idle(server, for_=0.4)


@pytest.mark.parametrize("fault", ["threads", "forks"])
def test_helpers_are_found(lab, fault):
    server = lab.serves("server", fault)
    lab.kernel.finds_one_thread(server)
    lab.clients.load(server, idle=5)
    with pytest.raises(Broken, match=r"threads beside|more than one process"):
        lab.kernel.finds_one_thread(server)


@pytest.mark.parametrize("fault", ["bounded", "unbounded"])
def test_memory_of_a_server_whose_client_never_reads(lab, fault):
    server = lab.serves("server", fault)
    with lab.kernel.measures() as seen:
        lab.clients.misbehaving(server, receive_buffer=4096).never_reads(bytes(30_000_000), quiet=0.3)
    if fault == "bounded":
        seen.memory_stays_within(4_000_000)
        return
    with pytest.raises(Broken, match="without bound"):
        seen.memory_stays_within(4_000_000)


@pytest.mark.parametrize("fault", ["works", "drains"])
def test_greedy_clients_at_full_speed(lab, fault):
    """Beside the server, where no link holds them back."""
    load = lab.clients.load(lab.serves("server", fault, at="unix:echo.sock"), idle=10, active=10)
    traffic = load.drives(seconds=1.0, greedy=2)
    if fault == "works":
        traffic.stays_fair(at_most=0.25)
        return
    with pytest.raises(Broken):
        traffic.stays_fair(at_most=0.25)


def test_a_storm_of_resets_over_the_router(lab):
    server = lab.serves("server")
    before = lab.kernel.usage()
    lab.clients.load(server, idle=1_000, bystanders=0).resets()
    lab.kernel.finds_all_given_back(before)
    peer = lab.connects(server)
    peer.sends(b"still there")
    peer.reads_exactly(b"still there")
