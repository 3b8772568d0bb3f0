"""A loop that was stopped for a while knows it."""

from __future__ import annotations

import time

import pytest

from harness.lab.timer import Beat


def test_a_standstill_is_told_from_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    beat = Beat()
    for seconds in (0.0, Beat.EVERY, Beat.EVERY + Beat.STANDSTILL / 2):
        now[0] += seconds
        beat.turn()
    assert beat.longest == 0.0
    for seconds, longest in ((3.5, 3.25), (2.0, 3.25), (5.0, 4.75)):
        now[0] += seconds
        beat.turn()
        assert beat.longest == pytest.approx(longest)
