"""Captures: both ends in one file, comments with the packets' numbers, and the way back."""

from __future__ import annotations

import io

import pytest
from dpkt import ethernet, ip, pcap, pcapng, udp
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.link.profile import Profile
from harness.link.simulator import Simulation
from harness.link.trace import Packet
from harness.pictures.capture import PORT, BadCapture, from_capture, to_pcapng
from harness.pictures.ladder import Note
from tests.harness.link.test_simulator import Quiet


def a_run(profile: Profile, count: int = 150, seed: int = 3) -> list[Packet]:
    """Datagrams of different sizes both ways over a link; some are the same bytes again, as when repeated."""
    one, other = Quiet(), Quiet()
    one.queue = [bytes([n % 7]) * (n % 5 + 30) for n in range(count)]
    other.queue = [b"ack" + bytes([n]) * 20 for n in range(count // 2)]
    simulation = Simulation({"one": one, "other": other}, up=profile, down=profile, seed=seed)
    for wave in range(1, 5):
        simulation.at(wave / 4, lambda _now: one.queue.extend([b"again" * 9]))
    simulation.run()
    return simulation.packets


def frames(data: bytes) -> list[tuple[int, float, bytes, str]]:
    """(interface, time, payload, comment) of each packet in the file, read with dpkt's own blocks."""
    found = []
    offset = 0
    while offset < len(data):
        kind = int.from_bytes(data[offset : offset + 4], "little")
        size = int.from_bytes(data[offset + 4 : offset + 8], "little")
        if kind == pcapng.PCAPNG_BT_EPB:
            block = pcapng.EnhancedPacketBlockLE(data[offset : offset + size])
            datagram = ethernet.Ethernet(block.pkt_data).data.data
            comment = next((option.text for option in block.opts if option.code == 1), "")
            at = ((block.ts_high << 32) | block.ts_low) / 1e6
            found.append((block.iface_id, at, datagram.data, comment))
        offset += size
    return found


def test_each_end_has_its_interface_and_each_comment_its_number() -> None:
    packets = [
        Packet(1, 0.0, 0.02, "up", b"hello", b"hello", "delivered"),
        Packet(2, 0.0, None, "up", b"gone", b"", "lost", "drop"),
        Packet(3, 0.02, 0.04, "down", b"sound", b"soond", "corrupted"),
        Packet(4, 0.03, 0.06, "up", b"twice", b"twice", "delivered"),
        Packet(4, 0.03, 0.05, "up", b"twice", b"twice", "duplicated"),
        Packet(5, 0.07, None, "down", b"full", b"", "overflowed", "limit"),
    ]
    student, tester = 1, 0
    assert frames(to_pcapng(packets)) == [
        (student, 0.0, b"hello", "#1 sent"),
        (student, 0.0, b"gone", "#2 sent; lost by the link (drop)"),
        (tester, 0.02, b"hello", "#1 arrived"),
        (tester, 0.02, b"sound", "#3 sent"),
        (student, 0.03, b"twice", "#4 sent"),
        (student, 0.04, b"soond", "#3 arrived; damaged by the link"),
        (tester, 0.05, b"twice", "#4 arrived; a copy made by the link"),
        (tester, 0.06, b"twice", "#4 arrived"),
        (tester, 0.07, b"full", "#5 sent; lost by the link (queue full)"),
    ]


def test_notes_go_into_the_comment_and_cannot_steer_a_terminal() -> None:
    packets = [Packet(1, 0.0, None, "up", b"x", b"", "lost")]
    ((*_, comment),) = frames(to_pcapng(packets, notes={1: [Note("rule 3.4\x1b[2J", broken=True)]}))
    assert comment == "#1 sent; lost by the link; rule 3.4\\x1b[2J"


def test_a_kernel_would_take_the_frames() -> None:
    data = to_pcapng([Packet(1, 0.0, 0.1, "up", b"hello", b"hel1o", "corrupted")])
    reader = pcapng.Reader(io.BytesIO(data))
    for _, frame in reader:
        packet = ethernet.Ethernet(frame).data
        sums = packet.sum, packet.data.sum
        packet.sum = packet.data.sum = 0
        again = ip.IP(bytes(packet))
        assert (again.sum, again.data.sum) == sums, "checksums are those of what is in it, damaged or not"
        assert packet.data.dport == PORT
        assert (packet.src, packet.dst) == (bytes([10, 77, 2, 2]), bytes([10, 77, 1, 2]))


def shape(packets: list[Packet]) -> list[tuple[object, ...]]:
    """What is known of packets from the wires alone: why something was lost is not; times to the microsecond."""
    fates = {"overflowed": "lost"}
    return sorted(
        (
            p.number,
            round(p.sent, 5),
            -1.0 if p.arrived is None else round(p.arrived, 5),
            p.direction,
            p.data,
            p.delivered,
            fates.get(p.fate, p.fate),
        )
        for p in packets
    )


@pytest.mark.parametrize(
    "profile",
    [
        Profile(delay=0.02),
        Profile(delay=0.02, loss=0.2),
        Profile(delay=0.02, corrupt=0.2),
        Profile(delay=0.02, loss=0.1, truncate=0.1),
        Profile(delay=0.02, rate=400_000, limit=10),
    ],
    ids=["clean", "loss", "damage", "cut", "queue"],
)
def test_what_was_written_is_read_again(profile: Profile) -> None:
    packets = a_run(profile)
    assert shape(from_capture(to_pcapng(packets))) == shape(packets)


def test_copies_and_overtaking_are_found_again() -> None:
    packets = a_run(Profile(delay=0.02, jitter=0.01, duplicate=0.2))
    found = from_capture(to_pcapng(packets))
    for numbers in ({p.number for p in packets}, {p.number for p in found}):
        assert numbers == set(range(1, max(numbers) + 1))
    assert len(found) == len(packets)
    assert sum(p.fate == "duplicated" for p in found) == len(packets) - max(p.number for p in packets)
    assert any(p.fate == "reordered" for p in found)


def test_of_the_last_packets_nobody_knows() -> None:
    packets = [
        Packet(1, 0.0, None, "up", b"a", b"", "lost"),
        Packet(2, 0.0, 0.1, "up", b"b", b"b", "delivered"),
        Packet(3, 0.05, None, "up", b"c", b"", "lost"),
    ]
    assert [packet.why for packet in from_capture(to_pcapng(packets))] == ["or under way", "", "or under way"]
    later = [*packets, Packet(4, 0.2, 0.3, "up", b"d", b"d", "delivered")]
    assert [packet.why for packet in from_capture(to_pcapng(later))][:3] == ["", "", ""]


def lab_frame(payload: bytes, hops: int = 64) -> bytes:
    """A frame as a kernel makes it for an unconnected socket: all have the same identification."""
    datagram = udp.UDP(sport=4000, dport=5000, data=payload, ulen=8 + len(payload))
    ends = {"src": bytes([10, 77, 2, 2]), "dst": bytes([10, 77, 1, 2])}
    packet = ip.IP(**ends, p=17, ttl=hops, id=0, df=1, data=datagram)
    packet.len = 28 + len(payload)
    return bytes(ethernet.Ethernet(data=packet))


def test_of_equal_datagrams_the_one_is_taken_that_took_the_usual_time() -> None:
    from harness.pictures import wires

    rows = []
    for number in range(5):
        rows += [
            wires.WirePacket(number / 10, 1, lab_frame(bytes([number]))),
            wires.WirePacket(number / 10 + 0.02, 0, lab_frame(bytes([number]), 62)),
        ]
    rows += [
        wires.WirePacket(1.0, 1, lab_frame(b"same")),
        wires.WirePacket(2.0, 1, lab_frame(b"same")),
        wires.WirePacket(2.02, 0, lab_frame(b"same", 62)),
    ]
    found = from_capture(wires.as_pcapng(rows))
    assert [(p.number, p.sent, p.arrived and round(p.arrived, 3)) for p in found[-2:]] == [
        (6, 1.0, None),
        (7, 2.0, 2.02),
    ]


@pytest.mark.parametrize(("one", "other"), [(2, 1), (2, 3), (3, 1)])
def test_up_is_from_the_student_whichever_two_nodes_talk(one: int, other: int) -> None:
    from harness.pictures import wires

    rows = []
    for n, (source, target) in enumerate([(one, other), (other, one)]):
        frame = bytearray(lab_frame(bytes([n])))
        frame[14 + 14], frame[14 + 18] = source, target  # third byte of the addresses
        rows += [
            wires.WirePacket(n + 0.0, source - 1, bytes(frame)),
            wires.WirePacket(n + 0.1, target - 1, bytes(frame)),
        ]
    found = from_capture(wires.as_pcapng(rows, names=("tester", "student", "second")))
    assert [(p.direction, p.arrived is not None) for p in found] == [("up", True), ("down", True)]


def test_a_capture_of_one_place_is_read_as_seen_when_sent() -> None:
    out = io.BytesIO()
    writer = pcap.Writer(out)
    writer.writepkt(lab_frame(b"one"), ts=100.0)
    writer.writepkt(b"\0" * 60, ts=100.5)  # no IP at all
    writer.writepkt(lab_frame(b"two"), ts=101.0)
    found = from_capture(out.getvalue())
    assert [(p.number, p.sent, p.arrived, p.direction, p.data) for p in found] == [
        (1, 0.0, 0.0, "up", b"one"),
        (2, 1.0, 1.0, "up", b"two"),
    ]


def test_what_is_no_capture_is_refused() -> None:
    good = to_pcapng(a_run(Profile(delay=0.02), 3))
    for bad in (b"", b"hello", b"\x0a\x0d\x0d\x0a", good[:-5], good[:40], b"\xd4\xc3\xb2\xa1" + bytes(20)):
        with pytest.raises(BadCapture):
            from_capture(bad)


@settings(max_examples=200)
@given(st.integers(0, 1500), st.binary(min_size=1, max_size=8))
def test_a_damaged_file_is_refused_or_read_never_worse(place: int, junk: bytes) -> None:
    good = to_pcapng(a_run(Profile(delay=0.02), 4))
    place %= len(good)
    try:
        from_capture(good[:place] + junk + good[place + len(junk) :])
    except BadCapture:
        pass


def test_a_datagram_too_large_for_the_network_is_cut_not_refused() -> None:
    found = from_capture(to_pcapng([Packet(1, 0.0, 0.1, "up", b"x" * 70_000, b"x" * 70_000, "delivered")]))
    assert len(found[0].data) == 65_507
