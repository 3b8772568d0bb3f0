"""The little that the router has to know about IP packets: direction, start of the payload, checksums. Pure.

IPv4: RFC 791 section 3.1; IPv6: RFC 8200 section 3; UDP: RFC 768; the checksum: RFC 1071.
"""

from __future__ import annotations

import struct

from harness.link.addresses import FAMILIES, WIRES, prefix
from harness.link.trace import Direction

_TCP, _UDP = 6, 17
#: What the addresses of the student and of its peers, the tester and the second student node, begin with.
_STUDENT = [prefix(WIRES["student"], family) for family in FAMILIES]
_PEERS = [prefix(WIRES[node], family) for node in ("tester", "second") for family in FAMILIES]


def direction(packet: bytes) -> Direction | None:
    """Down if it goes to the student's network, up if to the tester's or the second node's, None for others."""
    version = packet[0] >> 4 if packet else 0
    towards = packet[16:19] if version == 4 else packet[24:28] if version == 6 else b""
    return "down" if towards in _STUDENT else "up" if towards in _PEERS else None


def carries_data(packet: bytes) -> bool:
    """Whether a packet is more than an answer of a kernel's: all but TCP segments without payload (RFC 9293, 3.1)."""
    start, protocol = ((packet[0] & 15) * 4, packet[9]) if packet[0] >> 4 == 4 else (40, packet[6])
    if protocol != _TCP or len(packet) < start + 20:
        return True
    return len(packet) > start + (packet[start + 12] >> 4) * 4


def identity(packet: bytes) -> int | None:
    """The identification field of an IPv4 packet, which a capture shows, too; IPv6 has none."""
    return int.from_bytes(packet[4:6]) if packet[0] >> 4 == 4 else None


def udp_start(packet: bytes) -> int:
    """Where the UDP header of an unfragmented UDP packet starts, 0 for any other packet."""
    if packet[0] >> 4 == 4:
        fragment = int.from_bytes(packet[6:8]) & 0x3FFF  # offset and "more fragments"
        start = (packet[0] & 15) * 4 if packet[9] == _UDP and not fragment else 0
    else:
        start = 40 if packet[6] == _UDP else 0
    return start if len(packet) >= start + 8 else 0


def payload_start(packet: bytes) -> int:
    """Where damage may begin: after the UDP header, else after the IP header."""
    start = udp_start(packet)
    if start:
        return start + 8
    return (packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40


def repaired(packet: bytes, start: int) -> bytes:
    """A damaged or shortened UDP packet (UDP header at `start`) with corrected lengths and checksums."""
    fixed = bytearray(packet)
    length = len(packet) - start
    struct.pack_into("!H", fixed, start + 4, length)
    if packet[0] >> 4 == 4:
        struct.pack_into("!H", fixed, 2, len(packet))
        struct.pack_into("!H", fixed, 10, 0)
        struct.pack_into("!H", fixed, 10, checksum(bytes(fixed[:start])))
        addresses = fixed[12:20]
        if packet[start + 6 : start + 8] == b"\0\0":  # the sender used none
            return bytes(fixed)
    else:
        struct.pack_into("!H", fixed, 4, length)
        addresses = fixed[8:40]
    struct.pack_into("!H", fixed, start + 6, 0)
    pseudo = bytes(addresses) + struct.pack("!II", length, _UDP)
    struct.pack_into("!H", fixed, start + 6, checksum(pseudo + bytes(fixed[start:])) or 0xFFFF)
    return bytes(fixed)


def checksum(data: bytes) -> int:
    """The Internet checksum."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
