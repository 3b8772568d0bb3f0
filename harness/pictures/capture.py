"""Packets as a capture that Wireshark reads, and a capture as packets that the oracle and the ladder read. Pure.

Rule 1: one interface for each end, as if tcpdump ran there: what the link lost is only on its sender's, a damaged
        packet is on its receiver's as it arrived, a copy is there twice.
Rule 2: every comment begins with the packet's number, the same as in the ladder and in the oracle's messages.
Rule 3: a file may come from anywhere; what cannot be read raises BadCapture, and what is not a datagram is skipped.

Addresses are those of the lab, so that files of simulations and of runs on real sockets look alike.
"""

from __future__ import annotations

import io
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

import dpkt
from dpkt import ethernet, ip, pcap, pcapng, udp

from harness.link.addresses import NODE, prefix
from harness.link.model import Fate
from harness.link.trace import Direction, Packet
from harness.pictures import wires
from harness.pictures.ladder import Notes
from harness.text.printable import printable

#: The wires' numbers, as harness/pictures/wires.py has them: the second endpoint takes the tester's place.
_SECOND, _FIRST, _OTHER_NODE = 0, 1, 2
_ORDER = (_FIRST, _OTHER_NODE, _SECOND)
_ADDRESSES = {end: prefix(end + 1, 4) + bytes((NODE,)) for end in (_FIRST, _SECOND)}
_MACS = {_FIRST: b"\x02\x77\x00\x00\x00\x02", _SECOND: b"\x02\x77\x00\x00\x00\x01"}
#: The dissector takes any datagram from or to this port.
PORT = 7777
_CLIENT_PORT = 50000
#: The largest payload of one datagram (RFC 768 over RFC 791).
_MOST_PAYLOAD = 65_507

_WORDS: dict[Fate, str] = {
    "lost": "lost by the link",
    "overflowed": "lost by the link",
    "corrupted": "damaged by the link",
    "truncated": "cut by the link",
    "duplicated": "a copy made by the link",
    "reordered": "overtook others",
}


class BadCapture(Exception):
    """The file cannot be read as a capture; the message says why."""


# -- packets to a capture ----------------------------------------------------------------------------------------


def to_pcapng(
    packets: Sequence[Packet],
    *,
    names: tuple[str, str] = ("student", "tester"),
    notes: Notes | None = None,
    remark: str = "",
) -> bytes:
    """A pcapng file. `names` are those of the first and the second endpoint, `remark` is the file's own comment."""
    frames = _frames(packets[: wires.MOST_PACKETS // 2], notes or {})
    if len(packets) > wires.MOST_PACKETS // 2:
        remark = f"{remark} (the first {wires.MOST_PACKETS // 2} packets of {len(packets)})".strip()
    return wires.as_pcapng(frames, note=printable(remark), names=[printable(name) for name in names[::-1]])


def _frames(packets: Sequence[Packet], notes: Notes) -> list[wires.WirePacket]:
    """What tcpdump at each end would have written, in order of time; at the same instant arrivals come first."""
    rows: list[tuple[float, int, int, wires.WirePacket]] = []
    sent: set[int] = set()
    for packet in packets:
        begin, end = (_FIRST, _SECOND) if packet.direction == "up" else (_SECOND, _FIRST)
        if packet.number not in sent:
            sent.add(packet.number)
            words = [f"#{packet.number} sent", _fate(packet) if packet.arrived is None else ""]
            words += [note.text for note in notes.get(packet.number, ())]
            frame = _frame(packet.data, begin, packet.number, 64)
            comment = printable("; ".join(filter(None, words)))
            rows.append((packet.sent, 1, packet.number, wires.WirePacket(packet.sent, begin, frame, comment)))
        if packet.arrived is not None:
            comment = "; ".join(filter(None, [f"#{packet.number} arrived", _fate(packet)]))
            frame = _frame(packet.delivered, begin, packet.number, 62)
            row = wires.WirePacket(packet.arrived, end, frame, comment)
            rows.append((packet.arrived, 0, packet.number, row))
    rows.sort(key=lambda row: row[:3])
    return [frame for *_, frame in rows]


def _fate(packet: Packet) -> str:
    words = _WORDS.get(packet.fate, "")
    why = "queue full" if packet.why == "limit" else packet.why
    return f"{words} ({why})" if why else words


def _frame(payload: bytes, begin: int, number: int, hops: int) -> bytes:
    """An Ethernet frame with the datagram; its checksum is right, since damage happens after the sender."""
    payload = payload[:_MOST_PAYLOAD]
    ports = (_CLIENT_PORT, PORT) if begin == _FIRST else (PORT, _CLIENT_PORT)
    datagram = udp.UDP(sport=ports[0], dport=ports[1], data=payload, ulen=8 + len(payload))
    end = _FIRST + _SECOND - begin
    packet = ip.IP(src=_ADDRESSES[begin], dst=_ADDRESSES[end], p=17, ttl=hops, id=number & 0xFFFF, data=datagram)
    packet.len = 28 + len(payload)
    return bytes(ethernet.Ethernet(src=_MACS[begin], dst=_MACS[end], data=packet))


# -- a capture to packets ----------------------------------------------------------------------------------------


@dataclass
class _Datagram:
    """A datagram on one wire."""

    at: float  #: seconds
    wire: int
    flow: tuple[bytes, int, bytes, int]  #: source address and port, target address and port
    number: int  #: IPv4 identification
    payload: bytes


def from_capture(data: bytes) -> list[Packet]:
    """The packets of a pcapng or pcap file as the two ends sent and saw them, times from the first one on.

    A file with the lab's two interfaces shows what was lost, damaged or duplicated. Any other was taken in one place:
    there a packet is seen when it is sent. Raises BadCapture.
    """
    try:
        datagrams, names = _read(data)
    except (dpkt.Error, ValueError, struct.error, IndexError, OverflowError) as error:
        raise BadCapture(f"it cannot be read as a capture: {printable(str(error)) or 'it is cut off'}") from None
    if not datagrams:
        raise BadCapture("there is no UDP datagram in it")
    start = datagrams[0].at
    datagrams = [replace(datagram, at=max(datagram.at - start, 0.0)) for datagram in datagrams]
    packets = _paired(datagrams) if names >= 2 else _seen_at_once(datagrams)
    ordered = sorted(packets, key=lambda packet: (packet.sent, packet.number))
    return [replace(packet, number=place) for place, packet in zip(_places(ordered), ordered, strict=True)]


def _places(packets: Sequence[Packet]) -> Iterator[int]:
    """1, 2, ... for packets in order; copies share."""
    place, before = 0, 0
    for packet in packets:
        if packet.number != before:
            place, before = place + 1, packet.number
        yield place


def _read(data: bytes) -> tuple[list[_Datagram], int]:
    """The datagrams in order of the file, and how many interfaces it has."""
    if data[:4] != b"\x0a\x0d\x0d\x0a":
        reader = pcap.Reader(io.BytesIO(data))
        rows = [(at, 0, reader.datalink(), frame) for at, frame in reader]
        return [datagram for row in rows if (datagram := _datagram(*row)) is not None], 1
    little = data[8:12] == b"\x4d\x3c\x2b\x1a"
    order, suffix = ("<", "LE") if little else (">", "")
    links: list[tuple[int, float]] = []  # link type, units a second
    found: list[_Datagram] = []
    offset = 0
    while offset + 12 <= len(data):
        kind, size = struct.unpack_from(order + "II", data, offset)
        if size < 12 or size % 4 or offset + size > len(data):
            raise ValueError("a block is cut off")
        block = data[offset : offset + size]
        offset += size
        if kind == pcapng.PCAPNG_BT_IDB:
            interface = getattr(pcapng, f"InterfaceDescriptionBlock{suffix}")(block)
            links.append((interface.linktype, _units(interface)))
        elif kind == pcapng.PCAPNG_BT_EPB:
            row = getattr(pcapng, f"EnhancedPacketBlock{suffix}")(block)
            link, units = links[row.iface_id]
            at = ((row.ts_high << 32) | row.ts_low) / units
            if (datagram := _datagram(at, row.iface_id, link, row.pkt_data)) is not None:
                found.append(datagram)
    return found, len(links)


def _units(interface: pcapng.InterfaceDescriptionBlock) -> float:
    """Time units in a second: microseconds unless the interface says otherwise (option if_tsresol)."""
    for option in interface.opts:
        if option.code == pcapng.PCAPNG_OPT_IF_TSRESOL and len(option.data) == 1:
            power = option.data[0] & 0x7F
            return float((2 if option.data[0] & 0x80 else 10) ** power)
    return 1e6


#: Bytes before the IP header, by link type: loopback (two kinds), Ethernet, raw IP (two kinds), Linux "any" (two).
_BEFORE_IP = {0: 4, 108: 4, 1: 14, 101: 0, 228: 0, 113: 16, 276: 20}


def _datagram(at: float, wire: int, link: int, frame: bytes) -> _Datagram | None:
    """The UDP datagram in a frame, None if it holds something else, or not all of it."""
    packet = frame[_BEFORE_IP[link] :] if link in _BEFORE_IP else b""
    version = packet[0] >> 4 if packet else 0
    if version == 4:
        head = 4 * (packet[0] & 15)
        number, protocol, ends = int.from_bytes(packet[4:6], "big"), packet[9:10], packet[12:20]
        whole = packet[6:8] in (b"\x00\x00", b"\x40\x00")  # no fragment
    else:
        head, number, protocol, ends, whole = 40, 0, packet[6:7], packet[8:40], version == 6
    body = packet[head:]
    if not whole or protocol != b"\x11" or len(body) < 8:
        return None
    source, target, size = struct.unpack("!HHH", body[:6])
    if not 8 <= size <= len(body):
        return None
    half = len(ends) // 2
    return _Datagram(at, wire, (ends[:half], source, ends[half:], target), number, body[8:size])


def _seen_at_once(datagrams: Sequence[_Datagram]) -> list[Packet]:
    """What was captured at one place: up is from whoever sent first."""
    first = datagrams[0].flow[:2]
    return [
        Packet(n, d.at, d.at, "up" if d.flow[:2] == first else "down", d.payload, d.payload, "delivered")
        for n, d in enumerate(datagrams, 1)
    ]


def _paired(datagrams: Sequence[_Datagram]) -> list[Packet]:
    """Look for what entered on one wire on the other: the same bytes first, then other bytes of the same flow."""
    entered = [datagram for datagram in datagrams if _enters(datagram)]
    leaving = [datagram for datagram in datagrams if not _enters(datagram)]
    twins: dict[int, list[_Datagram]] = defaultdict(list)  # place in `entered` -> what came of it
    delays: list[float] = []
    by_bytes: dict[tuple[object, ...], list[int]] = defaultdict(list)
    by_number: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, datagram in enumerate(entered):
        by_bytes[datagram.flow, datagram.number, datagram.payload].append(place)
        by_number[datagram.flow, datagram.number].append(place)
    unsure: list[tuple[_Datagram, list[int]]] = []
    for datagram in leaving:
        places = by_bytes.get((datagram.flow, datagram.number, datagram.payload), [])
        if len(places) == 1:
            twins[places[0]].append(datagram)
            delays.append(datagram.at - entered[places[0]].at)
        else:
            unsure.append((datagram, places))
    usual = median(delays) if delays else 0.0
    for datagram, places in unsure:
        damaged = [] if places else by_number[datagram.flow, datagram.number]
        free = [n for n in places or damaged if not twins[n] and entered[n].at <= datagram.at]
        candidates = free or [n for n in places if entered[n].at <= datagram.at]
        if candidates:
            best = min(candidates, key=lambda n: abs(datagram.at - entered[n].at - usual))
            twins[best].append(datagram)
    slowest = max((twin.at - entered[n].at for n, found in twins.items() for twin in found), default=0.0)
    over = datagrams[-1].at - slowest  # what was sent later may have been under way when the capture ended
    rows = [packet for n, d in enumerate(entered) for packet in _deliveries(n + 1, d, twins[n], d.at >= over)]
    return _with_fates(rows)


def _wire_of(address: bytes) -> int:
    """The wire of one of the lab's addresses: the third byte (IPv6: the fourth) is its number + 1."""
    return (address[2] if len(address) == 4 else address[3]) - 1


def _enters(datagram: _Datagram) -> bool:
    """Whether it was captured on its sender's wire."""
    return _wire_of(datagram.flow[0]) == datagram.wire


def _rank(address: bytes) -> int:
    """Decides whose packets go up: the student's, else those of the student's second node, else the tester's."""
    wire = _wire_of(address)
    return _ORDER.index(wire) if wire in _ORDER else len(_ORDER)


def _deliveries(number: int, datagram: _Datagram, twins: Sequence[_Datagram], late: bool) -> list[Packet]:
    """The rows of one packet: a loss, or an arrival and those of its copies."""
    way: Direction = "up" if _rank(datagram.flow[0]) < _rank(datagram.flow[2]) else "down"
    if not twins:
        why = "or under way" if late else ""
        return [Packet(number, datagram.at, None, way, datagram.payload, b"", "lost", why)]
    rows = []
    for count, twin in enumerate(sorted(twins, key=lambda twin: twin.at)):
        fate: Fate = "duplicated" if count else "delivered"
        if twin.payload != datagram.payload:
            fate = "truncated" if len(twin.payload) < len(datagram.payload) else "corrupted"
        rows.append(Packet(number, datagram.at, twin.at, way, datagram.payload, twin.payload, fate))
    return rows


def _with_fates(packets: Sequence[Packet]) -> list[Packet]:
    """Mark as reordered what arrived before a packet that was sent earlier."""
    latest: dict[Direction, float] = {"up": 0.0, "down": 0.0}
    found = []
    for packet in sorted(packets, key=lambda packet: (packet.sent, packet.number)):
        if packet.arrived is not None:
            if packet.fate == "delivered" and packet.arrived < latest[packet.direction]:
                packet = replace(packet, fate="reordered")
            latest[packet.direction] = max(latest[packet.direction], packet.arrived or 0.0)
        found.append(packet)
    return found
