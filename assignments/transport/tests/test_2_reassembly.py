"""Stage 2: three answers to pieces that come out of order."""

from harness.testing import Scene


def test_in_order_waits(lab: Scene) -> None:
    answer = lab.transport.reassembler("InOrder", capacity=1000)
    answer.receives(5, b"world")
    answer.hands_on()
    answer.misses((0, 5))
    answer.receives(0, b"hello")
    answer.hands_on((0, b"helloworld"))
    answer.misses()


def test_with_gaps_leaves_a_gap_and_fills_it(lab: Scene) -> None:
    answer = lab.transport.reassembler("WithGaps", capacity=1000)
    answer.receives(5, b"world")
    answer.hands_on((5, b"world"))
    answer.misses((0, 5))
    answer.receives(0, b"hello")
    answer.hands_on((0, b"hello"))
    answer.misses()


def test_newest_only_moves_forward(lab: Scene) -> None:
    answer = lab.transport.reassembler("NewestOnly", capacity=1000)
    answer.receives(5, b"world")
    answer.hands_on((5, b"world"))
    answer.receives(0, b"hello")
    answer.hands_on()
    answer.misses()
    answer.receives(8, b"ld, and on")
    answer.hands_on((10, b", and on"))


def test_what_comes_twice_is_handed_on_once(lab: Scene) -> None:
    for kind in ("InOrder", "WithGaps", "NewestOnly"):
        answer = lab.transport.reassembler(kind, capacity=1000)
        answer.receives(0, b"once")
        answer.hands_on((0, b"once"))
        answer.receives(0, b"once")
        answer.hands_on()
        answer.receives(2, b"ce more")
        answer.hands_on((4, b" more"))


def test_in_order_keeps_no_more_than_its_capacity(lab: Scene) -> None:
    answer = lab.transport.reassembler("InOrder", capacity=10)
    answer.receives(8, b"ijklm")
    answer.receives(20, b"z")
    answer.receives(0, b"abcdefgh")
    answer.hands_on((0, b"abcdefghij"))
    answer.misses()
