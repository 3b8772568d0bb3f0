"""A ClientHello as it is on the wire, read and written: the only walker through its fields. Pure.

RFC 8446, section 4.1.2: version (2 bytes), random (32), then session id, cipher suites and compression methods, each a
vector behind its length of 1, 2 and 1 bytes; then, behind a length of 2, the extensions: type (2), length (2), body.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

CLIENT_HELLO = 1  #: the type of the handshake message


class Hello(NamedTuple):
    """The fields of a ClientHello."""

    version: int  #: legacy_version
    random: bytes
    session_id: bytes
    suites: tuple[int, ...]
    methods: bytes  #: of compression
    extensions: tuple[tuple[int, bytes], ...]  #: type and body, in order

    def message(self) -> bytes:
        """The handshake message, with its header."""
        extensions = b"".join(struct.pack("!HH", kind, len(body)) + body for kind, body in self.extensions)
        body = struct.pack("!H32sB", self.version, self.random, len(self.session_id)) + self.session_id
        body += struct.pack(f"!H{len(self.suites)}H", 2 * len(self.suites), *self.suites)
        body += bytes([len(self.methods)]) + self.methods + struct.pack("!H", len(extensions)) + extensions
        return struct.pack("!I", CLIENT_HELLO << 24 | len(body)) + body


def read_hello(body: bytes) -> Hello:
    """The body of the handshake message. Raises ValueError where a length leads out of it."""
    if len(body) < 34:
        raise ValueError("too short for a version and a random")
    session, at = vector(body, 34, 1)
    suites, at = vector(body, at, 2)
    methods, at = vector(body, at, 1)
    block = vector(body, at, 2)[0] if at < len(body) else b""
    extensions, at = [], 0
    while at < len(block):
        kind = int.from_bytes(block[at : at + 2])
        value, at = vector(block, at + 2, 2)
        extensions.append((kind, value))
    return Hello(int.from_bytes(body[:2]), body[2:34], session, shorts(suites), methods, tuple(extensions))


def vector(data: bytes, at: int, width: int) -> tuple[bytes, int]:
    """A vector behind its length of `width` bytes (section 3.4), and where the next thing is. Raises ValueError."""
    end = at + width + int.from_bytes(data[at : at + width])
    if at + width > len(data) or end > len(data):
        raise ValueError("a vector that is longer than what holds it")
    return data[at + width : end], end


def vectors(data: bytes, width: int) -> Iterator[bytes]:
    """One vector after another, to the end of the data. Raises ValueError."""
    at = 0
    while at < len(data):
        item, at = vector(data, at, width)
        yield item


def shorts(data: bytes) -> tuple[int, ...]:
    """Numbers of two bytes. Raises ValueError for half a one."""
    if len(data) % 2:
        raise ValueError("half a number")
    return struct.unpack(f"!{len(data) // 2}H", data)
