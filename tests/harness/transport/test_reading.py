"""Reading a trace: labels in relative numbers, what was sent again, and the curves that a sender would have drawn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.link.trace import Direction, Packet
from harness.transport.pictures.reading import read
from harness.transport.segments import Seg, WireFormat, build

WIRE = WireFormat()
ISN, PEER = 2**32 - 1000, 500  # the first one wraps in the first segment


class Trace:
    """Packets between two ends that are 20 ms apart, numbers relative to the SYNs."""

    def __init__(self) -> None:
        self.packets: list[Packet] = []

    def add(self, at: float, way: Direction, seg: Seg, *, lost: bool = False, damaged: bool = False) -> int:
        bases = (ISN, PEER) if way == "up" else (PEER, ISN)
        seg = replace(
            seg,
            sequence=(seg.sequence + bases[0]) % 2**32,
            acknowledgement=(seg.acknowledgement + bases[1]) % 2**32 if seg.ack else 0,
        )
        data = build(seg, WIRE)
        delivered = b"" if lost else data[:-1] + b"\xff" if damaged else data
        number = len({p.number for p in self.packets}) + 1
        fate = "lost" if lost else "corrupted" if damaged else "delivered"
        arrived = None if lost else at + 0.02
        self.packets.append(Packet(number, at, arrived, way, data, delivered, fate))  # type: ignore[arg-type]
        return number

    def data(self, at: float, first: int, size: int = 1200, **how: bool) -> int:
        return self.add(at, "up", Seg(first, 1, 9000, ack=True, payload=b"x" * size), **how)

    def ack(self, at: float, number: int, window: int = 9000, **how: bool) -> int:
        return self.add(at, "down", Seg(1, number, window, ack=True), **how)


@pytest.fixture
def trace() -> Trace:
    """A handshake; data may go from 0.04 s on."""
    made = Trace()
    made.add(0.0, "up", Seg(0, 0, 9000, syn=True))
    made.add(0.02, "down", Seg(0, 1, 9000, syn=True, ack=True))
    made.add(0.04, "up", Seg(1, 1, 9000, ack=True))
    return made


def remarks(trace: Trace) -> dict[int, list[str]]:
    return {number: [note.text for note in notes] for number, notes in read(trace.packets, WIRE).remarks.items()}


def test_labels_count_from_the_syns_across_the_wrap(trace: Trace) -> None:
    first, second = trace.data(0.04, 1), trace.data(0.04, 1201)
    back = trace.ack(0.06, 2401)
    labels = read(trace.packets, WIRE).labels
    assert labels[1] == "SYN seq=0 win=9000"
    assert labels[2] == "SYN ACK seq=0 ack=1 win=9000"
    assert labels[first] == "ACK seq=1 ack=1 win=9000 len=1200"
    assert labels[second] == "ACK seq=1201 ack=1 win=9000 len=1200"
    assert labels[back] == "ACK seq=1 ack=2401 win=9000"


def test_garbage_has_a_label_too(trace: Trace) -> None:
    trace.packets.append(Packet(4, 0.05, 0.07, "up", b"\x1b[2J", b"\x1b[2J", "delivered"))
    assert read(trace.packets, WIRE).labels[4] == "not a segment (4 bytes)"


def test_what_is_sent_again_names_the_packet_before(trace: Trace) -> None:
    first = trace.data(0.04, 1, lost=True)
    second = trace.data(1.04, 1, lost=True)
    third = trace.data(3.04, 1)
    assert remarks(trace) == {second: [f"repeats #{first} after 1.000 s"], third: [f"repeats #{second} after 2.000 s"]}


def test_three_duplicate_acks_are_counted_and_named_by_what_they_cause(trace: Trace) -> None:
    lost = trace.data(0.04, 1, lost=True)
    for n in range(1, 4):
        trace.data(0.04, 1 + 1200 * n)
    acks = [trace.ack(0.06, 1) for _ in range(3)]
    again = trace.data(0.08, 1)
    assert remarks(trace) == {
        acks[0]: ["duplicate ACK 1 of 1"],
        acks[1]: ["duplicate ACK 2 of 1"],
        acks[2]: ["duplicate ACK 3 of 1"],
        again: [f"repeats #{lost} after 0.040 s and 3 duplicate ACKs"],
    }


def test_an_ack_that_moves_the_window_or_has_nothing_to_wait_for_is_no_duplicate(trace: Trace) -> None:
    trace.ack(0.04, 1)  # nothing is under way
    trace.data(0.06, 1)
    trace.ack(0.06, 1, window=8000)
    assert remarks(trace) == {}


def test_duplicates_that_were_lost_do_not_count(trace: Trace) -> None:
    trace.data(0.04, 1)
    trace.ack(0.06, 1, lost=True)
    trace.ack(0.06, 1, damaged=True)
    assert remarks(trace) == {}


def test_a_window_that_closes_and_opens_is_told(trace: Trace) -> None:
    trace.data(0.04, 1)
    closed, opened = trace.ack(0.06, 1201, window=0), trace.ack(0.5, 1201, window=5000)
    assert remarks(trace) == {closed: ["window closed"], opened: ["window open again"]}
    assert read(trace.packets, WIRE).flows["up"].window == [(0.04, 9000), (0.08, 0), (0.52, 5000)]


def test_round_trips_are_taken_from_what_was_sent_once(trace: Trace) -> None:
    trace.data(0.04, 1)
    trace.ack(0.06, 1201)
    trace.data(0.10, 1201, lost=True)
    trace.data(0.50, 1201)
    trace.ack(0.52, 2401)  # of the first or of the second: nobody knows
    found = read(trace.packets, WIRE).flows["up"].round_trips
    assert [(round(at, 3), round(took, 3)) for at, took in found] == [(0.04, 0.04), (0.08, 0.04)]


def test_the_curves_of_a_short_transfer(trace: Trace) -> None:
    trace.data(0.04, 1)
    trace.data(0.04, 1201, lost=True)
    trace.ack(0.06, 1201)
    trace.data(1.04, 1201)
    trace.ack(1.06, 2401)
    flow = read(trace.packets, WIRE).flows["up"]
    assert [(s.first, s.end, s.again, s.lost) for s in flow.sent] == [
        (0, 1, False, False),
        (1, 1201, False, False),
        (1201, 2401, False, True),
        (1201, 2401, True, False),
    ]
    assert [(round(at, 3), number) for at, number in flow.acknowledged] == [(0.04, 1), (0.08, 1201), (1.08, 2401)]
    assert [count for _, count in flow.flight] == [1, 0, 1200, 2400, 1200, 1200, 0]
    assert flow.edge[-1] == (pytest.approx(1.08), 2401 + 9000)
    assert (flow.delivered, flow.again) == (2400, 1)
    assert read(trace.packets, WIRE).flows["down"].delivered == 0


def test_a_fin_takes_a_number_and_is_no_byte(trace: Trace) -> None:
    trace.add(0.04, "up", Seg(1, 1, 9000, ack=True, fin=True, payload=b"x" * 100))
    trace.ack(0.06, 102)
    assert read(trace.packets, WIRE).flows["up"].delivered == 100


def test_an_acknowledgement_of_what_was_never_sent_changes_nothing(trace: Trace) -> None:
    trace.data(0.04, 1)
    trace.ack(0.06, 999_999)
    assert read(trace.packets, WIRE).flows["up"].delivered == 0


def test_a_trace_that_begins_in_the_middle_counts_from_its_first_number() -> None:
    trace = Trace()
    first = trace.data(0.0, 70_001)
    back = trace.ack(0.02, 71_201)
    labels = read(trace.packets, WIRE).labels
    assert labels[first].startswith("ACK seq=1 ")
    assert " ack=1201 " in labels[back]
