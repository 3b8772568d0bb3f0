"""The kernel's netem on the wires of a star of network namespaces, in the place of the router."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from harness.link.model import Link, direction_seeds
from harness.link.profile import Profile
from tests.harness.lab import wire_promises
from tests.harness.lab.namespaces import ADDRESSES, Star, ip
from tests.harness.lab.wire_promises import families

pytestmark = pytest.mark.netem


@pytest.fixture(scope="module", params=["netem", "auto"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Star]:
    folder = tmp_path_factory.mktemp(request.param)
    star = Star(folder, "harness.lab.netem.router", "--engine", request.param)
    star.engine = request.param
    yield star
    star.close()


@pytest.fixture
def star(running: Star) -> Star:
    running.shape()
    return running


@families
def test_each_direction_takes_its_delay(star, family):
    counters = wire_promises.each_direction_takes_its_delay(star, family)
    until = time.monotonic() + 2
    while counters["packets"] != counters["delivered"] and time.monotonic() < until:
        counters = star.ask(op="counters")  # a report of the kernel's own may still be under way
    assert counters["packets"] == counters["delivered"] >= 2
    assert (counters["lost"], counters["engine"]) == (0, "netem")


def test_the_packets_lost_are_those_of_the_model(tmp_path):
    """On wires without IPv6: in their first seconds the kernel's multicast reports would draw from the seed, too."""
    star = Star(tmp_path, "harness.lab.netem.router", "--engine", "netem")
    try:
        for wire in ("w1", "w2"):
            setting = f"net.ipv6.conf.{wire}.disable_ipv6=1"
            ip("netns", "exec", star.names["L"], "sysctl", "-qw", setting)
        tester, student = star.bound(4, socket.SOCK_DGRAM)
        profile = Profile(loss=0.2, duplicate=0.1)
        for way, sender, receiver in ((0, student, tester), (1, tester, student)):
            star.shape(up=profile, down=profile, seed=4)
            link = Link(profile, seed=direction_seeds(4)[way])
            expected = [number for number in range(200) for _ in link.transmit(1, now=0)]
            for number in range(200):
                sender.sendto(bytes([number]), receiver.getsockname()[:2])
            assert [receiver.recv(10)[0] for _ in expected] == expected
            counters = star.ask(op="counters")
            assert (counters["packets"], counters["delivered"]) == (200, len(expected))
    finally:
        star.close()


@families
def test_a_connection_passes_and_loss_is_repaired(star, family):
    wire_promises.a_connection_passes_and_loss_is_repaired(star, family)


@families
def test_nobody_talks_to_the_link_itself(star, family):
    wire_promises.nobody_talks_to_the_link_itself(star, family)


@families
def test_nobody_sends_in_the_name_of_the_other_side(star, family):
    tester, student = ADDRESSES[family]
    whole = 32 if family == 4 else 128
    receiver = star.socket("T", family, socket.SOCK_DGRAM)
    receiver.bind((tester, 0))
    stranger = "10.77.3.9" if family == 4 else "fd77:3::9"
    usable_at_once = ("nodad",) if family == 6 else ()
    ip("-n", star.names["S"], "addr", "add", f"{stranger}/{whole}", "dev", "lo", *usable_at_once)
    try:
        for source in (stranger, student):
            sock = star.socket("S", family, socket.SOCK_DGRAM)
            sock.bind((source, 0))
            sock.sendto(b"who am I?", receiver.getsockname()[:2])
            sock.close()
        assert receiver.recvfrom(100)[1][0] == student
    finally:
        ip("-n", star.names["S"], "addr", "del", f"{stranger}/{whole}", "dev", "lo")


@families
def test_a_flush_forgets_what_is_under_way(star, family):
    tester, student = star.bound(family, socket.SOCK_DGRAM)
    star.shape(up=Profile(delay=0.2))
    student.sendto(b"old", tester.getsockname()[:2])
    assert star.ask(op="flush") == {"ok": True}
    student.sendto(b"new", tester.getsockname()[:2])
    assert tester.recv(100) == b"new"


BEYOND = Profile(drop=(0, 2))


@families
def test_what_netem_cannot_do_is_refused_by_name_or_goes_through_the_router(star, family):
    tester, student = star.bound(family, socket.SOCK_DGRAM)
    if star.engine == "netem":
        answer = star.ask(op="shape", up=BEYOND.as_dict(), down={}, seed=1)
        assert not answer["ok"]
        assert answer["text"].startswith("drop: the kernel's netem has no such thing")
        return
    for profile, engine, expected in (
        (BEYOND, "router", [1, 3]),
        (Profile(delay=0.001), "netem", [0, 1, 2, 3]),
        (Profile(drop=(3,), delay=0.001), "router", [0, 1, 2]),
    ):
        star.shape(up=profile)
        for number in range(4):
            student.sendto(bytes([number]), tester.getsockname()[:2])
        assert [tester.recv(10)[0] for _ in expected] == expected
        counters = star.ask(op="counters")
        assert counters["engine"] == engine
        assert counters["packets"] >= 4


def test_damage_reaches_the_program_only_through_the_router(star):
    tester, student = star.bound(4, socket.SOCK_DGRAM)
    star.shape(up=Profile(corrupt=1))
    student.sendto(bytes(21), tester.getsockname())
    if star.engine == "auto":
        assert int.from_bytes(tester.recv(100)).bit_count() == 1
    else:
        assert star.ask(op="counters")["engine"] == "netem"
