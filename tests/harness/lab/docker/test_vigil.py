"""A part of the lab that ended or stands still is noticed while the job runs."""

from __future__ import annotations

from dataclasses import dataclass

from harness.lab.docker.vigil import QUIET, Vigil


@dataclass
class Lab:
    """Two parts, and what the engine says when it is asked."""

    says: str = ""
    asked: int = 0
    ended: bool = False

    def standstill(self) -> str:
        self.asked += 1
        return self.says

    def vigil(self) -> Vigil:
        return Vigil({"link": self}, self.standstill, now=100.0)


def test_a_part_that_has_ended_is_known_at_once_and_nobody_is_asked() -> None:
    lab = Lab()
    vigil = lab.vigil()
    assert vigil.finds(heard=True, now=100.1) == ""
    lab.ended = True
    assert vigil.finds(heard=True, now=100.2) == "the lab's link node has ended"
    assert lab.asked == 0


def test_the_engine_is_asked_once_nothing_was_heard_for_a_while() -> None:
    lab = Lab()
    vigil = lab.vigil()
    assert vigil.finds(heard=True, now=103.0) == ""
    assert vigil.finds(heard=False, now=103.0 + QUIET - 0.1) == ""
    assert lab.asked == 0
    lab.says = "the lab's link node has a process that was stopped by a signal"
    assert vigil.finds(heard=False, now=103.0 + QUIET) == lab.says


def test_a_long_check_is_not_looked_at_all_the_time() -> None:
    lab = Lab()
    vigil = lab.vigil()
    for tenth in range(600):
        assert vigil.finds(heard=False, now=100.0 + tenth / 10) == ""
    assert lab.asked == 3  # after 5, 15 and 35 s
    assert vigil.finds(heard=True, now=160.0) == ""
    assert vigil.finds(heard=False, now=160.0 + QUIET) == ""
    assert lab.asked == 4
