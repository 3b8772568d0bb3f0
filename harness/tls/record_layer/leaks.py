"""Whether something that must stay secret is in some bytes, as it is or thinly disguised. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import NamedTuple

#: Bytes that a marker has at least: shorter ones are found by chance.
SHORTEST = 16


class Leak(NamedTuple):
    """A marker that was found, and how it is written there."""

    marker: bytes
    how: str  #: "as it is", "in hex", "in base64", "backwards", "inverted", "XORed with 0x2a", and these together


def plaintext_in(stream: bytes, markers: Iterable[bytes]) -> Leak | None:
    """The first of the markers (16 random bytes or more) that is in a stream: as it is, in hex, in base64, backwards,
    or XORed with one byte. None: none of them.

    Raises ValueError for a marker that could be there by chance.
    """
    changes, lowered = _changes(stream), b""
    for marker in markers:
        if len(marker) < SHORTEST:
            raise ValueError(f"a marker of {len(marker)} bytes is found by chance")
        lowered = lowered or stream.lower()
        how = _xored(stream, changes, marker) or _written(stream, lowered, marker)
        if how is not None:
            return Leak(marker, how)
    return None


def _changes(data: bytes) -> bytes:
    """Each byte XORed with the next: the same for data that is XORed with one byte, whichever it is."""
    if len(data) < 2:
        return b""
    return (int.from_bytes(data[:-1]) ^ int.from_bytes(data[1:])).to_bytes(len(data) - 1)


def _xored(stream: bytes, changes: bytes, marker: bytes) -> str | None:
    for wanted, way in ((marker, ""), (marker[::-1], "backwards")):
        if (at := changes.find(_changes(wanted))) < 0:
            continue
        key = stream[at] ^ wanted[0]
        how = {0: way or "as it is", 0xFF: f"{way} inverted"}.get(key, f"{way} XORed with 0x{key:02x}")
        return how.strip()
    return None


def _written(stream: bytes, lowered: bytes, marker: bytes) -> str | None:
    for wanted, way in ((marker, ""), (marker[::-1], "backwards ")):
        if wanted.hex().encode() in lowered:
            return f"{way}in hex"
        for alphabet in (b"+/", b"-_"):
            if any(text in stream for text in in_base64(wanted, alphabet)):
                return f"{way}in base64"
    return None


def in_base64(marker: bytes, alphabet: bytes = b"+/") -> list[bytes]:
    """What base64 of anything that holds the marker has in it: one text for each place in a group of three bytes."""
    texts = []
    for before in range(3):
        text = base64.b64encode(bytes(before) + marker, alphabet).rstrip(b"=")
        # The first characters depend on what comes before, the last one on what comes after.
        first = (before * 8 + 5) // 6
        last = (before + len(marker)) * 8 // 6
        texts.append(text[first:last])
    return texts


def key_lines(pem: bytes) -> list[bytes]:
    """The long lines of base64 of a PEM file: each of them is a part of what it holds."""
    return [line.strip() for line in pem.splitlines() if len(line.strip()) >= 32 and b"-----" not in line]
