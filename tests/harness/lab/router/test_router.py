"""The TUN router between two network namespaces, and what it does to packets."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from harness.lab.router import packet as ip_packet
from harness.link.model import Link, direction_seeds
from harness.link.profile import Profile
from tests.harness.lab import wire_promises
from tests.harness.lab.namespaces import ADDRESSES, Star, ip
from tests.harness.lab.wire_promises import families


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Star]:
    star = Star(tmp_path_factory.mktemp("router"))
    yield star
    star.close()


@pytest.fixture
def star(running: Star) -> Star:
    running.shape()
    return running


@pytest.mark.tun
@families
def test_each_direction_takes_its_delay(star, family):
    counters = wire_promises.each_direction_takes_its_delay(star, family)
    assert (counters["packets"], counters["delivered"], counters["engine_drops"]) == (2, 2, 0)
    assert 0 < counters["late_p99"] < 0.1
    assert counters["scheduler"] in ("fifo", "other")


@pytest.mark.tun
@families
def test_a_connection_passes_and_loss_is_repaired(star, family):
    wire_promises.a_connection_passes_and_loss_is_repaired(star, family)


@pytest.mark.tun
@families
def test_the_packets_lost_are_those_of_the_model_and_are_told(star, family):
    tester, student = star.bound(family, socket.SOCK_DGRAM)
    profile = Profile(loss=0.2, duplicate=0.1)
    before = time.time()
    star.shape(up=profile, seed=4)
    link = Link(profile, seed=direction_seeds(4)[0])
    expected = [number for number in range(100) for _ in link.transmit(1, now=0)]
    for number in range(100):
        student.sendto(bytes([number]), tester.getsockname()[:2])
    assert [tester.recv(10)[0] for _ in expected] == expected
    fates = star.ask(op="fates", since=before)["fates"]
    assert sum(fate == "lost" for _, _, fate, _, _ in fates) == 100 - len(set(expected))
    assert star.ask(op="counters")["lost"] == link.lost  # lost copies are counted as well
    assert {direction for _, direction, *_ in fates} == {"up"}
    assert all((identity is None) == (family == 6) for *_, identity in fates)


@pytest.mark.tun
@families
def test_damaged_and_shortened_datagrams_reach_the_program(star, family):
    tester, student = star.bound(family, socket.SOCK_DGRAM)
    star.shape(up=Profile(corrupt=1), down=Profile(truncate=1))
    student.sendto(bytes(21), tester.getsockname()[:2])
    assert int.from_bytes(tester.recv(100)).bit_count() == 1
    tester.sendto(bytes(21), student.getsockname()[:2])
    assert len(student.recv(100)) < 21


@pytest.mark.tun
@families
def test_nobody_talks_to_the_link_itself(star, family):
    wire_promises.nobody_talks_to_the_link_itself(star, family)


@pytest.mark.tun
@families
def test_nobody_sends_in_the_name_of_the_other_side(star, family):
    tester, student = ADDRESSES[family]
    whole = 32 if family == 4 else 128
    ip("-n", star.names["S"], "addr", "add", f"{tester}/{whole}", "dev", "lo")
    try:
        for source in (tester, student):
            sock = star.socket("S", family, socket.SOCK_DGRAM)
            sock.bind((source, 0))
            sock.sendto(b"who am I?", (tester.removesuffix("2") + "9", 9))
            sock.close()
        counters = star.ask(op="counters")
        while counters["packets"] == 0:  # the kernel hands packets over within microseconds
            counters = star.ask(op="counters")
    finally:
        ip("-n", star.names["S"], "addr", "del", f"{tester}/{whole}", "dev", "lo")
    assert counters["packets"] == 1  # the student's own


@pytest.mark.tun
def test_a_flood_of_the_student_is_lost_on_its_own_wire(star):
    """Were it lost in the router's queue, it would count as ours and make the run inconclusive."""
    tester, student = star.bound(4, socket.SOCK_DGRAM)
    address = tester.getsockname()
    for _ in range(100_000):
        student.sendto(b"x", address)
    counters = star.ask(op="counters")
    assert counters["engine_drops"] == 0
    assert counters["packets"] > 0


@pytest.mark.tun
def test_a_wrong_request_is_answered_with_what_is_wrong(star):
    assert 'Did you mean "delay"' in star.ask(op="shape", up={"dealy": 1}, down={}, seed=1)["text"]
    assert "shape, counters" in star.ask(op="reboot")["text"]
    assert "seed" in star.ask(op="shape")["text"]
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(str(star.control))
        sock.sendall(b'[]\n{"op": "counters"}\n')
        answers = [json.loads(line) for _, line in zip(range(2), sock.makefile(), strict=False)]
    assert [answer["ok"] for answer in answers] == [False, True]


@pytest.mark.tun
@families
def test_pings_of_the_student_are_not_carried(star, family):
    """No kernel bounds its answers to them."""
    protocol, request = (socket.IPPROTO_ICMP, 8) if family == 4 else (socket.IPPROTO_ICMPV6, 128)
    pinging = star.socket("S", family, socket.SOCK_RAW, protocol)
    echo = struct.pack("!BBHHH", request, 0, 0, 1, 1)
    if family == 4:
        echo = echo[:2] + struct.pack("!H", ip_packet.checksum(echo)) + echo[4:]
    for _ in range(5):
        pinging.sendto(echo, (ADDRESSES[family][0], 0))
    tester, student = star.bound(family, socket.SOCK_DGRAM)
    student.sendto(b"after", tester.getsockname()[:2])
    assert tester.recv(10) == b"after"
    assert star.ask(op="counters")["packets"] == 1


@pytest.mark.tun
def test_packets_with_data_are_counted_by_direction(star):
    tester, student = star.bound(4, socket.SOCK_DGRAM)
    for _ in range(3):
        student.sendto(b"x", tester.getsockname()[:2])
        tester.recv(10)
    tester.sendto(b"x", student.getsockname()[:2])
    student.recv(10)
    counters = star.ask(op="counters")
    assert (counters["data_up"], counters["data_down"]) == (3, 1)


# -- packets, without a network ----------------------------------------------------------------------------------


def udp4(payload: bytes, *, to: str = "10.77.1.2", checksum: bool = True, fragment: int = 0) -> bytes:
    length = 8 + len(payload)
    source, target = socket.inet_aton("10.77.2.2"), socket.inet_aton(to)
    udp = struct.pack("!HHHH", 5000, 6000, length, 0) + payload
    if checksum:
        pseudo = source + target + struct.pack("!HH", 17, length)
        udp = udp[:6] + struct.pack("!H", ip_packet.checksum(pseudo + udp)) + udp[8:]
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 77, fragment, 64, 17, 0, source, target)
    return head[:10] + struct.pack("!H", ip_packet.checksum(head)) + head[12:] + udp


def udp6(payload: bytes) -> bytes:
    addresses = socket.inet_pton(socket.AF_INET6, "fd77:2::2") + socket.inet_pton(socket.AF_INET6, "fd77:1::2")
    length = 8 + len(payload)
    udp = struct.pack("!HHHH", 5000, 6000, length, 0) + payload
    sums = ip_packet.checksum(addresses + struct.pack("!II", length, 17) + udp)
    return struct.pack("!IHBB", 6 << 28, length, 17, 64) + addresses + udp[:6] + struct.pack("!H", sums) + udp[8:]


def test_the_direction_is_told_by_where_a_packet_goes():
    assert ip_packet.direction(udp4(b"")) == "up"
    assert ip_packet.direction(udp4(b"", to="10.77.2.9")) == "down"
    assert ip_packet.direction(udp4(b"", to="10.77.3.9")) == "up"
    assert ip_packet.direction(udp4(b"", to="10.77.4.9")) is None
    assert ip_packet.direction(udp6(b"")) == "up"
    assert ip_packet.direction(b"") is None


def tcp(payload: bytes, *, six: bool, options: bytes = b"") -> bytes:
    segment = struct.pack("!HHIIBBHHH", 1, 2, 3, 4, (5 + len(options) // 4) << 4, 16, 5, 0, 0) + options + payload
    if six:
        return udp6(segment)[:6] + bytes([6, 64]) + udp6(b"")[8:40] + segment
    return udp4(b"")[:9] + bytes([6]) + udp4(b"")[10:20] + segment


@pytest.mark.parametrize("six", [False, True])
@pytest.mark.parametrize("options", [b"", bytes(12), bytes(40)])
def test_a_segment_without_payload_carries_no_data(six, options):
    assert not ip_packet.carries_data(tcp(b"", six=six, options=options))
    assert ip_packet.carries_data(tcp(b"x", six=six, options=options))


def test_datagrams_carry_data_whatever_is_in_them():
    assert ip_packet.carries_data(udp4(b"")) and ip_packet.carries_data(udp6(b""))
    assert ip_packet.carries_data(tcp(b"", six=False)[:30])  # a fragment


@pytest.mark.parametrize("make", [udp4, udp6])
@pytest.mark.parametrize("keep", [10, 9, 3, 0])
def test_a_repaired_packet_is_as_if_it_had_been_sent_so(make, keep):
    packet = make(b"0123456789")
    start = ip_packet.udp_start(packet)
    damaged = packet[: start + 8] + b"9876543210"[:keep]
    assert ip_packet.repaired(damaged, start) == make(b"9876543210"[:keep])


def test_a_datagram_without_checksum_stays_without():
    packet = udp4(b"abc", checksum=False)
    assert ip_packet.repaired(packet, 20)[26:28] == b"\0\0"


def test_fragments_and_other_protocols_are_damaged_behind_the_ip_header():
    assert ip_packet.payload_start(udp4(b"abc")) == 28
    fragment = udp4(b"abc", fragment=0x2000)
    assert (ip_packet.udp_start(fragment), ip_packet.payload_start(fragment)) == (0, 20)
    assert ip_packet.payload_start(udp6(b"abc")) == 48
