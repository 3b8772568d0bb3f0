"""Datagrams through the relay, with real sockets on loopback."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pytest

from harness.course.address import Address
from harness.lab.interface import LabError
from harness.lab.relay.loop import RelayLoop
from harness.link.model import Link, direction_seeds
from harness.link.profile import Profile


@pytest.fixture
def relay() -> Iterator[RelayLoop]:
    loop = RelayLoop()
    yield loop
    loop.close()


@pytest.fixture
def new() -> Iterator:
    made: list[socket.socket] = []

    def make(host: str = "127.0.0.1") -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        made.append(sock)
        sock.bind((host, 0))
        sock.settimeout(5)
        return sock

    yield make
    for sock in made:
        sock.close()


def address(sock: socket.socket) -> Address:
    host, port = sock.getsockname()[:2]
    return Address("udp", host=host, port=port)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_datagrams_go_and_come_as_from_one_address(relay, new, host):
    server, client = new(host), new(host)
    via = relay.add_udp(to=address(server), towards="student")
    for payload in (b"hello", b"", bytes(60_000)):
        client.sendto(payload, via.pair)
        data, source = server.recvfrom(65_536)
        assert data == payload
        assert source[:2] == relay.seen_by_target(address(client), via).pair
        server.sendto(payload[::-1], source)
        data, source = client.recvfrom(65_536)
        assert (data, source[:2]) == (payload[::-1], via.pair)


def test_each_client_has_a_source_of_its_own_even_before_it_sends(relay, new):
    server, clients = new(), [new(), new()]
    via = relay.add_udp(to=address(server), towards="tester")
    sources = [relay.seen_by_target(address(client), via) for client in clients]
    assert sources[0] != sources[1]
    clients[1].sendto(b"x", via.pair)
    assert server.recvfrom(10)[1] == sources[1].pair


def test_a_stranger_answers_from_another_address_and_can_be_answered(relay, new):
    server, client, stranger = new(), new(), new()
    via = relay.add_udp(to=address(server), towards="tester")
    client.sendto(b"question", via.pair)
    source = server.recvfrom(100)[1]
    stranger.sendto(b"not from whom you asked", source)
    data, claimed = client.recvfrom(100)
    assert data == b"not from whom you asked"
    assert claimed != via.pair
    client.sendto(b"who are you", claimed)
    assert stranger.recvfrom(100) == (b"who are you", source)
    server.sendto(b"answer", source)
    assert client.recvfrom(100) == (b"answer", via.pair)


def test_the_link_loses_what_the_model_says(relay, new):
    server, client = new(), new()
    via = relay.add_udp(to=address(server), towards="student")
    profile = Profile(loss=0.3, duplicate=0.1)
    relay.shape(up=Profile(), down=profile, seed=42)
    link = Link(profile, seed=direction_seeds(42)[1])
    expected = [number for number in range(100) for _ in link.transmit(1, now=0)]
    for number in range(100):
        client.sendto(bytes([number]), via.pair)
    assert [server.recv(10)[0] for _ in expected] == expected
    counters = relay.counters()
    assert (counters.packets, counters.delivered, counters.lost) == (100, len(expected), link.lost)
    assert counters.duplicated == link.duplicated > 0


def test_each_direction_has_its_own_profile(relay, new):
    server, client = new(), new()
    via = relay.add_udp(to=address(server), towards="tester")
    relay.shape(up=Profile(drop=(0,)), down=Profile(delay=0.02), seed=1)
    client.sendto(b"lost", via.pair)
    client.sendto(b"not lost", via.pair)
    data, source = server.recvfrom(100)
    assert data == b"not lost"
    start = time.monotonic()
    server.sendto(b"late", source)
    assert client.recv(100) == b"late"
    assert 0.02 <= time.monotonic() - start < 0.5
    assert relay.counters().late_p99 < 0.2


def test_damaged_and_shortened_datagrams_are_delivered(relay, new):
    server, client = new(), new()
    via = relay.add_udp(to=address(server), towards="student")
    relay.shape(up=Profile(), down=Profile(corrupt=1), seed=1)
    client.sendto(bytes(20), via.pair)
    assert int.from_bytes(server.recv(100)).bit_count() == 1
    relay.shape(up=Profile(), down=Profile(truncate=1), seed=1)
    client.sendto(bytes(20), via.pair)
    assert len(server.recv(100)) < 20


def test_jitter_reorders(relay, new):
    server, client = new(), new()
    via = relay.add_udp(to=address(server), towards="student")
    relay.shape(up=Profile(), down=Profile(delay=0.02, jitter=0.02), seed=1)
    for number in range(50):
        client.sendto(bytes([number]), via.pair)
    got = [server.recv(10)[0] for _ in range(50)]
    assert sorted(got) == list(range(50))
    assert got != sorted(got)
    assert relay.counters().reordered > 0


def test_the_ladder_shows_what_became_of_each(relay, new):
    server, client = new(), new()
    via = relay.add_udp(to=address(server), towards="student")
    relay.shape(up=Profile(), down=Profile(drop=(0,)), seed=1)
    client.sendto(b"12345", via.pair)
    client.sendto(b"678", via.pair)
    server.recv(10)
    header, lost, passed = relay.ladder().splitlines()
    assert "tester" in header
    assert "udp 5" in lost
    assert lost.endswith("lost (drop)")
    assert "udp 3" in passed
    assert passed.endswith("|")
    assert "|<-" in passed


def test_cleared_relays_are_gone_and_the_loop_goes_on(relay, new):
    server, client = new(), new()
    via = relay.add_udp(to=address(server), towards="student")
    relay.shape(up=Profile(), down=Profile(delay=3), seed=1)
    client.sendto(b"x", via.pair)
    relay.seen_by_target(address(client), via)
    relay.clear()
    with pytest.raises(LabError, match="not an address of this relay"):
        relay.seen_by_target(address(client), via)
    again = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    again.bind(via.pair)  # nobody has it any more
    again.close()
    assert relay.add_udp(to=address(server), towards="student").port


def test_a_closed_relay_says_so():
    loop = RelayLoop()
    loop.close()
    loop.close()
    with pytest.raises(LabError, match="does not answer"):
        loop.counters()


def test_an_address_that_is_not_ours_cannot_be_bound(relay, new):
    with pytest.raises(LabError, match=r"cannot bind to 192\.0\.2\.1"):
        relay.add_udp(to=address(new()), towards="student", listen="192.0.2.1")


def test_the_recording_has_every_datagram_and_what_came_of_it(relay, new):
    server, client = new(), new()
    via = relay.add_udp(to=address(server), towards="tester")
    relay.shape(up=Profile(drop=(1,), duplicate=1.0, delay=0.001), down=Profile(corrupt=1.0), seed=3)
    for payload in (b"one", b"two", b"three"):
        client.sendto(payload, via.pair)
    arrived = [server.recvfrom(100) for _ in range(4)]
    server.sendto(b"answer", arrived[0][1])
    damaged = client.recv(100)
    rows = relay.packets()
    assert [(row.number, row.direction, row.data, row.delivered, row.fate) for row in rows] == [
        (1, "up", b"one", b"one", "duplicated"),
        (1, "up", b"one", b"one", "delivered"),
        (2, "up", b"two", b"", "lost"),
        (3, "up", b"three", b"three", "duplicated"),
        (3, "up", b"three", b"three", "delivered"),
        (4, "down", b"answer", damaged, "corrupted"),
    ]
    assert (rows[0].sent, rows[2].arrived, rows[2].why) == (0.0, None, "drop")
    assert all(row.arrived >= row.sent for row in rows if row.arrived is not None)
    relay.shape(up=Profile(), down=Profile(), seed=4)
    assert len(relay.packets()) == 6  # a test may change the link
    relay.clear()
    assert relay.packets() == []


def test_a_server_bound_to_every_address_is_no_stranger(relay, new):
    server, client = new("0.0.0.0"), new()
    target = Address("udp", host="127.0.0.2", port=server.getsockname()[1])
    via = relay.add_udp(to=target, towards="student")
    client.sendto(b"question", via.pair)
    _, source = server.recvfrom(100)
    server.sendto(b"answer", source)  # from 127.0.0.1, as the kernel has it
    assert client.recvfrom(100) == (b"answer", via.pair)
