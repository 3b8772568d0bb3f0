"""One request through three layers: what the segments on the wire are for TLS, and for HTTP above it. Pure.

The segments carry a stream; the stream, put in order, is TLS records, whose headers everybody may read; what is in
them is known to whoever holds the two plain ends. So a packet gets a note for each record that is whole with it, and
for what happened at the plain ends after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.link.trace import Direction, Packet
from harness.pictures.ladder import Note
from harness.tls.record_layer.records import HEADER, begins_a_record, describe, split
from harness.transport.delivered import Delivered, delivered
from harness.transport.segments import WireFormat


@dataclass(frozen=True)
class Heard:
    """Something that happened at one of the plain ends."""

    at: float  #: seconds, on the clock of the packets
    text: str  #: a line


def streams(packets: Iterable[Packet], wire: WireFormat) -> dict[Direction, Delivered]:
    """What each direction has delivered."""
    rows = list(packets)
    ways: tuple[Direction, Direction] = ("up", "down")
    return {way: delivered([row for row in rows if row.direction == way], wire) for way in ways}


def notes(packets: Sequence[Packet], wire: WireFormat, heard: Iterable[Heard] = ()) -> Mapping[int, Sequence[Note]]:
    """Notes by packet number: records that are whole with it, then what happened at the plain ends before the next."""
    found: dict[int, list[Note]] = {}
    for way, came in streams(packets, wire).items():
        numbers = {row.arrived: row.number for row in packets if row.direction == way}
        for end, text in _records(bytes(came.stream)):
            when = next((at for at, size in came.growth if size >= end), None)
            if when is not None:
                found.setdefault(numbers[when], []).append(Note(f"TLS    {text}, whole"))
    for row in sorted(heard, key=lambda row: row.at):
        before = [packet.number for packet in packets if packet.sent <= row.at]
        number = max(before, default=packets[0].number if packets else 0)
        found.setdefault(number, []).append(Note(f"HTTP   {row.text}"))
    return found


def _records(stream: bytes) -> Iterable[tuple[int, str]]:
    """(offset of its end, what it is) of each whole record."""
    at = 0
    for record in split(stream)[0]:
        at += HEADER + len(record.body)
        yield at, describe(record)


def progress(packets: Iterable[Packet], wire: WireFormat) -> list[str]:
    """How far a stack came, a sentence for each direction: for a story that ended badly."""
    lines = []
    for way, came in streams(packets, wire).items():
        stream = bytes(came.stream)
        records, rest = split(stream)
        to = "the server" if way == "up" else "the client"
        what = f"the transport brought {to} {len(stream):,} bytes of its stream"
        if not stream:
            lines.append(f"{what}: no segment with data arrived, or none before it")
        elif not records and not begins_a_record(stream):
            lines.append(f"{what}, and they are not TLS")
        else:
            last = describe(records[-1]) if records else "nothing"
            more = f", and {len(rest):,} bytes of another" if rest else ""
            lines.append(f"{what}: {len(records)} whole TLS records, the last one {last}{more}")
    return lines
