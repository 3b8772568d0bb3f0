"""What was on the two wires during a test, as one pcapng file that says what the link did. Pure.

Rule: the wires are read as tcpdump wrote them; a packet that entered on one wire and did not leave on the other was
lost by the link, and is marked so.
Formats: https://wiki.wireshark.org/Development/LibpcapFileFormat and draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import io
import struct
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dpkt import pcapng

from harness.link.addresses import PREFIX, prefix

#: Most packets of one file; of a longer test the first ones are kept.
MOST_PACKETS = 20_000
#: Most bytes of packets in one file.
MOST_BYTES = 8_000_000

_NANOSECONDS = 0xA1B23C4D  # magic number of a pcap file with nanoseconds
_HEADER, _RECORD = 24, 16
_ETHERNET = 14


@dataclass
class WirePacket:
    """One packet on one wire."""

    at: float  #: seconds since the epoch
    wire: int  #: 0 is the tester's, 1 the student's
    data: bytes  #: from the Ethernet header on
    comment: str = field(default="")

    @property
    def entered(self) -> bool:
        """Whether it was sent by the node on this wire, into the link."""
        ip = self.data[_ETHERNET:]
        number = self.wire + 1
        if ip[:1] and ip[0] >> 4 == 6:
            return ip[8:12] == prefix(number, 6)
        return ip[12:15] == prefix(number, 4)

    @property
    def identity(self) -> bytes:
        """The packet without what a router changes: time to live and header checksum."""
        ip = self.data[_ETHERNET:]
        if ip[:1] and ip[0] >> 4 == 6:
            return ip[:7] + ip[8:]
        return ip[:8] + ip[9:10] + ip[12:]

    @property
    def flow(self) -> bytes:
        """What even a damaged packet keeps: addresses, protocol, ports and IPv4 identification."""
        ip = self.data[_ETHERNET:]
        if ip[:1] and ip[0] >> 4 == 6:
            return ip[6:7] + ip[8:44]
        head = 4 * (ip[0] & 15) if ip else 0
        return ip[4:6] + ip[9:10] + ip[12:20] + ip[head : head + 4]

    @property
    def between(self) -> bool:
        """Whether both ends are nodes of the star: it is not one of the kernel's own multicasts."""
        ip = self.data[_ETHERNET:]
        if ip[:1] and ip[0] >> 4 == 6:
            return ip[8:11] == ip[24:27] == PREFIX[6]
        return ip[12:14] == ip[16:18] == PREFIX[4]


class WireFile:
    """A pcap file that tcpdump is still writing; reads it once, from front to back."""

    def __init__(self, path: str, wire: int) -> None:
        self._path = path
        self._wire = wire
        self._offset = _HEADER  #: of the first record that a later call may still ask for
        self._first = b""  #: the header and the head of the first record, by which the file is known

    def between(self, start: float, end: float) -> Iterator[WirePacket]:
        """The packets of a span of wall-clock time. Later calls may not ask for earlier times. Raises OSError."""
        with open(self._path, "rb") as file:
            first = file.read(_HEADER + _RECORD)
            head = first[:_HEADER]
            if len(head) < _HEADER:
                return
            if not first.startswith(self._first):
                self._offset = _HEADER  # it has begun anew
            self._first = first
            order = "<" if head[0] in (0x4D, 0xD4) else ">"
            unit = 1e-9 if struct.unpack(order + "I", head[:4])[0] == _NANOSECONDS else 1e-6
            record = struct.Struct(order + "IIII")
            file.seek(self._offset)
            while len(row := file.read(_RECORD)) == _RECORD:
                seconds, fraction, length, _ = record.unpack(row)
                at = seconds + fraction * unit
                if at > end:
                    return
                if at < start:
                    file.seek(length, 1)
                    self._offset = file.tell()
                    continue
                data = file.read(length)
                if len(data) < length:
                    return
                yield WirePacket(at, self._wire, data)


def explain(packets: Sequence[WirePacket]) -> None:
    """Write what the link did to each packet into its comment. `packets` are from both wires, in order of time."""
    leaving: dict[bytes, deque[WirePacket]] = defaultdict(deque)
    for packet in packets:
        if not packet.entered and packet.between:
            leaving[packet.identity].append(packet)
    slowest = 0.0
    lost: list[WirePacket] = []
    for packet in packets:
        if not (packet.entered and packet.between):
            continue
        twins = leaving[packet.identity]
        if twins:
            slowest = max(slowest, twins.popleft().at - packet.at)
        else:
            lost.append(packet)
    spare: dict[bytes, deque[WirePacket]] = defaultdict(deque)
    for twin in sorted((twin for twins in leaving.values() for twin in twins), key=lambda twin: twin.at):
        spare[twin.flow].append(twin)
    known = {packet.identity for packet in packets if packet.entered}
    end = packets[-1].at if packets else 0.0
    for packet in lost:
        damaged = next((twin for twin in spare[packet.flow] if twin.identity not in known), None)
        if damaged is not None:
            spare[packet.flow].remove(damaged)
            damaged.comment = "damaged by the link"
            slowest = max(slowest, damaged.at - packet.at)
        elif packet.at + slowest >= end:
            packet.comment = "lost by the link, or still under way at the end of the test"
        else:
            packet.comment = "lost by the link"
    for twins in spare.values():
        for twin in twins:
            if twin.identity in known:
                twin.comment = "a copy made by the link"


def merged(wires: Sequence[Iterator[WirePacket]]) -> tuple[list[WirePacket], bool]:
    """The packets of all wires in order of time, and whether some were left out because there were too many."""
    packets: list[WirePacket] = []
    cut = False
    for wire in wires:
        size = 0
        for count, packet in enumerate(wire):
            size += len(packet.data)
            if count >= MOST_PACKETS // len(wires) or size > MOST_BYTES // len(wires):
                cut = True
                break
            packets.append(packet)
    packets.sort(key=lambda packet: packet.at)
    return packets, cut


#: The names of a file's interfaces, by wire.
WIRES = ("tester", "student")


def as_pcapng(packets: Sequence[WirePacket], *, note: str = "", names: Sequence[str] = WIRES) -> bytes:
    """A pcapng file with two interfaces, named as given, and the packets' comments."""
    interfaces = []
    for name in names:
        interface = pcapng.InterfaceDescriptionBlockLE(linktype=1, snaplen=262_144)
        interface.opts = [pcapng.PcapngOptionLE(code=2, data=name.encode()), pcapng.PcapngOptionLE()]
        interfaces.append(interface)
    section = pcapng.SectionHeaderBlockLE()
    if note:
        section.opts = [_comment(note), pcapng.PcapngOptionLE()]
    out = io.BytesIO()
    for block in (section, *interfaces):
        out.write(bytes(block))
    for packet in packets:
        microseconds = round(packet.at * 1e6)
        block = pcapng.EnhancedPacketBlockLE(
            iface_id=packet.wire, ts_high=microseconds >> 32, ts_low=microseconds & 0xFFFFFFFF, pkt_data=packet.data
        )
        if packet.comment:
            block.opts = [_comment(packet.comment), pcapng.PcapngOptionLE()]
        out.write(bytes(block))
    return out.getvalue()


def _comment(text: str) -> pcapng.PcapngOptionLE:
    return pcapng.PcapngOptionLE(code=pcapng.PCAPNG_OPT_COMMENT, data=text.encode())
