"""`git push`, and the answer in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pushing import Pushing


def test_a_push_is_graded_and_answered_line_by_line(pushing: Pushing) -> None:
    pushing.installs()
    pushing.serves()
    said = pushing.pushes("ann", "test_serves")
    assert "11 of 15 points." in said
