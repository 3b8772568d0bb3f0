"""Two submissions that meet, or one and the course's own; and how fast one is. `grader interop` runs them.

The rows are in harness/transport/simulation/meetings.py.
"""

import pytest

from harness.testing import Scene


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("letter", ["D", "H", "F", "L", "W", "C"])
def test_they_meet(lab: Scene, letter: str, role: str) -> None:
    lab.transport.meeting(letter, role).is_well()


@pytest.mark.parametrize(("loss", "seed"), [(0.0, 1), (0.01, 1), (0.01, 2), (0.01, 3)])
def test_the_link_is_filled(lab: Scene, loss: float, seed: int) -> None:
    lab.transport.goodput(loss, seed).measures()
