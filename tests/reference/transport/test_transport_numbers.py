"""Numbers on a circle, ranges, and the three answers to reordering."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.reference.transport.pairs import module

sequence, reassembly = module("sequence"), module("reassembly")
Ranges = module("ranges").Ranges
MODULUS = 2**32

NUMBERS = st.integers(0, MODULUS - 1)
STEPS = st.integers(1, 2**31 - 1)


@given(NUMBERS, STEPS)
def test_before_means_that_the_way_forward_is_the_shorter_one(number: int, step: int) -> None:
    later = sequence.add(number, step)
    assert sequence.less(number, later)
    assert not sequence.less(later, number)
    assert sequence.less_equal(number, later)
    assert sequence.less_equal(number, number)
    assert not sequence.less(number, number)
    assert sequence.distance(number, later) == step == -sequence.distance(later, number)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_between_is_a_half_open_range_on_the_circle(start: int, number: int, end: int) -> None:
    forwards = [(number - start) % MODULUS, (end - start) % MODULUS]
    assert sequence.between(start, number, end) == (forwards[0] < forwards[1])
    assert not sequence.between(start, number, start)


@given(NUMBERS, st.integers(0, 2**40), st.integers(-(2**31), 2**31 - 1))
def test_a_position_survives_the_wire(initial: int, near: int, off: int) -> None:
    assert sequence.unwrap(sequence.wrap(near + off, initial), initial, near) == near + off


PIECES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 15)), max_size=30)


@given(PIECES, st.integers(0, 70))
def test_ranges_are_a_set_of_positions(pieces: list[tuple[int, int]], below: int) -> None:
    ranges, model = Ranges(), set[int]()
    for start, length in pieces:
        new = ranges.add(start, start + length)
        positions = set(range(start, start + length))
        assert [p for a, b in new for p in range(a, b)] == sorted(positions - model)
        model |= positions
        rows = list(ranges)
        assert {p for a, b in rows for p in range(a, b)} == model
        assert all(a < b for a, b in rows)
        assert all(b < c for (_, b), (c, _) in pairwise(rows))
    assert list(reversed(ranges)) == list(ranges)[::-1]
    assert ranges.end == max(model, default=-1) + 1
    for position in range(80):
        start, end = ranges.around(position)
        assert (start < end) == (position in model)
        assert start <= position <= end
    ranges.remove_below(below)
    assert {p for a, b in ranges for p in range(a, b)} == {p for p in model if p >= below}


STREAM = bytes(range(1, 101))
#: (position, length, whether somebody reads afterwards)
ARRIVALS = st.lists(st.tuples(st.integers(0, 80), st.integers(0, 20), st.booleans()), max_size=40)


def feed(answer: object, arrivals: list[tuple[int, int, bool]]) -> list[list[tuple[int, bytes]]]:
    """All that was read; the pieces are always those of the stream."""
    read = []
    for position, length, reads in arrivals:
        answer.receive(position, STREAM[position : position + length])
        if reads:
            read.append(answer.read())
    read.append(answer.read())
    for pieces in read:
        assert all(piece and piece == STREAM[at : at + len(piece)] for at, piece in pieces)
    return read


@given(ARRIVALS)
def test_in_order_waits(arrivals: list[tuple[int, int, bool]]) -> None:
    answer = reassembly.InOrder(1000)
    pieces = [piece for pieces in feed(answer, arrivals) for piece in pieces]
    arrived = {p for at, length, _ in arrivals for p in range(at, at + length)}
    first_hole = next(p for p in range(101) if p not in arrived)
    assert b"".join(piece for _, piece in pieces) == STREAM[:first_hole]
    assert [at for at, _ in pieces] == [sum(len(p) for _, p in pieces[:i]) for i in range(len(pieces))]
    holes = {p for a, b in answer.missing() for p in range(a, b)}
    assert holes == set(range(max(arrived, default=-1) + 1)) - arrived


@given(ARRIVALS)
def test_with_gaps_hands_on_every_byte_once_and_at_once(arrivals: list[tuple[int, int, bool]]) -> None:
    answer = reassembly.WithGaps(1000)
    read = feed(answer, arrivals)
    positions = [p for pieces in read for at, piece in pieces for p in range(at, at + len(piece))]
    arrived = {p for at, length, _ in arrivals for p in range(at, at + length)}
    assert len(positions) == len(set(positions))
    assert set(positions) == arrived
    holes = {p for a, b in answer.missing() for p in range(a, b)}
    assert holes == set(range(max(arrived, default=-1) + 1)) - arrived


@given(ARRIVALS)
def test_newest_only_never_goes_back(arrivals: list[tuple[int, int, bool]]) -> None:
    answer = reassembly.NewestOnly(1000)
    positions = [p for pieces in feed(answer, arrivals) for at, piece in pieces for p in range(at, at + len(piece))]
    newest, expected = -1, []
    for at, length, _ in arrivals:
        expected += [p for p in range(at, at + length) if p > newest]
        newest = max([newest, *range(at, at + length)])
    assert positions == expected
    assert answer.missing() == []


def test_capacity_counts_from_what_was_handed_on() -> None:
    for kind in (reassembly.InOrder, reassembly.WithGaps):
        answer = kind(10)
        answer.receive(8, b"890123")  # of which 10 and more find no room
        assert answer.missing() == [(0, 8)]
        answer.receive(0, b"01234567")
        answer.receive(10, b"late")  # nothing was read yet
        assert sorted(answer.read())[-1][0] in (0, 8)
        answer.receive(10, b"abc")
        assert answer.read() == [(10, b"abc")]


def test_what_was_received_first_stays() -> None:
    answer = reassembly.InOrder(100)
    answer.receive(2, b"CD")
    answer.receive(0, b"abcdef")
    assert answer.read() == [(0, b"abCDef")]


def test_newest_only_forgets_the_oldest() -> None:
    answer = reassembly.NewestOnly(4)
    for position, data in ((0, b"ab"), (2, b"cd"), (10, b"kl")):
        answer.receive(position, data)
    assert answer.read() == [(2, b"cd"), (10, b"kl")]
    answer.receive(0, b"late")
    assert answer.read() == []
