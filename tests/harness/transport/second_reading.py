"""A second reading of a simulation: what tshark and the dissector say of each frame, judged by four rules of TCP.

It shares nothing with the oracle but the bytes: no parser, no view of the run, no list of rules. From RFC 9293:

1. an acknowledgement is of bytes that have arrived, without a hole before them (section 3.4);
2. what is sent lies within the window that has been heard of, but for one byte that probes (sections 3.4, 3.8.6.1);
3. what is sent again is what was sent before (section 3.4: a sequence number is of one byte);
4. a FIN stays where it is (section 3.4).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.link.trace import Packet
from harness.pictures.capture import to_pcapng
from harness.transport.pictures.dissector import NAME, lua_dissector
from harness.transport.segments import WireFormat
from tests.harness.pictures.tshark import fields

_FIELDS = ["frame.comment", "udp.dstport", "udp.srcport"]
_FIELDS += [
    f"{NAME}.{name}" for name in ("seq", "ack", "window", "payload", "syn", "fin", "rst", "flags.ack", "checksum.good")
]
#: The frame's comment: which packet, and whether this is its sending or its arrival.
_COMMENT = re.compile(r"#(\d+) (sent|arrived)")
_MOST = 1 << 32


@dataclass(frozen=True)
class Frame:
    """A frame as tshark has it."""

    number: int  #: of the packet
    sent: bool  #: else it arrives
    up: bool
    seq: int
    ack: int | None
    window: int
    payload: bytes
    syn: bool
    fin: bool


@dataclass
class Side:
    """What is known of one direction's bytes; positions count from the SYN, which is 0."""

    isn: int | None = None
    bytes_sent: dict[int, int] = field(default_factory=dict)  #: position -> byte
    arrived: set[int] = field(default_factory=set)
    whole: int = 0  #: everything before this has arrived
    edge: int = 1  #: of the window that has been heard of
    fin: int | None = None

    def place(self, number: int) -> int:
        """A sequence number as a position, near what is under way."""
        assert self.isn is not None
        relative = (number - self.isn) % _MOST
        near = self.whole
        return near + (relative - near + _MOST // 2) % _MOST - _MOST // 2


def read(runs: Sequence[Sequence[Packet]], wire: WireFormat, folder: Path) -> list[list[str]]:
    """What the rules say of each of several runs. One call of tshark for all of them."""
    together: list[Packet] = []
    owner: dict[int, int] = {}
    base = begin = 0
    for which, packets in enumerate(runs):
        for packet in packets:
            arrived = None if packet.arrived is None else packet.arrived + begin
            together.append(replace(packet, number=packet.number + base, sent=packet.sent + begin, arrived=arrived))
            owner[packet.number + base] = which
        base += max((packet.number for packet in packets), default=0)
        begin += 1000
    (folder / "segments.lua").write_text(lua_dissector(wire))
    (folder / "capture.pcapng").write_bytes(to_pcapng(together))
    frames: list[list[Frame]] = [[] for _ in runs]
    for row in fields(folder / "capture.pcapng", _FIELDS, script=folder / "segments.lua"):
        if (frame := _frame(row)) is not None:
            frames[owner[frame.number]].append(frame)
    return [judge(rows) for rows in frames]


def _frame(row: Sequence[str]) -> Frame | None:
    """None where it is not a whole segment, or a reset."""
    row = [*row, *[""] * (len(_FIELDS) - len(row))]
    comment, target, source, seq, ack, window, payload, syn, fin, rst, has_ack, good = row[: len(_FIELDS)]
    found = _COMMENT.search(comment)
    if found is None or good not in ("1", "True") or rst in ("1", "True"):  # a reset has no stream
        return None
    flags = [flag in ("1", "True") for flag in (syn, fin, has_ack)]
    return Frame(
        number=int(found[1]),
        sent=found[2] == "sent",
        up=int(target) < int(source),
        seq=int(seq),
        ack=int(ack) if flags[2] else None,
        window=int(window),
        payload=bytes.fromhex(payload.replace(":", "")),
        syn=flags[0],
        fin=flags[1],
    )


def judge(frames: Sequence[Frame]) -> list[str]:
    """What was broken, a sentence each."""
    sides = {True: Side(), False: Side()}
    found: list[str] = []
    for frame in frames:
        mine, other = sides[frame.up], sides[not frame.up]
        if frame.syn and mine.isn is None:
            mine.isn = frame.seq
        if mine.isn is None:
            continue
        at = mine.place(frame.seq) + frame.syn
        if frame.sent:
            found += _sent(frame, at, mine, other)
        else:
            _arrives(frame, at, mine, other)
    return found


def _sent(frame: Frame, at: int, mine: Side, other: Side) -> list[str]:
    found = []
    if frame.ack is not None and other.isn is not None and (place := other.place(frame.ack)) > other.whole:
        found.append(f"#{frame.number} acknowledges {place}, and {other.whole} have arrived")
    if frame.payload and at + len(frame.payload) > mine.edge + 1:
        found.append(f"#{frame.number} sends up to {at + len(frame.payload)}, and the window ends at {mine.edge}")
    for offset, byte in enumerate(frame.payload):
        if mine.bytes_sent.setdefault(at + offset, byte) != byte:
            found.append(f"#{frame.number} sends another byte at {at + offset} than before")
            break
    if frame.fin:
        if mine.fin not in (None, at + len(frame.payload)):
            found.append(f"#{frame.number} has its FIN at {at + len(frame.payload)}, not at {mine.fin}")
        mine.fin = at + len(frame.payload)
    return found


def _arrives(frame: Frame, at: int, mine: Side, other: Side) -> None:
    mine.arrived.update(range(at, at + len(frame.payload)))
    if frame.syn:
        mine.arrived.add(0)
    if frame.fin:
        mine.arrived.add(at + len(frame.payload))
    while mine.whole in mine.arrived:
        mine.whole += 1
    if frame.ack is not None and other.isn is not None:
        other.edge = max(other.edge, other.place(frame.ack) + frame.window)
