"""The dissector, asked through tshark: the same fields as our own parser, the same judgement of checksums."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from dpkt import ethernet, ip, udp

from harness.link.trace import Packet
from harness.pictures import wires
from harness.pictures.capture import to_pcapng
from harness.transport.pictures.dissector import NAME, lua_dissector
from harness.transport.segments import Seg, WireFormat, build, describe, parse
from tests.harness.pictures.tshark import fields

ISN, PEER = 4_294_966_000, 77  # the first one wraps on the way


def conversation() -> list[tuple[str, Seg]]:
    rng = random.Random(3)
    up = [
        Seg(ISN, 0, 65_536, syn=True),
        Seg(ISN + 1, PEER + 1, 65_536, ack=True),
        *[Seg(ISN + 1 + 1200 * n, PEER + 1, 65_536, ack=True, payload=rng.randbytes(1200)) for n in range(3)],
        Seg(ISN + 3601, PEER + 1, 65_536, ack=True, fin=True, payload=b"odd"),
        Seg(ISN + 3605, 0, 0, rst=True),
        Seg(ISN + 3605, PEER + 1, 1, ack=True, reserved=0xC0),
    ]
    down = [
        Seg(PEER, ISN + 1, 0, syn=True, ack=True),
        Seg(PEER + 1, ISN + 1, 9, ack=True, sack=((ISN + 1201, ISN + 2401), (ISN + 2700, ISN + 2701), (5, 5))),
    ]
    order = [("up", up[0]), ("down", down[0]), ("up", up[1]), ("up", up[2]), ("down", down[1])]
    return order + [("up", seg) for seg in up[3:]]


def packets(wire: WireFormat) -> list[Packet]:
    rows = []
    for number, (way, seg) in enumerate(conversation(), 1):
        seg = Seg(**{name: getattr(seg, name) for name in Seg.__slots__} | {"sequence": seg.sequence % 2**32})
        data = build(seg, wire)
        rows.append(Packet(number, number / 10, None, way, data, b"", "lost"))  # type: ignore[arg-type]
    return rows


def asked(tmp_path: Path, wire: WireFormat, capture: bytes, names: list[str], only: str = "") -> list[list[str]]:
    script, file = tmp_path / "segments.lua", tmp_path / "capture.pcapng"
    script.write_text(lua_dissector(wire))
    file.write_bytes(capture)
    return fields(file, names, script=script, only=only)


def experts(message: str) -> str:
    """What the dissector's experts say; the packet's comment, which tshark counts among them, left out."""
    return message.partition("lost by the link")[2].strip(",")


WIRES = [WireFormat(0x5C, "crc-32"), WireFormat(0xA7, "internet-16"), WireFormat(0x01, "fletcher-32")]


@pytest.mark.tshark
@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.checksum)
def test_every_field_is_what_our_own_parser_says(tmp_path: Path, wire: WireFormat) -> None:
    sent = packets(wire)
    names = ["magic", "length", "seq", "ack", "window", "sack.left", "sack.right", "checksum.good", "payload", "fin"]
    rows = asked(tmp_path, wire, to_pcapng(sent), ["_ws.col.Info", *(f"{NAME}.{name}" for name in names)])
    assert len(rows) == len(sent)
    for row, packet in zip(rows, sent, strict=True):
        seg = parse(packet.data, wire)
        assert seg is not None
        mine, theirs = (ISN, PEER) if packet.direction == "up" else (PEER, ISN)
        assert row == [
            describe(packet.data, wire, sequence_base=mine, acknowledgement_base=theirs),
            f"0x{wire.magic:02x}",
            str(len(seg.payload)),
            str(seg.sequence),
            str(seg.acknowledgement),
            str(seg.window),
            ",".join(str(left) for left, _ in seg.sack),
            ",".join(str(right) for _, right in seg.sack),
            "1",
            seg.payload.hex(),
            str(int(seg.fin)),
        ]


@pytest.mark.tshark
@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.checksum)
def test_a_flipped_bit_anywhere_behind_the_magic_is_told(tmp_path: Path, wire: WireFormat) -> None:
    good = build(Seg(5, 7, 9, ack=True, payload=b"some bytes"), wire)
    damaged = [bytearray(good) for _ in range(len(good) - 1)]
    for place, data in enumerate(damaged, 1):
        data[place] ^= 1 << (place % 8)
    rows = [Packet(1, 0.0, None, "up", good, b"", "lost")]
    rows += [Packet(n, n / 10, None, "up", bytes(data), b"", "lost") for n, data in enumerate(damaged, 2)]
    capture = to_pcapng(rows)
    told = asked(tmp_path, wire, capture, [f"{NAME}.checksum.bad", "_ws.expert.message"])
    assert (told[0][0], experts(told[0][1])) == ("0", "")
    for data, (bad, message) in zip(damaged, told[1:], strict=True):
        assert parse(bytes(data), wire) is None
        assert bad == "1" or "Not the size" in message or "Payload too long" in message
        assert "ignored" in message


@pytest.mark.tshark
def test_why_a_datagram_is_no_segment_is_told(tmp_path: Path) -> None:
    wire = WIRES[0]
    good = build(Seg(5, 7, 9, ack=True, payload=b"some bytes"), wire)
    datagrams = [good, good[:10], good[:-1], good + b"x", b"\x5d" + good[1:], build(Seg(1, payload=b"x" * 1201), wire)]
    capture = to_pcapng([Packet(n, n / 10, None, "up", d, b"", "lost") for n, d in enumerate(datagrams, 1)])
    told = asked(tmp_path, wire, capture, ["_ws.expert.message"])
    assert [experts(row[0]).split(":")[0] for row in told] == [
        "",
        "Shorter than a header",
        "Not the size its header says",
        "Not the size its header says",
        "Wrong magic",
        "Payload too long",
    ]


@pytest.mark.tshark
def test_what_is_worth_a_look_is_in_the_expert_list(tmp_path: Path) -> None:
    told = asked(tmp_path, WIRES[0], to_pcapng(packets(WIRES[0])), ["_ws.expert.message"])
    said = " ".join(row[0] for row in told)
    for words in ("Reserved flags", "SACK block without", "(RST)", "(SYN, FIN)", "Window is closed"):
        assert words in said


@pytest.mark.tshark
def test_lost_packets_can_be_filtered_by_the_comment(tmp_path: Path) -> None:
    wire = WIRES[0]
    rows = packets(wire)
    told = asked(tmp_path, wire, to_pcapng(rows), ["frame.comment"], only='frame.comment contains "lost"')
    assert [row[0].split(" ")[0] for row in told] == [f"#{packet.number}" for packet in rows]


def on_ports(payload: bytes, source: int, target: int) -> bytes:
    datagram = udp.UDP(sport=source, dport=target, data=payload, ulen=8 + len(payload))
    packet = ip.IP(src=bytes([10, 77, 2, 2]), dst=bytes([10, 77, 1, 2]), p=17, data=datagram)
    packet.len = 28 + len(payload)
    return bytes(ethernet.Ethernet(data=packet))


@pytest.mark.tshark
def test_on_other_ports_it_goes_by_the_looks_and_stays_with_the_conversation(tmp_path: Path) -> None:
    wire = WIRES[0]
    good = build(Seg(5, 7, 9, ack=True, payload=b"some bytes"), wire)
    damaged = b"\x00" + good[1:]
    frames = [
        on_ports(damaged, 41111, 42222),  # nobody knows yet
        on_ports(good, 43333, 44444),
        on_ports(damaged, 43333, 44444),
        on_ports(b"something else altogether", 45555, 46666),
    ]
    capture = wires.as_pcapng([wires.WirePacket(n / 10, 1, frame) for n, frame in enumerate(frames)])
    told = asked(tmp_path, wire, capture, ["_ws.col.Protocol"])
    assert [row[0] == NAME for row in told] == [False, True, True, False]


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.checksum)
def test_the_script_names_its_term_and_leaves_no_blank(wire: WireFormat) -> None:
    text = lua_dissector(wire)
    assert f"magic 0x{wire.magic:02X}, checksum {wire.checksum}" in text
    assert "@" not in text
