"""The sample in the documentation: one segment of six is lost and repeated after three duplicate ACKs.

python -m tests.harness.transport.sample        draws docs/ladder.svg again
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.link.model import Fate
from harness.link.trace import Direction, Packet
from harness.transport.pictures.pictures import Recording
from harness.transport.segments import Seg, WireFormat, build

PICTURE = Path(__file__).resolve().parents[3] / "docs" / "ladder.svg"
WIRE = WireFormat()
ISN, PEER = 1_482_990_101, 3_077_206_552
DELAY, GAP, ROOM = 0.020, 0.001, 65_536


def _acked(number: int, *blocks: tuple[int, int]) -> Seg:
    sack = tuple((left + ISN, right + ISN) for left, right in blocks)
    return Seg(PEER + 1, ISN + number, ROOM, ack=True, sack=sack)


def packets() -> list[Packet]:
    """What two correct ends would have sent over a link of 20 ms that carries a segment a millisecond."""
    rows: list[Packet] = []

    def add(at: float, way: Direction, seg: Seg, *, lost: bool = False) -> None:
        data = build(seg, WIRE)
        delivered, arrived = (b"", None) if lost else (data, round(at + DELAY, 6))
        fate: Fate = "lost" if lost else "delivered"
        rows.append(Packet(0, round(at, 6), arrived, way, data, delivered, fate, "drop" if lost else ""))

    add(0.0, "up", Seg(ISN, 0, ROOM, syn=True))
    add(0.020, "down", Seg(PEER, ISN + 1, ROOM, syn=True, ack=True))
    for n in range(6):
        seg = Seg(ISN + 1 + 1200 * n, PEER + 1, ROOM, ack=True, payload=bytes([n]) * 1200)
        add(0.040 + GAP * n, "up", seg, lost=n == 1)
    for n in range(2, 6):  # each segment behind the hole is acknowledged at once
        add(0.060 + GAP * n, "down", _acked(1201, (2401, 1201 + 1200 * n)))
    add(0.060, "down", _acked(1201))
    add(0.084, "up", Seg(ISN + 1201, PEER + 1, ROOM, ack=True, payload=bytes([1]) * 1200))
    add(0.104, "down", _acked(7201))
    add(0.124, "up", Seg(ISN + 7201, PEER + 1, ROOM, ack=True, fin=True))
    add(0.144, "down", Seg(PEER + 1, ISN + 7202, ROOM, ack=True, fin=True))
    add(0.164, "up", Seg(ISN + 7202, PEER + 2, ROOM, ack=True))
    rows.sort(key=lambda row: row.sent)
    return [replace(row, number=number) for number, row in enumerate(rows, 1)]


def recording() -> Recording:
    return Recording(
        packets=packets(),
        wire=WIRE,
        title="Fast retransmit: one segment of six is lost",
        remark="Three duplicate ACKs tell the client before its timer does; the SACK blocks say what has arrived.",
    )


if __name__ == "__main__":
    PICTURE.write_text(recording().ladder_svg(), encoding="utf-8")
