"""Packets written as text, for tests of the oracle: `0.10 > ACK seq=1 ack=1 len=1000 lost`.

`>` is sent up, by the side that tests look at, `<` down. Numbers are relative to the SYNs. A packet takes 50 ms unless
it says `lost`, `damaged` or `takes S`; `twice S` is a copy that arrives S after it was sent; `other` has other bytes.
"""

from __future__ import annotations

from harness.link.trace import Direction, Packet
from harness.transport.oracle.judge import Case, judge
from harness.transport.script.conversation import stream_bytes
from harness.transport.script.text import SegmentToSend, read_segment
from harness.transport.segments import Seg, WireFormat, build

WIRE = WireFormat()
ISN: dict[Direction, int] = {"up": 2**32 - 700, "down": 5000}

#: The client is up; it is open at 0.10, the server at 0.15.
OPEN = """
    0.00 > SYN seq=0
    0.05 < SYN ACK seq=0 ack=1
    0.10 > ACK seq=1 ack=1
"""


def packets(text: str) -> list[Packet]:
    """The packets of a text, in the order of sending."""
    rows: list[Packet] = []
    lines = [line.split("#")[0].split() for line in text.splitlines()]
    for number, words in enumerate([words for words in lines if words], 1):
        rows += _packet(number, float(words[0]), "up" if words[1] == ">" else "down", words[2:])
    return rows


def _packet(number: int, sent: float, direction: Direction, words: list[str]) -> list[Packet]:
    options: dict[str, float] = {}
    for name in ("takes", "twice"):
        if name in words:
            where = words.index(name)
            options[name] = float(words[where + 1])
            del words[where : where + 2]
    flags = {word for word in words if word in ("lost", "damaged", "other", "reserved", "nonsense")}
    data = _data(direction, read_segment(" ".join(word for word in words if word not in flags)), flags)
    if "nonsense" in flags:
        data = data[:-1]
    delivered = data[:-1] + bytes([data[-1] ^ 1]) if "damaged" in flags else data
    arrived = sent + options.get("takes", 0.05)
    if "lost" in flags:
        return [Packet(number, sent, None, direction, data, b"", "lost")]
    found = [Packet(number, sent, arrived, direction, data, delivered, "delivered")]
    if "twice" in options:
        found.append(Packet(number, sent, sent + options["twice"], direction, data, delivered, "duplicated"))
    return found


def _data(direction: Direction, letter: SegmentToSend, flags: set[str]) -> bytes:
    mine, theirs = ISN[direction], ISN["down" if direction == "up" else "up"]
    if letter.raw is not None:
        return letter.raw
    assert letter.seq is not None
    payload = stream_bytes("peer", max(0, letter.seq - 1), max(0, letter.seq - 1) + letter.len)
    seg = Seg(
        (mine + letter.seq) % 2**32,
        (theirs + letter.ack) % 2**32 if letter.ack is not None else 0,
        65_536 if letter.win is None else letter.win,
        sack=tuple((left + theirs, right + theirs) for left, right in letter.sack),
        payload=payload[::-1] if "other" in flags else payload,
        reserved=0x40 if "reserved" in flags else 0,
        **{name.lower(): True for name in letter.flags},  # type: ignore[arg-type]
    )
    return build(seg, WIRE)


def told(text: str, case: Case | None = None) -> list[str]:
    """What the oracle says of the side that sends up: "3.11 MUST", each once."""
    found = judge(packets(text), WIRE, case or Case(judged=["up"], isns=ISN))
    return sorted({f"{violation.rule} {violation.level}" for violation in found})
