"""Two wires, captured: packets are paired across the link and what it did to each is said."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from dpkt import ethernet, ip, ip6, pcapng, udp

from harness.pictures import wires as pcap

TESTER, STUDENT = 0, 1


def frame(payload: bytes, *, up: bool = False, ttl: int = 64, number: int = 1) -> bytes:
    """An Ethernet frame with a datagram from the tester to the student, or up."""
    ends = [bytes([10, 77, 1, 2]), bytes([10, 77, 2, 2])]
    source, target = reversed(ends) if up else ends
    datagram = udp.UDP(sport=1000, dport=2000, data=payload, ulen=8 + len(payload))
    packet = ip.IP(src=source, dst=target, p=17, ttl=ttl, id=number, data=datagram)
    packet.len = 28 + len(payload)
    return bytes(ethernet.Ethernet(src=b"\2" * 6, dst=b"\4" * 6, data=packet))


def frame6(payload: bytes, *, hops: int = 64) -> bytes:
    ends = [bytes.fromhex("fd770001" + "0" * 23 + "2"), bytes.fromhex("fd770002" + "0" * 23 + "2")]
    datagram = udp.UDP(sport=1000, dport=2000, data=payload, ulen=8 + len(payload))
    packet = ip6.IP6(src=ends[0], dst=ends[1], nxt=17, hlim=hops, data=datagram, plen=8 + len(payload))
    return bytes(ethernet.Ethernet(src=b"\2" * 6, dst=b"\4" * 6, type=0x86DD, data=bytes(packet)))


def comments(*packets: pcap.WirePacket) -> list[str]:
    pcap.explain(packets)
    return [packet.comment for packet in packets]


def test_a_packet_that_left_has_no_comment() -> None:
    assert comments(
        pcap.WirePacket(1.0, TESTER, frame(b"a")),
        pcap.WirePacket(1.1, STUDENT, frame(b"a", ttl=62)),
        pcap.WirePacket(1.2, STUDENT, frame(b"a", up=True)),
        pcap.WirePacket(1.3, TESTER, frame(b"a", up=True, ttl=62)),
    ) == ["", "", "", ""]


@pytest.mark.parametrize("make", [frame, frame6])
def test_a_packet_that_did_not_leave_was_lost(make: type) -> None:
    hops = "hops" if make is frame6 else "ttl"
    assert comments(
        pcap.WirePacket(1.0, TESTER, make(b"a")),
        pcap.WirePacket(1.1, TESTER, make(b"b")),
        pcap.WirePacket(1.2, STUDENT, make(b"b", **{hops: 62})),
    ) == ["lost by the link", "", ""]


def test_of_the_last_packets_nobody_knows() -> None:
    assert comments(
        pcap.WirePacket(1.0, TESTER, frame(b"a")),
        pcap.WirePacket(1.5, STUDENT, frame(b"a", ttl=62)),
        pcap.WirePacket(1.6, TESTER, frame(b"b")),
        pcap.WirePacket(1.7, TESTER, frame(b"c")),
    ) == ["", "", *["lost by the link, or still under way at the end of the test"] * 2]


def test_a_second_copy_is_the_links() -> None:
    assert comments(
        pcap.WirePacket(1.0, TESTER, frame(b"a")),
        pcap.WirePacket(1.1, STUDENT, frame(b"a", ttl=62)),
        pcap.WirePacket(1.2, STUDENT, frame(b"a", ttl=62)),
    ) == ["", "", "a copy made by the link"]


def test_a_retransmission_is_not_a_copy() -> None:
    assert comments(
        pcap.WirePacket(1.0, TESTER, frame(b"a")),
        pcap.WirePacket(1.2, TESTER, frame(b"a")),
        pcap.WirePacket(1.3, STUDENT, frame(b"a", ttl=62)),
        pcap.WirePacket(1.4, STUDENT, frame(b"a", ttl=62)),
    ) == ["", "", "", ""]


def test_a_damaged_packet_is_neither_lost_nor_new() -> None:
    assert comments(
        pcap.WirePacket(1.0, TESTER, frame(b"aaaa", number=7)),
        pcap.WirePacket(1.1, STUDENT, frame(b"aaba", number=7, ttl=62)),
        pcap.WirePacket(1.2, STUDENT, frame(b"x", up=True)),
        pcap.WirePacket(2.0, STUDENT, b""),
    ) == ["", "damaged by the link", "lost by the link", ""]


def wire(path: Path, rows: list[tuple[float, bytes]], *, nano: bool = True) -> None:
    data = struct.pack("<IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
    for at, packet in rows:
        fraction = round(at % 1 * (1e9 if nano else 1e6))
        data += struct.pack("<IIII", int(at), fraction, len(packet), len(packet)) + packet
    path.write_bytes(data)


@pytest.mark.parametrize("nano", [True, False])
def test_a_span_of_time_is_cut_out_of_a_growing_file(tmp_path: Path, nano: bool) -> None:
    path = tmp_path / "tester.pcap"
    rows = [(float(number), frame(b"%d" % number)) for number in range(10)]
    wire(path, rows[:6], nano=nano)
    file = pcap.WireFile(str(path), TESTER)
    assert [packet.at for packet in file.between(1.5, 4.5)] == [2, 3, 4]
    with path.open("rb") as whole:
        part = whole.read()
    wire(path, rows, nano=nano)
    full = path.read_bytes()
    path.write_bytes(full[:-5])  # tcpdump is in the middle of the last one
    assert part == full[: len(part)]
    assert [packet.at for packet in file.between(5, 100)] == [5, 6, 7, 8]
    path.write_bytes(full)
    assert [packet.at for packet in file.between(9, 100)] == [9]


def test_a_file_that_has_begun_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    """However large it is by then: its first record is another one."""
    path = tmp_path / "wire.pcap"

    def write(first: int, count: int) -> None:
        records = [struct.pack("<IIII", first + number, 0, 4, 4) + b"data" for number in range(count)]
        path.write_bytes(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1) + b"".join(records))

    write(100, 10)
    wire = pcap.WireFile(str(path), 0)
    assert len(list(wire.between(105, 200))) == 5
    write(300, 50)
    assert [packet.at for packet in wire.between(300, 400)][:2] == [300.0, 301.0]
    assert len(list(wire.between(340, 400))) == 10


def test_an_empty_file_has_no_packets(tmp_path: Path) -> None:
    (tmp_path / "tester.pcap").write_bytes(b"")
    assert list(pcap.WireFile(str(tmp_path / "tester.pcap"), TESTER).between(0, 1)) == []


def test_too_many_packets_are_cut_and_said() -> None:
    many = (pcap.WirePacket(number / 1000, TESTER, frame(b"a")) for number in range(pcap.MOST_PACKETS))
    few = iter([pcap.WirePacket(0.5, STUDENT, frame(b"b"))])
    packets, cut = pcap.merged([many, few])
    assert cut
    assert len(packets) == pcap.MOST_PACKETS // 2 + 1
    assert [packet.at for packet in packets] == sorted(packet.at for packet in packets)


def test_the_file_is_a_pcapng_with_two_interfaces() -> None:
    packets = [
        pcap.WirePacket(1000.000001, TESTER, frame(b"a")),
        pcap.WirePacket(1000.5, STUDENT, frame(b"b", up=True)),
    ]
    packets[0].comment = "lost by the link"
    data = pcap.as_pcapng(packets, note="the first ones")
    assert [(round(at, 6), bytes(packet)) for at, packet in pcapng.Reader(io.BytesIO(data))] == [
        (1000.000001, packets[0].data),
        (1000.5, packets[1].data),
    ]
    assert data.count(b"lost by the link") == 1
    for text in (b"tester", b"student", b"the first ones"):
        assert text in data
