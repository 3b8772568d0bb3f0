"""What packets are for TLS and HTTP: notes at the packet with which a record is whole, and how far a stack came."""

from __future__ import annotations

import struct

from harness.link.trace import Direction, Packet
from harness.stack.layers import Heard, notes, progress
from harness.transport.segments import Seg, WireFormat, build

WIRE = WireFormat()
HELLO = struct.pack("!BHH", 22, 0x0303, 4) + b"\1\0\0\0"  # a ClientHello without a body
DATA = struct.pack("!BHH", 23, 0x0303, 10) + bytes(10)


def packet(number: int, seg: Seg, *, way: Direction = "up", lost: bool = False) -> Packet:
    data, sent = build(seg, WIRE), number / 10
    arrived = None if lost else sent + 0.05
    return Packet(number, sent, arrived, way, data, b"" if lost else data, "lost" if lost else "delivered")


def seg(sequence: int, payload: bytes = b"", *, syn: bool = False) -> Seg:
    return Seg(sequence=sequence, acknowledgement=0, window=1000, syn=syn, ack=not syn, payload=payload)


#: A record in two segments, the first of which is lost once, and another one behind it in the second.
STREAM = HELLO + DATA
PACKETS = [
    packet(1, seg(100, syn=True)),
    packet(2, seg(101, STREAM[:6]), lost=True),
    packet(3, seg(107, STREAM[6:])),
    packet(4, seg(101, STREAM[:6])),
]


def test_a_record_is_noted_where_it_is_whole() -> None:
    found = notes(PACKETS, WIRE)
    assert {number: [note.text for note in row] for number, row in found.items()} == {
        4: ["TLS    handshake ClientHello, whole", "TLS    application data, 10 bytes, whole"]
    }


def test_what_happened_at_the_ends_comes_after_the_last_packet_before_it() -> None:
    found = notes(PACKETS, WIRE, [Heard(0.45, "curl asks: GET /"), Heard(0.05, "before all")])
    assert [note.text for note in found[4]][-1] == "HTTP   curl asks: GET /"
    assert [note.text for note in found[1]] == ["HTTP   before all"]


def test_how_far_it_came_is_said_for_each_direction() -> None:
    up, down = progress(PACKETS, WIRE)
    assert up == (
        "the transport brought the server 24 bytes of its stream: 2 whole TLS records, "
        "the last one application data, 10 bytes"
    )
    assert down.startswith("the transport brought the client 0 bytes of its stream: no segment with data")
    up, _ = progress([*PACKETS[:1], packet(2, seg(101, HELLO + DATA[:7]))], WIRE)
    assert up.endswith("the last one handshake ClientHello, and 7 bytes of another")
    up, _ = progress([*PACKETS[:1], packet(2, seg(101, b"GET / HTTP/1.1"))], WIRE)
    assert up.endswith("and they are not TLS")
