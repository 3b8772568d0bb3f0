"""A run in one file: what was run, with which seed, and every packet, to look at and to run again. Pure.

Rule 1: JSON and base64, nothing else: a bundle is data, reading one runs nothing.
Rule 2: everything is checked when it is read (`from_json`); after that, a bundle is known to be well formed.
Rule 3: a bundle of a hidden check is the instructor's alone: it holds payloads, seed and what was lost.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from harness.link.model import Fate
from harness.link.trace import Direction, Packet
from harness.pictures.ladder import Note
from harness.transport.oracle.verdicts import Violation
from harness.transport.pictures.pictures import Recording
from harness.transport.segments import BadWire, WireFormat

SCHEMA = 1
#: Most bytes of datagrams in one bundle; of longer runs it keeps beginning, end and what is around broken rules.
MOST_BYTES = 3_000_000
#: Most packets and most characters of a bundle that will be read.
MOST_PACKETS, MOST_CHARACTERS = 50_000, 40_000_000
_MOST_TEXT = 2_000
_MOST_DATAGRAM = 65_535


class BadBundle(Exception):
    """The text is not a bundle; the message says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that was broken, as the oracle says it."""

    packet: int  #: number of the packet, 0 for none in particular
    text: str  #: with the rule's number
    must: bool = True  #: it fails a check; otherwise it is only reported


def findings_of(violations: Iterable[Violation]) -> tuple[Finding, ...]:
    """What the oracle found, as a bundle keeps it."""
    return tuple(Finding(row.packet, f"rule {row.rule}: {row.text}", row.level == "MUST") for row in violations)


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """One run."""

    assignment: str
    check: str = ""  #: id of the check that failed; empty for an experiment
    title: str = ""  #: of the check or the scenario, one sentence
    remark: str = ""  #: profile, seed, sizes, in words
    message: str = ""  #: why it failed
    seed: str = ""  #: what `lab check --seed` or `lab sim --seed` takes
    run: Mapping[str, str | int | float] = field(default_factory=dict)  #: the other options of `lab sim`
    misfortunes: tuple[str, ...] = ()  #: the fewest impairments with which it still fails, in words
    wire: WireFormat = field(default_factory=WireFormat)
    names: tuple[str, str] = ("client", "server")  #: of the end that sends up, and of the other end
    packets: tuple[Packet, ...] = ()
    findings: tuple[Finding, ...] = ()
    left_out: int = 0  #: how many packets were left out

    def recording(self) -> Recording:
        """The recording that pictures are made from."""
        found: dict[int, list[Note]] = {}
        for finding in self.findings:
            found.setdefault(finding.packet, []).append(Note(finding.text, broken=finding.must))
        remark = self.remark
        if self.left_out:
            remark = f"{remark}; {self.left_out} packets of this long run are not in the file".removeprefix("; ")
        return Recording(
            packets=self.packets, wire=self.wire, names=self.names, title=self.title, remark=remark, findings=found
        )


def fitting(packets: Sequence[Packet], findings: Iterable[Finding] = (), most: int = MOST_BYTES) -> list[Packet]:
    """The packets; if there are too many, those at the beginning, at the end, and around the broken rules."""
    if sum(len(packet.data) for packet in packets) <= most:
        return list(packets)
    places = {packet.number: place for place, packet in enumerate(packets)}
    centres = [places[finding.packet] for finding in findings if finding.packet in places][:5]
    starts = [(0, 1), (len(packets) - 1, -1), *((centre, way) for centre in centres for way in (-1, 1))]
    share = most // len(starts)
    kept: set[int] = set()
    for place, way in starts:
        size = 0
        while 0 <= place < len(packets) and size + len(packets[place].data) <= share:
            size += len(packets[place].data)
            kept.add(place)
            place += way
    return [packets[place] for place in sorted(kept)]


# -- to and from text --------------------------------------------------------------------------------------------


def to_json(bundle: Bundle) -> str:
    """The bundle as one line of ASCII."""
    return json.dumps(as_data(bundle), ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def as_data(bundle: Bundle) -> dict[str, Any]:
    """The bundle as plain data, as a record carries it."""
    return {
        "socketlab": "bundle",
        "schema": SCHEMA,
        **{name: getattr(bundle, name) for name in _TEXTS},
        "run": dict(bundle.run),
        "misfortunes": list(bundle.misfortunes),
        "wire": {"magic": bundle.wire.magic, "checksum": bundle.wire.checksum},
        "names": list(bundle.names),
        "findings": [[finding.packet, finding.text, finding.must] for finding in bundle.findings],
        "left_out": bundle.left_out,
        "packets": [_row(packet) for packet in bundle.packets],
    }


_TEXTS = ("assignment", "check", "title", "remark", "message", "seed")


def _row(p: Packet) -> list[Any]:
    """A packet: the bytes that arrived are null if they equal those that were sent."""
    delivered = None if p.delivered == p.data else _encoded(p.delivered)
    return [p.number, p.sent, p.arrived, p.direction, _encoded(p.data), delivered, p.fate, p.why]


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def from_json(text: str | bytes) -> Bundle:
    """The bundle in a text. Raises BadBundle."""
    if len(text) > MOST_CHARACTERS:
        raise BadBundle(f"it is too large ({len(text):,} characters)")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise BadBundle("it is not JSON") from None
    return from_data(data)


def from_data(data: object) -> Bundle:
    """The bundle in plain data. Raises BadBundle."""
    if not isinstance(data, dict) or data.get("socketlab") != "bundle":
        raise BadBundle("it is not a bundle of `lab check` or `lab sim`")
    if data.get("schema") != SCHEMA:
        raise BadBundle(f"it is of another version ({str(data.get('schema'))[:20]}); this one reads {SCHEMA}")
    rows, names = _list(data, "packets"), _list(data, "names")
    if len(rows) > MOST_PACKETS:
        raise BadBundle(f"it has {len(rows):,} packets, more than {MOST_PACKETS:,}")
    if len(names) != 2 or not all(isinstance(name, str) for name in names):
        raise BadBundle('"names" are not two texts')
    return Bundle(
        **{name: _text(data.get(name), name) for name in _TEXTS},
        run=_options(data.get("run")),
        misfortunes=tuple(_text(row, "misfortunes") for row in _list(data, "misfortunes")),
        wire=_wire(data.get("wire")),
        names=(names[0][:100], names[1][:100]),
        packets=tuple(_packet(row, place) for place, row in enumerate(rows, 1)),
        findings=tuple(_finding(row) for row in _list(data, "findings")),
        left_out=_count(data.get("left_out"), "left_out"),
    )


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    if not isinstance(value, list):
        raise BadBundle(f'"{key}" is not a list')
    return value


def _text(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise BadBundle(f'"{key}" is not a text')
    return value[:_MOST_TEXT]


def _count(value: object, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise BadBundle(f'"{key}" is not a number of things')
    return value


def _options(value: object) -> dict[str, str | int | float]:
    if not isinstance(value, dict):
        raise BadBundle('"run" is not a table')
    for key, item in value.items():
        if not isinstance(item, str | int | float) or (isinstance(item, float) and not math.isfinite(item)):
            raise BadBundle(f'"run" has {key[:40]!r}, which is neither a text nor a number')
    return {key[:60]: item[:_MOST_TEXT] if isinstance(item, str) else item for key, item in value.items()}


def _wire(value: object) -> WireFormat:
    try:
        if isinstance(value, dict) and isinstance(value.get("checksum"), str):
            return WireFormat(value.get("magic"), value["checksum"])  # type: ignore[arg-type]
    except BadWire as error:
        raise BadBundle(f"its wire: {error}") from None
    raise BadBundle('"wire" is not a magic and a checksum')


def _finding(row: object) -> Finding:
    if not isinstance(row, list) or len(row) != 3 or not isinstance(row[2], bool):
        raise BadBundle("a finding is not a packet's number, a text, and whether it fails a check")
    return Finding(_count(row[0], "findings"), _text(row[1], "findings"), row[2])


def _packet(row: object, place: int) -> Packet:
    where = f"packet row {place}"
    if not isinstance(row, list) or len(row) != 8:
        raise BadBundle(f"{where} does not have 8 parts")
    number, sent, arrived, way, data, delivered, fate, why = row
    if way not in get_args(Direction) or fate not in get_args(Fate):
        raise BadBundle(f"{where} has no direction or fate that there is")
    sent_bytes = _decoded(data, where)
    return Packet(
        _count(number, where),
        _seconds(sent, where),
        None if arrived is None else _seconds(arrived, where),
        way,
        sent_bytes,
        sent_bytes if delivered is None else _decoded(delivered, where),
        fate,
        _text(why, where)[:100],
    )


def _seconds(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise BadBundle(f"{where} has no time in seconds")
    return float(value)


def _decoded(value: object, where: str) -> bytes:
    if not isinstance(value, str) or len(value) > _MOST_DATAGRAM * 4 // 3 + 4:
        raise BadBundle(f"{where} has no bytes, or too many")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise BadBundle(f"{where} has bytes that are not base64") from None
