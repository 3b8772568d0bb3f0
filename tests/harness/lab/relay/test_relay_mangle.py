"""What a Mangle makes of a stream, step by step, in virtual time."""

from __future__ import annotations

from harness.lab.interface import Mangle
from harness.lab.relay.mangle import Mangler
from harness.link.model import SECOND


def run(mangle: Mangle, *arrivals: tuple[float, bytes | str]) -> list[tuple[float, object]]:
    """(seconds, bytes or "end" or "reset") of what comes out, given (seconds, bytes or "end" or "reset")."""
    mangler, out, now = Mangler(mangle), [], 0
    waiting = [(round(at * SECOND), what) for at, what in arrivals]
    while True:
        while waiting and waiting[0][0] <= now:
            _, what = waiting.pop(0)
            if isinstance(what, bytes):
                mangler.feed(what, now=now)
            else:
                mangler.end(what)
        step = mangler.next(now=now)
        if step.do in ("write", "end", "reset"):
            out.append((now / SECOND, step.data if step.do == "write" else step.do))
        elif step.do == "wait":
            now = min([step.until] + [at for at, _ in waiting[:1]])
        elif waiting:
            now = waiting[0][0]
        else:
            return out


def test_nothing_is_done_by_default():
    assert run(Mangle(), (0, b"ab"), (1, b"c"), (1, "end")) == [(0, b"ab"), (1, b"c"), (1, "end")]


def test_slices_are_taken_in_turn_and_apart():
    assert run(Mangle(slices=(1, 2), pause=0.5), (0, b"abcdef"), (0, "end")) == [
        (0, b"a"),
        (0.5, b"bc"),
        (1.0, b"d"),
        (1.5, b"ef"),
        (2.0, "end"),
    ]


def test_a_slice_does_not_wait_for_bytes_that_may_never_come():
    assert run(Mangle(slices=(10,)), (0, b"abc")) == [(0, b"abc")]


def test_coalescing_makes_one_write_of_several():
    assert run(Mangle(coalesce=1), (0, b"a"), (0.3, b"b"), (0.9, b"c"), (5, b"d")) == [(1, b"abc"), (6, b"d")]


def test_the_stream_stalls_once_before_a_byte():
    assert run(Mangle(stall_at=2, stall_for=3), (0, b"abcd"), (4, b"e")) == [(0, b"ab"), (3, b"cd"), (4, b"e")]


def test_a_stall_at_the_start_holds_the_first_byte():
    assert run(Mangle(stall_at=0, stall_for=3), (1, b"a")) == [(4, b"a")]


def test_a_reset_comes_soon_after_so_many_bytes():
    assert run(Mangle(reset_at=3), (0, b"ab"), (1, b"cdef")) == [(0, b"ab"), (1, b"c"), (1.02, "reset")]


def test_an_end_comes_after_so_many_bytes_and_the_rest_is_discarded():
    assert run(Mangle(end_at=3), (0, b"abcdef"), (1, b"gh"), (2, "end")) == [(0, b"abc"), (0, "end")]


def test_a_reset_of_the_sender_comes_behind_its_bytes_and_even_after_an_end():
    assert run(Mangle(slices=(1,), pause=1), (0, b"ab"), (0, "reset")) == [(0, b"a"), (1, b"b"), (2, "reset")]
    assert run(Mangle(), (0, "end"), (1, "reset")) == [(0, "end"), (1, "reset")]
