"""Stage 2, hidden: random pieces that overlap, repeat and run ahead, against a model that keeps every byte apart."""

import pytest

from harness.testing import Scene

KINDS = ("InOrder", "WithGaps", "NewestOnly")


@pytest.mark.parametrize("kind", KINDS)
def test_random_pieces(lab: Scene, kind: str) -> None:
    rng = lab.rng
    for _ in range(12):
        stream = rng.randbytes(rng.randrange(1, 400))
        answer = lab.transport.reassembler(kind, capacity=100_000)
        for _ in range(40):
            start = rng.randrange(len(stream))
            answer.receives(start, stream[start : start + rng.choice((0, 1, 7, 50))])
            if rng.random() < 0.6:
                answer.agrees()
        answer.receives(0, stream)
        answer.agrees()


@pytest.mark.parametrize("kind", ["InOrder", "WithGaps"])
def test_capacity(lab: Scene, kind: str) -> None:
    rng = lab.rng
    for capacity in (1, 10, 64, 100):
        stream = rng.randbytes(500)
        answer = lab.transport.reassembler(kind, capacity=capacity)
        for _ in range(60):
            start = rng.randrange(len(stream))
            answer.receives(start, stream[start : start + rng.choice((1, 9, 80, 200))])
            answer.agrees()
        for start in range(0, len(stream), capacity):
            answer.receives(start, stream[start : start + capacity])
            answer.agrees()
        answer.ends_with(stream if kind == "InOrder" else None)


def test_the_oldest_go_first(lab: Scene) -> None:
    rng = lab.rng
    for capacity in (1, 10, 64, 100):
        stream = rng.randbytes(80 * (capacity + 3))
        answer = lab.transport.reassembler("NewestOnly", capacity=capacity)
        end = 0
        for _ in range(80):
            start = max(0, end + rng.choice((-5, 0, 0, 3)))
            piece = stream[start : start + rng.randint(1, capacity)]
            answer.receives(start, piece)
            end = max(end, start + len(piece))
            if rng.random() < 0.3:
                answer.agrees()
        answer.agrees()


def test_an_empty_piece_changes_nothing(lab: Scene) -> None:
    for kind in KINDS:
        answer = lab.transport.reassembler(kind, capacity=100)
        for position in (0, 5, 99, 1000):
            answer.receives(position, b"")
            answer.agrees()
        answer.receives(3, b"def")
        answer.receives(8, b"")
        answer.agrees()
        answer.receives(0, b"abc")
        answer.agrees()


def test_holes_that_meet(lab: Scene) -> None:
    for kind in ("InOrder", "WithGaps"):
        answer = lab.transport.reassembler(kind, capacity=1000)
        for position in (10, 30, 50, 12, 28, 40):
            answer.receives(position, bytes(range(position, position + 5)))
            answer.agrees()
        answer.receives(5, bytes(range(5, 60)))
        answer.agrees()
        answer.misses((0, 5))


def test_a_large_file_backwards(lab: Scene) -> None:
    data = lab.random_bytes(200_000)
    answer = lab.transport.reassembler("InOrder", capacity=len(data))
    for start in reversed(range(0, len(data), 1000)):
        answer.receives(start, data[start : start + 1000])
    answer.hands_on((0, data))
