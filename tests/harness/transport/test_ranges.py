"""Sets of numbers and what was sent when, against the simplest thing that could be right."""

from __future__ import annotations

import random

from harness.transport.oracle.ranges import Ranges, Sendings


def test_ranges_are_sets_of_numbers() -> None:
    dice = random.Random(4)
    for _ in range(200):
        ranges, plain = Ranges(), set[int]()
        for _ in range(30):
            left = dice.randrange(60)
            right = left + dice.randrange(8)
            new = set(range(left, right)) - plain
            assert ranges.add(left, right) == len(new)
            plain |= new
            at = dice.randrange(60)
            assert ranges.covers(at, at + 3) == (set(range(at, at + 3)) <= plain)
            assert ranges.reached_from(at) == next(n for n in range(at, 200) if n not in plain)
            assert (ranges.around(at) is not None) == (at in plain)
            if dice.random() < 0.1:
                ranges.drop_below(at)
                plain = {n for n in plain if n >= at}
            assert {n for left, right in ranges for n in range(left, right)} == plain
            assert (ranges.total, ranges.top) == (len(plain), max(plain, default=-1) + 1)
            assert bool(ranges) == bool(plain)
        ranges.clear()
        assert not ranges


def test_sendings_know_when_each_number_was_sent_last() -> None:
    dice = random.Random(5)
    for _ in range(100):
        sendings, last, times = Sendings(), dict[int, int](), dict[int, int]()
        for index in range(40):
            left = dice.randrange(50)
            right = left + 1 + dice.randrange(9)
            sendings.send(left, right, now=float(index), index=index)
            for number in range(left, right):
                last[number], times[number] = index, times.get(number, 0) + 1
            if dice.random() < 0.2:
                below = dice.randrange(20)
                gone = [last.pop(n) for n in sorted(last) if n < below]
                assert sendings.drop_below(below) == max(gone, default=-1)
                times = {n: count for n, count in times.items() if n in last}
            left = dice.randrange(50)
            found = {
                n: (piece.index, piece.times)
                for piece in sendings.over(left, left + 10)
                for n in range(piece.left, piece.right)
            }
            assert found == {n: (last[n], times[n]) for n in range(left, left + 10) if n in last}
